// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls of Linux' stm32_rproc and stm32-romem, and what else the services offer.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

use fakemon_firmware::Error;
use fakemon_firmware::Width::AArch32;
use fakemon_firmware::fake::{Asked, FakePlatform, properties};
use fakemon_manifest::{Board as Manifest, PageKind};

use super::bsec::{PROGRAM, READ_FUSES, READ_SHADOW, WRITE_SHADOW};
use super::rcc::{BASE, BOOT_MCU, CLEAR, MP_CIER, MP_CIFR, MP_GCR, SET, WKUP, WRITE};
use super::*;

include!(concat!(env!("OUT_DIR"), "/note.rs"));

const OK: u64 = 0;
const UNSUPPORTED: u64 = 0xffff_ffff;
const FAILED: u64 = 0xffff_fffe;
const INVALID: u64 = 0xffff_fffd;

/// A platform whose bus has one register, and that register.
fn bus(address: u32, value: u32) -> (FakePlatform, Rc<Cell<u32>>) {
    let register = Rc::new(Cell::new(value));
    let shared = register.clone();
    let platform = FakePlatform::new(2).answering(move |asked| {
        match asked {
            Asked::MmioRead(at, 4) => assert_eq!(at, address.into()),
            Asked::MmioWrite(at, 4, value) => {
                assert_eq!(at, address.into());
                shared.set(value as u32);
            }
            other => panic!("no access to the register: {other:?}"),
        }
        Ok([shared.get().into(), 0, 0, 0])
    });
    (platform, register)
}

/// The board as it comes out of reset.
fn board() -> Stm32Mp1 {
    Stm32Mp1::NEW
}

/// Makes a call and returns r0 and r1; nothing after them changes.
#[track_caller]
fn smc(
    board: &Stm32Mp1,
    platform: &mut FakePlatform,
    id: FunctionId,
    args: [u32; 3],
) -> (u64, u64) {
    let [a, b, c] = args.map(u64::from);
    let regs = [id.0.into(), a, b, c, 4, 5, 6, 7];
    let after = platform.smc(board, AArch32, &regs);
    assert_eq!(after[2..8], regs[2..]);
    (after[0], after[1])
}

#[test]
fn the_kernel_finds_the_socs_identity() {
    let (board, mut platform) = (board(), FakePlatform::new(2));
    let mut arch = |number: u32, arg| {
        let id = FunctionId(0x8000_0000 | number);
        smc(&board, &mut platform, id, [arg, 2, 3])
    };
    assert_eq!(arch(0, 0), (0x1_0002, 0));
    assert_eq!(arch(1, 0x8000_0002), (0, 0x8000_0002));
    assert_eq!(arch(2, 0), (0x20_0500, 0));
    assert_eq!(arch(2, 1), (0x2000, 1));
    assert_eq!(arch(2, 2), (INVALID, 2));
}

#[test]
fn the_kernel_releases_the_m4_and_holds_it() {
    // 6.12 gives no register; kernels before gave its offset; its address will do as well.
    for place in [0, MP_GCR, BASE | MP_GCR] {
        let (mut platform, register) = bus(BASE | MP_GCR, 0xffff_fff0);
        let board = board();
        for value in [BOOT_MCU, 0] {
            let (code, _) = smc(&board, &mut platform, STM32_SMC_RCC, [WRITE, place, value]);
            assert_eq!(code, OK);
            assert_eq!(register.get(), 0xffff_fff0 | value);
        }
    }
}

#[test]
fn bits_are_written_set_and_cleared_one_by_one() {
    let (mut platform, register) = bus(BASE | MP_CIER, 0x1);
    let board = board();
    let mut call = |request, value| {
        smc(
            &board,
            &mut platform,
            STM32_SMC_RCC,
            [request, MP_CIER, value],
        )
        .0
    };
    for (request, value, after) in [
        (SET, u32::MAX, 0x1 | WKUP),
        (SET, 0, 0x1 | WKUP),
        (CLEAR, WKUP, 0x1),
        (WRITE, u32::MAX, 0x1 | WKUP),
        (CLEAR, !WKUP, 0x1 | WKUP),
        (WRITE, 0, 0x1),
    ] {
        assert_eq!(call(request, value), OK);
        assert_eq!(register.get(), after);
    }
    assert_eq!(call(4, 0), INVALID);
    assert_eq!(register.get(), 0x1);
}

#[test]
fn the_wake_up_flag_is_clear_already() {
    let mut platform = FakePlatform::new(2);
    let call = smc(
        &board(),
        &mut platform,
        STM32_SMC_RCC,
        [WRITE, MP_CIFR, WKUP],
    );
    assert_eq!(call.0, OK);
    assert_eq!(platform.asked, []);
}

#[test]
fn no_other_register_changes() {
    for place in [
        4,
        0x108,
        0x404,
        0xffc,
        0x1000,
        BASE | 0x404,
        0x5000_110c,
        u32::MAX,
    ] {
        let mut platform = FakePlatform::new(2);
        let call = smc(&board(), &mut platform, STM32_SMC_RCC, [WRITE, place, 1]);
        assert_eq!(call.0, INVALID, "{place:#x}");
        assert_eq!(platform.asked, []);
    }
}

#[test]
fn a_machine_without_the_register_is_a_failure() {
    let mut platform = FakePlatform::new(2).answering(|_| Err(Error::InvalidParameters));
    let call = smc(&board(), &mut platform, STM32_SMC_RCC, [WRITE, MP_GCR, 1]);
    assert_eq!(call.0, FAILED);
}

#[test]
fn a_fuse_once_blown_stays_so() {
    let (board, mut platform) = (board(), FakePlatform::new(2));
    let mut call = |request, word, value| {
        smc(
            &board,
            &mut platform,
            STM32_SMC_BSEC,
            [request, word, value],
        )
    };
    assert_eq!(call(READ_FUSES, 20, 0), (OK, 0));
    assert_eq!(call(PROGRAM, 20, 0x11), (OK, 0));
    assert_eq!(call(PROGRAM, 20, 0x100), (OK, 0));
    assert_eq!(call(READ_FUSES, 20, 0), (OK, 0x111));
    assert_eq!(call(READ_SHADOW, 20, 0), (OK, 0), "loaded at reset");
}

#[test]
fn an_upper_word_is_programmed_once() {
    let (board, mut platform) = (board(), FakePlatform::new(2));
    let mut call = |request, word, value| {
        smc(
            &board,
            &mut platform,
            STM32_SMC_BSEC,
            [request, word, value],
        )
    };
    assert_eq!(call(PROGRAM, 57, 0x4433_2211), (OK, 0));
    assert_eq!(call(PROGRAM, 57, 0x8000_0000), (FAILED, 0));
    assert_eq!(call(READ_FUSES, 57, 0), (OK, 0x4433_2211));
}

#[test]
fn a_shadow_is_written_and_its_fuses_are_not() {
    let (board, mut platform) = (board(), FakePlatform::new(2));
    let mut call = |request, word, value| {
        smc(
            &board,
            &mut platform,
            STM32_SMC_BSEC,
            [request, word, value],
        )
    };
    assert_eq!(call(READ_SHADOW, 0, 0), (OK, 0x17));
    assert_eq!(call(WRITE_SHADOW, 0, 0x57), (OK, 0));
    assert_eq!(call(READ_SHADOW, 0, 0), (OK, 0x57));
    assert_eq!(call(READ_FUSES, 0, 0), (OK, 0x17));
}

#[test]
fn there_are_96_words_and_four_requests() {
    let (board, mut platform) = (board(), FakePlatform::new(2));
    let mut call = |request, word| smc(&board, &mut platform, STM32_SMC_BSEC, [request, word, 1]);
    for word in [96, 0x8000_0000, u32::MAX] {
        assert_eq!(call(READ_SHADOW, word), (FAILED, READ_SHADOW.into()));
        for request in [PROGRAM, WRITE_SHADOW, READ_FUSES] {
            assert_eq!(call(request, word), (FAILED, 0));
        }
    }
    assert_eq!(call(READ_SHADOW, 95), (OK, 0));
    // r1 stays what it was: the request.
    for request in [0, 5, 6, 7, u32::MAX] {
        assert_eq!(call(request, 0), (INVALID, request.into()));
    }
}

#[test]
fn other_functions_of_the_owner_are_not_supported() {
    for id in [
        0x8200_1001,
        0x8200_1002,
        0x8200_1004,
        0x8200_10ff,
        0xc200_1000,
    ] {
        let mut platform = FakePlatform::new(2);
        let call = smc(&board(), &mut platform, FunctionId(id), [1, 0x10c, 1]);
        assert_eq!(call.0, UNSUPPORTED, "{id:#x}");
        assert_eq!(platform.asked, []);
    }
}

#[test]
fn psci_is_there() {
    let mut platform = FakePlatform::new(2);
    let version = platform.smc(&board(), AArch32, &[0x8400_0000])[0];
    assert_eq!(version, 0x1_0001);
}

#[test]
fn the_board_has_its_registers_where_the_firmware_looks() {
    let board = Manifest::load(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("a good board.toml");
    let mut pages = board.machine.pages.iter();
    let rcc = pages
        .find(|page| page.name == "rcc")
        .expect("a page of this name");
    assert_eq!((rcc.base, rcc.kind), (BASE.into(), PageKind::Ram));
}

#[test]
fn any_calls_do_no_harm() {
    properties::check::<Stm32Mp1>(&NOTE, AArch32, &[]);
}
