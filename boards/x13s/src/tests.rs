// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls that Linux' drivers make on a ThinkPad X13s, with their registers and buffers.

use std::path::Path;

use fakemon_firmware::Width::AArch64;
use fakemon_firmware::abi::frame::REGS;
use fakemon_firmware::fake::{FakePlatform, properties};
use fakemon_firmware::services::qcom_scm::Function;
use fakemon_manifest::{Board as Manifest, PageKind};
use proptest::prelude::*;

use super::*;

include!(concat!(env!("OUT_DIR"), "/note.rs"));

const NOT_SUPPORTED: u64 = u64::MAX;
/// A page that Linux shares with the secure side.
const SHARED: u64 = 0x8320_2000;
/// Memory to give to the modem.
const RMTFS: u64 = 0x9800_0000;
const TCSR: u64 = 0x01fc_0000;

fn platform() -> FakePlatform {
    FakePlatform::new(2)
        .with_memory(SHARED, &[0; 0x2000])
        .with_memory(RMTFS, &[0; 0x2000])
        .with_memory(TCSR, &vec![0; 0x30000])
}

/// Puts 64-bit words into guest memory.
fn put(platform: &mut FakePlatform, address: u64, words: &[u64]) {
    use fakemon_firmware::Platform;
    for (n, word) in words.iter().enumerate() {
        platform
            .write_memory(address + 8 * n as u64, &word.to_le_bytes())
            .expect("guest memory");
    }
    platform.written.clear();
}

fn smc(board: &X13s, platform: &mut FakePlatform, regs: &[u64]) -> [u64; REGS] {
    platform.smc(board, AArch64, regs)
}

#[test]
fn linux_finds_the_64_bit_convention() {
    let (board, mut platform) = (X13s::NEW, platform());
    let asked = 0x0200_0601;
    assert_eq!(
        smc(&board, &mut platform, &[0xc200_0601, 1, asked])[..4],
        [0, 1, 0, 0]
    );
    assert_eq!(
        smc(&board, &mut platform, &[0x8200_0601, 1, asked])[0],
        NOT_SUPPORTED
    );
}

#[test]
fn the_calls_of_scm_are_named() {
    let named = [
        (function::SCM_BOOT_SDI_CONFIG, boot::SDI_CONFIG),
        (function::SCM_INFO_VERSION, qseecom::VERSION),
        (function::SCM_MP_ASSIGN, assign::ASSIGN),
        (function::SCM_IO_READ, io::READ),
        (function::SCM_IO_WRITE, io::WRITE),
        (function::QSEECOM_APP_LOOKUP, qseecom::APP_LOOKUP),
        (function::QSEECOM_APP_SEND, qseecom::APP_SEND),
    ];
    for (id, call) in named {
        assert_eq!(Function::from_smccc(id), call.function);
    }
}

#[test]
fn is_call_avail_knows_each_call_and_no_other() {
    let (board, mut platform) = (X13s::NEW, platform());
    for owner in 0..64 {
        let there: Vec<u64> = (0..=0xffff)
            .filter(|number| {
                let asked = owner << 24 | number;
                smc(&board, &mut platform, &[0x4200_0601, 1, asked])[1] == 1
            })
            .collect();
        let expected: &[u64] = match owner {
            2 => &[0x109, 0x501, 0x502, 0x601, 0x603, 0xc16],
            48 => &[1],
            50 => &[0x103],
            _ => &[],
        };
        assert_eq!(there, expected, "owner {owner}");
    }
}

#[test]
fn download_mode_is_in_its_register() {
    let (board, mut platform) = (X13s::NEW, platform());
    let register = DOWNLOAD_MODE;
    let write = [0xc200_0502, 2, register, 0x10];
    assert_eq!(smc(&board, &mut platform, &write)[0], 0);
    assert_eq!(platform.written, [(register, 4)]);
    assert_eq!(
        smc(&board, &mut platform, &[0xc200_0501, 1, register])[..2],
        [0, 0x10]
    );
    let other = smc(&board, &mut platform, &[0xc200_0501, 1, register + 4]);
    assert_eq!(other[0], (-3_i64).cast_unsigned());
}

#[test]
fn the_register_is_in_the_page_of_board_toml() {
    let board = Manifest::load(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("a good board.toml");
    let holds = board.machine.pages.iter().any(|page| {
        page.kind == PageKind::Ram && (page.base..page.base + page.size).contains(&DOWNLOAD_MODE)
    });
    assert!(holds);
}

#[test]
fn sdi_goes_off() {
    let (board, mut platform) = (X13s::NEW, platform());
    assert!(board.boot.sdi());
    assert_eq!(
        smc(&board, &mut platform, &[0x4200_0109, 2, 1, 0])[..4],
        [0; 4]
    );
    assert!(!board.boot.sdi());
}

#[test]
fn linux_finds_the_application_of_uefis_variables() {
    let (board, mut platform) = (X13s::NEW, platform());
    assert_eq!(
        smc(&board, &mut platform, &[0x4200_0603, 1, 10])[..2],
        [0, 0x140_2000]
    );
    let mut name = *b"qcom.tz.uefisecapp\0\0\0\0\0\0";
    let words = |name: &[u8; 24]| {
        let word = |n: usize| u64::from_le_bytes(name[8 * n..8 * n + 8].try_into().expect("eight"));
        [word(0), word(1), word(2)]
    };
    put(&mut platform, SHARED, &words(&name));
    let lookup = [0x7200_0103, 0x22, SHARED, 18];
    assert_eq!(smc(&board, &mut platform, &lookup)[..4], [0, 0, 0xee01, 1]);
    name[0] = b'x';
    put(&mut platform, SHARED, &words(&name));
    assert_eq!(
        smc(&board, &mut platform, &lookup)[..4],
        [0, 0xffff_ffff, 0, 0]
    );
}

#[test]
fn uefi_variables_answer_a_query_whose_last_two_arguments_are_in_a_list() {
    let (board, mut platform) = (X13s::NEW, platform());
    let (list, request, response) = (SHARED + 0x1000, SHARED, SHARED + 0x10);
    put(&mut platform, list, &[response, 40]);
    put(&mut platform, request, &[12 << 32 | 0x8003, 7]);
    let send = [0x7000_0001, 0x885, 1, request, 12, list];
    assert_eq!(smc(&board, &mut platform, &send)[..4], [0; 4]);
    let word = |at: usize| {
        let bytes = platform.memory(response + 8 * at as u64, 8);
        u64::from_le_bytes(bytes.try_into().expect("eight"))
    };
    assert_eq!(word(0), 40 << 32 | 0x8003);
    assert_eq!((word(1), word(2)), (0, 0x1000));
    for (address, size) in platform.written {
        assert!(address >= response && address + size as u64 <= response + 40);
    }
}

#[test]
fn the_modem_gets_memory_and_gives_it_back() {
    let (board, mut platform) = (X13s::NEW, platform());
    let (stretch, present, new) = (SHARED + 0x40, SHARED, SHARED + 0x80);
    put(&mut platform, present, &[3]);
    put(&mut platform, stretch, &[RMTFS, 0x2000]);
    put(&mut platform, new, &[6 << 32 | 3, 0, 0, 6 << 32 | 15, 0, 0]);
    put(&mut platform, SHARED + 0x1000, &[4, new, 48, 0]);
    let assign = [0x4200_0c16, 0x1117, stretch, 16, present, SHARED + 0x1000];
    assert_eq!(smc(&board, &mut platform, &assign)[..4], [0; 4]);
    assert_eq!(board.assignments.owners(RMTFS, 0x2000), 1 << 15 | 1 << 3);
    let again = smc(&board, &mut platform, &assign);
    assert_eq!(again[0], (-2_i64).cast_unsigned(), "it is not HLOS's alone");
    put(&mut platform, present, &[15 << 32 | 3]);
    put(&mut platform, SHARED + 0x1000, &[8, new, 24, 0]);
    assert_eq!(smc(&board, &mut platform, &assign)[0], 0);
    assert_eq!(board.assignments.owners(RMTFS, 0x2000), 1 << 3);
    assert_eq!(platform.written, []);
}

#[test]
fn there_are_no_wait_queues() {
    let (board, mut platform) = (X13s::NEW, platform());
    // GET_WQ_CTX and GET_INFO, with no arguments as Linux makes them.
    for id in [0xc200_2403, 0xc200_2404] {
        let answer = smc(&board, &mut platform, &[id, 0]);
        assert_eq!(answer[..4], [NOT_SUPPORTED, 0, 0, 0], "{id:#x}");
    }
    assert_eq!(
        smc(&board, &mut platform, &[0x4200_0601, 1, 0x0200_2404])[..2],
        [0, 0]
    );
}

#[test]
fn other_calls_are_not_supported() {
    for id in [
        0x4200_0110,
        0x4200_0207,
        0x4200_0c1c,
        0x7000_0002,
        0x7200_0101,
        0x8200_0501,
        0x8400_0050,
        0xc300_0601,
        1,
    ] {
        let (board, mut platform) = (X13s::NEW, platform());
        assert_eq!(
            smc(&board, &mut platform, &[id])[0],
            NOT_SUPPORTED,
            "{id:#x}"
        );
    }
}

#[test]
fn any_calls_do_no_harm() {
    properties::check::<X13s>(&NOTE, AArch64, &[(SHARED, 0x100), (TCSR, 0x100)]);
}

proptest! {
    #[test]
    fn only_the_response_is_written(
        words in prop::collection::vec(prop_oneof![0..0x60_u64, any::<u64>()], 16),
        command in 0..4_u64,
        room in 0..0x60_u64,
    ) {
        let (board, mut platform) = (X13s::NEW, platform());
        let (list, request, response) = (SHARED + 0x1000, SHARED, SHARED + 0x200);
        put(&mut platform, list, &[response, room]);
        put(&mut platform, request, &words);
        put(&mut platform, request, &[128 << 32 | 0x8000 | command]);
        smc(&board, &mut platform, &[0x7000_0001, 0x885, 1, request, 128, list]);
        for (address, size) in platform.written {
            prop_assert!(address >= response && address + size as u64 <= response + room);
        }
    }
}
