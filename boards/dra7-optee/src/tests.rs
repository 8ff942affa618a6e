// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls of Linux' omap_smccc_smc().

use std::path::Path;

use fakemon_firmware::Width::AArch32;
use fakemon_firmware::fake::{Asked, FakePlatform, properties};
use fakemon_firmware::services::omap_monitor;
use fakemon_manifest::Board as Manifest;

use super::*;

include!(concat!(env!("OUT_DIR"), "/note.rs"));

const UNKNOWN: u64 = 0xffff_ffff;

/// The board as it comes out of reset.
fn board() -> Dra7Optee {
    Dra7Optee::NEW
}

/// Makes a call and expects nothing but r0 to change.
#[track_caller]
fn smc(board: &Dra7Optee, platform: &mut FakePlatform, id: u64, value: u64) -> u64 {
    let regs = [id, value, 0, 0, 0, 0, 0, 0];
    let after = platform.smc(board, AArch32, &regs);
    assert_eq!(after[1..8], regs[1..]);
    after[0]
}

#[test]
fn the_kernel_makes_cpus_switch_off_one_by_one() {
    let mut platform = FakePlatform::new(1);
    assert_eq!(smc(&board(), &mut platform, 0x0200_0108, 0x20), 0);
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
    let served = served.map(|number| FunctionId(u32::from(owner::SIP) << 24 | number));
    assert_eq!([SET_ACR, SET_AMBA_IF_MODE, SET_CNTFRQ], served);
}

#[test]
fn the_kernel_sets_the_counters_frequency() {
    let (board, mut platform) = (board(), FakePlatform::new(1));
    assert_eq!(smc(&board, &mut platform, 0x0200_0109, 6_144_000), 0);
    assert_eq!(smc(&board, &mut platform, 0x0200_0107, 0x40), 0);
    let cpu = board.0.0.cpu(0).expect("a CPU");
    assert_eq!((cpu.cntfrq, cpu.acr), (Some(6_144_000), Some(0x40)));
    let event = Asked::LogEvent(0x109, [0, 6_144_000, 0]);
    assert_eq!(platform.asked[0], event);
}

#[test]
fn other_functions_and_other_owners_are_unknown() {
    for id in [
        0x0200_0000,
        0x0200_0071,
        0x0200_0102,
        0x0200_010a,
        0x0200_ffff,
        0x0201_0108,
        0x0300_0108,
        0x8200_0108,
        0x4200_0108,
        0x108,
    ] {
        let mut platform = FakePlatform::new(1);
        assert_eq!(smc(&board(), &mut platform, id, 1), UNKNOWN, "{id:#x}");
        assert_eq!(platform.asked, []);
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
    properties::check::<Dra7Optee>(&NOTE, AArch32, &[]);
}
