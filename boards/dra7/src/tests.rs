// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls of Linux' mach-omap2, with the registers as its assembly leaves them.

use std::path::Path;

use fakemon_firmware::Width::AArch32;
use fakemon_firmware::fake::{Asked, FakePlatform, properties};
use fakemon_firmware::services::omap_monitor;
use fakemon_manifest::Board as Manifest;

use super::*;

include!(concat!(env!("OUT_DIR"), "/note.rs"));

const UNKNOWN: u64 = 0xffff_ffff;

/// The board as it comes out of reset.
fn board() -> Dra7 {
    Dra7::NEW
}

/// Makes a call as `_omap_smc1()` does and expects nothing but r0 to change.
#[track_caller]
fn smc(board: &Dra7, platform: &mut FakePlatform, function: u64, value: u64) -> u64 {
    let mut regs = [0xdead_beef; 13];
    regs[0] = value;
    regs[12] = function;
    let after = platform.smc(board, AArch32, &regs);
    assert_eq!(after[1..13], regs[1..]);
    after[0]
}

#[test]
fn the_kernel_makes_cpus_switch_off_one_by_one() {
    let mut platform = FakePlatform::new(1);
    assert_eq!(smc(&board(), &mut platform, 0x108, 0x20), 0);
    let write = Asked::MmioWrite(AMBA_IF_MODE, 4, 0x20);
    assert_eq!(platform.asked, [write]);
}

#[test]
fn the_monitors_functions_are_named() {
    use function::{SET_ACR, SET_AMBA_IF_MODE, SET_CNTFRQ};
    let served = [
        omap_monitor::SET_ACR,
        omap_monitor::SET_AMBA_IF_MODE,
        omap_monitor::SET_CNTFRQ,
    ];
    let served = served.map(u64::from);
    assert_eq!([SET_ACR, SET_AMBA_IF_MODE, SET_CNTFRQ], served);
}

#[test]
fn the_kernel_sets_the_counters_frequency() {
    let (board, mut platform) = (board(), FakePlatform::new(1));
    assert_eq!(smc(&board, &mut platform, 0x109, 6_144_000), 0);
    assert_eq!(smc(&board, &mut platform, 0x107, 0x8000_0040), 0);
    let cpu = board.0.cpu(0).expect("a CPU");
    assert_eq!((cpu.cntfrq, cpu.acr), (Some(6_144_000), Some(0x8000_0040)));
    let event = Asked::LogEvent(0x109, [0, 6_144_000, 0]);
    assert_eq!(platform.asked[0], event);
}

#[test]
fn a_value_that_looks_like_psci_is_still_a_value() {
    let mut platform = FakePlatform::new(1);
    assert_eq!(smc(&board(), &mut platform, 0x108, 0x8400_0008), 0);
    let write = Asked::MmioWrite(AMBA_IF_MODE, 4, 0x8400_0008);
    assert_eq!(platform.asked, [write]);
}

#[test]
fn other_functions_are_unknown_whatever_r0_holds() {
    // Among them the OMAP4's, and 0x102, for which a CPU would need a hypervisor mode.
    for function in [0, 1, 0x100, 0x102, 0x103, 0x104, 0x105, 0x10a, 0x113] {
        for value in [0, 0x108, 0x0200_0108, 0x8400_0000] {
            let mut platform = FakePlatform::new(1);
            assert_eq!(smc(&board(), &mut platform, function, value), UNKNOWN);
            assert_eq!(platform.asked, []);
        }
    }
}

#[test]
fn the_register_is_where_board_toml_has_it() {
    let board = Manifest::load(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("a good board.toml");
    let mut pages = board.machine.pages.iter();
    let page = pages.find(|page| page.name == "amba-if-mode");
    assert_eq!(page.expect("a page of this name").base, AMBA_IF_MODE);
}

#[test]
fn any_calls_do_no_harm() {
    properties::check::<Dra7>(&NOTE, AArch32, &[]);
}
