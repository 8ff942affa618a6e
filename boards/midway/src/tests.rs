// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls of Linux' mach-highbank, with the registers as its assembly leaves them.

use std::path::Path;

use fakemon_firmware::Error;
use fakemon_firmware::Width::AArch32;
use fakemon_firmware::fake::{Asked, FakePlatform, properties};
use fakemon_manifest::{Board, PageKind};

use super::function::L2X0_CTRL;
use super::{Midway, PL310_CONTROL};

include!(concat!(env!("OUT_DIR"), "/note.rs"));

/// A stack pointer of the kernel, which is in r12 when it makes a PSCI call.
const STACK: u64 = 0xc130_1f20;
const NOT_SUPPORTED: u64 = 0xffff_ffff;

/// Makes a call with r0 to r3 and r12 as given and expects nothing but r0 to change.
#[track_caller]
fn smc(platform: &mut FakePlatform, args: [u64; 4], r12: u64) -> u64 {
    let mut regs = [0xdead_beef; 13];
    regs[..4].copy_from_slice(&args);
    regs[12] = r12;
    let after = platform.smc(&Midway, AArch32, &regs);
    assert_eq!(after[1..13], regs[1..]);
    after[0]
}

#[test]
fn the_kernel_switches_the_l2_cache_on() {
    let mut platform = FakePlatform::new(4);
    assert_eq!(
        smc(&mut platform, [1, 2, 3, 4], L2X0_CTRL),
        1,
        "the call has no result"
    );
    assert_eq!(platform.asked, [Asked::MmioWrite(PL310_CONTROL, 4, 1)]);
}

#[test]
fn the_controller_is_where_board_toml_puts_it() {
    let board = Board::load(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("a good board.toml");
    let l2 = board
        .machine
        .pages
        .iter()
        .find(|page| page.kind == PageKind::Pl310);
    assert_eq!(l2.expect("a PL310").base + 0x100, PL310_CONTROL);
}

#[test]
fn a_machine_without_the_controller_does_not_disturb_the_kernel() {
    let mut platform = FakePlatform::new(4).answering(|_| Err(Error::InvalidParameters));
    assert_eq!(smc(&mut platform, [1, 2, 3, 4], L2X0_CTRL), 1);
}

#[test]
fn an_l2_value_that_looks_like_psci_is_still_a_value() {
    let mut platform = FakePlatform::new(4);
    smc(&mut platform, [0x8400_0006, 1, 0x8000, 0], L2X0_CTRL);
    assert_eq!(
        platform.asked,
        [Asked::MmioWrite(PL310_CONTROL, 4, 0x8400_0006)]
    );
}

#[test]
fn the_kernel_starts_its_cpus() {
    for cpu in 1..4 {
        let mut platform = FakePlatform::new(4);
        assert_eq!(
            smc(&mut platform, [0x8400_0006, cpu, 0x40_8280, 0], STACK),
            0
        );
        assert_eq!(platform.asked, [Asked::CpuOn(cpu, 0x40_8280, 0)]);
    }
}

#[test]
fn the_kernel_stops_a_cpu() {
    let mut platform = FakePlatform::new(4);
    assert_eq!(
        smc(&mut platform, [0x8400_0004, 0x1_0000, 0, 0], STACK),
        0xffff_fffd,
        "DENIED"
    );
    assert_eq!(platform.asked, [Asked::CpuOff]);
}

#[test]
fn the_kernel_suspends_to_memory() {
    let mut platform = FakePlatform::new(4);
    smc(
        &mut platform,
        [0x8400_0002, 0x0101_0000, 0x40_8300, 0],
        STACK,
    );
    assert_eq!(platform.asked, [Asked::SystemSuspend(0x40_8300, 0)]);
}

#[test]
fn the_kernel_idles() {
    let mut platform = FakePlatform::new(4);
    smc(
        &mut platform,
        [0x8400_0002, 0x0001_0000, 0x40_8300, 0],
        STACK,
    );
    assert_eq!(
        platform.asked,
        [Asked::WaitForInterrupt, Asked::CpuResume(0x40_8300, 0)]
    );
}

#[test]
fn later_psci_and_other_calls_are_not_supported() {
    for id in [
        0x8400_0000,
        0x8400_0001,
        0x8400_0003,
        0x8400_0008,
        0x8400_0050,
        0,
        0x102,
    ] {
        let mut platform = FakePlatform::new(4);
        assert_eq!(
            smc(&mut platform, [id, 0, 0, 0], STACK),
            NOT_SUPPORTED,
            "{id:#x}"
        );
        assert_eq!(platform.asked, []);
    }
}

#[test]
fn any_calls_do_no_harm() {
    properties::check::<Midway>(&NOTE, AArch32, &[]);
}
