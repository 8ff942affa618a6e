// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls that Linux makes on an APQ8064, with its registers and command buffers.

use fakemon_firmware::Width::AArch64;
use fakemon_firmware::abi::frame::REGS;
use fakemon_firmware::fake::{FakePlatform, properties};
use fakemon_firmware::services::qcom_scm::{Function, legacy};
use proptest::prelude::*;

use super::*;

include!(concat!(env!("OUT_DIR"), "/note.rs"));

const NOT_SUPPORTED: u64 = u64::MAX;
/// Where the kernel's command is, and its own pointer that it hands over with it.
const COMMAND: u64 = 0x831f_f000;
const CONTEXT: u64 = 0xffff_8000_8250_b964;
/// SET_DLOAD_MODE as an atomic call with two arguments.
const DLOAD_ATOMIC: u64 = function::SCM_BOOT_SET_DLOAD_MODE.0 as u64;

/// A command as the kernel lays it out.
fn command(service: u32, number: u32, args: &[u32]) -> Vec<u8> {
    let response = 16 + 4 * args.len() as u32;
    let header = [response + 24, 16, response, service << 10 | number];
    let words = header.iter().chain(args).chain(&[0; 6]);
    words.flat_map(|word| word.to_le_bytes()).collect()
}

/// Makes a call by command and returns its code, and the words of the response if it is complete.
fn send(board: &Apq8064, bytes: &[u8], response: u64) -> (u64, Option<[u32; 3]>) {
    let mut platform = FakePlatform::new(2).with_memory(COMMAND, bytes);
    let mut regs = [0xdead; REGS];
    regs[..3].copy_from_slice(&[1, CONTEXT, COMMAND]);
    let after = platform.smc(board, AArch64, &regs);
    assert_eq!(after[1..], regs[1..]);
    let word = |at: u64| {
        let bytes = platform.memory(COMMAND + response + at, 4);
        u32::from_le_bytes(bytes.try_into().expect("four"))
    };
    let complete = (word(8) == 1).then(|| {
        let results = u64::from(word(4));
        [word(results), word(results + 4), word(results + 8)]
    });
    (after[0], complete)
}

#[test]
fn linux_finds_no_smccc() {
    for id in [0xc200_0601, 0x8200_0601] {
        let mut platform = FakePlatform::new(2);
        let board = Apq8064::NEW;
        let after = platform.smc(&board, AArch64, &[id, 1, 0x0200_0601]);
        assert_eq!(after[0], NOT_SUPPORTED);
    }
}

#[test]
fn the_calls_of_scm_are_named() {
    assert_eq!(function::SCM_COMMAND, legacy::BUFFER);
    let call = Function::from_legacy(function::SCM_BOOT_SET_DLOAD_MODE.0 >> 12);
    assert_eq!(call, boot::SET_DLOAD_MODE.function);
}

#[test]
fn is_call_avail_knows_each_call_and_no_other() {
    let board = Apq8064::NEW;
    let there: Vec<u32> = (0..0x1_0000)
        .filter(|&asked| {
            let (code, results) = send(&board, &command(6, 1, &[asked]), 20);
            assert_eq!(code, 0);
            results == Some([1, 0, 0])
        })
        .collect();
    assert_eq!(there, [0x409, 0x410, 0x1801, 0x1803]);
}

#[test]
fn an_atomic_call_switches_download_mode() {
    let (board, mut platform) = (Apq8064::NEW, FakePlatform::new(2));
    for (value, on) in [(0x10, true), (0, false)] {
        let after = platform.smc(&board, AArch64, &[DLOAD_ATOMIC, CONTEXT, 0x10, value]);
        assert_eq!(after[..4], [0; 4]);
        assert_eq!(board.boot.download(), on);
    }
    let after = platform.smc(&board, AArch64, &[DLOAD_ATOMIC, CONTEXT, 0x10, 3]);
    assert_eq!(after[0], (-2_i64).cast_unsigned());
    let after = platform.smc(&board, AArch64, &[DLOAD_ATOMIC + 1, CONTEXT, 0x10, 0]);
    assert_eq!(after[0], (-2_i64).cast_unsigned(), "three arguments");
}

#[test]
fn a_call_is_the_same_by_command() {
    let board = Apq8064::NEW;
    let on = command(1, 0x10, &[0x10, 0x10]);
    assert_eq!(send(&board, &on, 24), (0, Some([0; 3])));
    assert!(board.boot.download());
}

#[test]
fn sdi_goes_off_and_qseecom_has_a_version() {
    let board = Apq8064::NEW;
    assert_eq!(send(&board, &command(1, 9, &[1, 0]), 24), (0, Some([0; 3])));
    assert!(!board.boot.sdi());
    assert_eq!(
        send(&board, &command(6, 3, &[10]), 20),
        (0, Some([QSEECOM, 0, 0]))
    );
}

#[test]
fn there_are_no_wait_queues() {
    // GET_INFO, with no arguments as Linux makes it: service 0x24, command 4.
    let get_info: u64 = (0x24 << 10 | 4) << 12 | 0x220;
    assert_eq!(get_info, 0x0900_4220);
    let (board, mut platform) = (Apq8064::NEW, FakePlatform::new(2));
    let after = platform.smc(&board, AArch64, &[get_info, CONTEXT]);
    assert_eq!(after[..4], [(-4_i64).cast_unsigned(), 0, 0, 0]);
    let asked = command(6, 1, &[0x24 << 10 | 4]);
    assert_eq!(send(&board, &asked, 20), (0, Some([0; 3])));
}

#[test]
fn other_calls_are_not_supported() {
    let board = Apq8064::NEW;
    let unsupported = (-4_i64).cast_unsigned();
    assert_eq!(send(&board, &command(5, 1, &[0]), 20), (unsupported, None));
    // IO_READ of one argument, as an atomic call.
    let mut platform = FakePlatform::new(2);
    let after = platform.smc(&board, AArch64, &[0x0140_1221]);
    assert_eq!(after[..4], [unsupported, 0, 0, 0]);
    for id in [
        0x0041_0022,
        0x0140_1261,
        0x8200_0501,
        0x4200_0200,
        0x4200_0601,
        0xc200_2404,
        0x8400_0050,
    ] {
        let after = platform.smc(&board, AArch64, &[id]);
        assert_eq!(after[0], NOT_SUPPORTED, "{id:#x}");
    }
}

#[test]
fn any_calls_do_no_harm() {
    properties::check::<Apq8064>(&NOTE, AArch64, &[(COMMAND, 0x100)]);
}

proptest! {
    #[test]
    fn only_the_response_is_written(
        words in prop::collection::vec(prop_oneof![0..0x40_u32, any::<u32>()], 16),
        call in prop_oneof![Just(0x1801_u32), Just(0x1803), Just(0x409), any::<u32>()],
        valid in any::<bool>(),
    ) {
        let mut words = words;
        words[3] = call;
        if valid {
            words[..3].copy_from_slice(&[0x40, 16, 0x20]);
        }
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut platform = FakePlatform::new(2).with_memory(COMMAND, &bytes);
        let board = Apq8064::NEW;
        platform.smc(&board, AArch64, &[1, CONTEXT, COMMAND]);
        let (size, response) = (u64::from(words[0]), u64::from(words[2]));
        for (address, length) in platform.written {
            prop_assert!(address >= COMMAND + response);
            prop_assert!(address + length as u64 <= COMMAND + size);
        }
    }
}
