// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls of Linux' mach-artpec, and those that it must not get through.

use std::path::Path;

use fakemon_firmware::Board as _;
use fakemon_firmware::Error;
use fakemon_firmware::Width::AArch32;
use fakemon_firmware::fake::{Asked, FakePlatform, properties};
use fakemon_manifest::{Board, PageKind};

use super::{Artpec6, PL310, SECURE};

include!(concat!(env!("OUT_DIR"), "/note.rs"));

const WRITEREG: u64 = 0xb400_0001;

/// Makes a call as arm_smccc_smc does, returns r0, and expects no other register to change.
#[track_caller]
fn smc(platform: &mut FakePlatform, args: [u64; 3]) -> u64 {
    let mut regs = [0; 13];
    regs[..3].copy_from_slice(&args);
    regs[12] = 0xc130_1f20;
    let after = platform.smc(&Artpec6::NEW, AArch32, &regs);
    assert_eq!(after[1..13], regs[1..]);
    after[0]
}

#[test]
fn the_kernel_writes_the_registers_that_are_not_its_own() {
    for register in SECURE {
        let mut platform = FakePlatform::new(2);
        assert_eq!(smc(&mut platform, [WRITEREG, register, 0xffff_fffe]), 0);
        let written = Asked::MmioWrite(PL310 + register, 4, 0xffff_fffe);
        assert_eq!(platform.asked, [written], "{register:#x}");
    }
}

#[test]
fn nothing_else_is_written() {
    // Maintenance, lockdown and identification, what is no register, and what is no PL310.
    for register in [0, 4, 0x101, 0x110, 0x730, 0x77c, 0x900, 0x1100, 0xffff_f100] {
        let mut platform = FakePlatform::new(2);
        let r0 = smc(&mut platform, [WRITEREG, register, 1]);
        assert_eq!(r0, 0xffff_fffe, "INVALID_PARAMETERS for {register:#x}");
        assert_eq!(platform.asked, []);
    }
}

#[test]
fn a_machine_without_the_controller_is_a_failure() {
    let mut platform = FakePlatform::new(2).answering(|_| Err(Error::InvalidParameters));
    assert_eq!(smc(&mut platform, [WRITEREG, 0x100, 1]), 0xffff_fffa);
}

#[test]
fn other_functions_are_not_supported() {
    for id in [
        0xb400_0000,
        0xb400_0002,
        0xb400_ffff,
        0xf400_0001,
        0x8400_0000,
    ] {
        let mut platform = FakePlatform::new(2);
        assert_eq!(smc(&mut platform, [id, 0x100, 1]), 0xffff_ffff, "{id:#x}");
        assert_eq!(platform.asked, []);
    }
}

#[test]
fn the_controller_is_where_board_toml_puts_it() {
    let board = Board::load(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("a good board");
    let mut pages = board.machine.pages.iter();
    let l2 = pages.find(|page| page.kind == PageKind::Pl310);
    assert_eq!(l2.expect("a PL310").base, PL310);
}

#[test]
fn any_calls_do_no_harm() {
    properties::check::<Artpec6>(&NOTE, AArch32, &[]);
}
