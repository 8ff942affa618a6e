// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls of Linux' mach-bcm, and what it must never see.

use std::path::Path;

use fakemon_firmware::Board as _;
use fakemon_firmware::Error;
use fakemon_firmware::Width::AArch32;
use fakemon_firmware::fake::{Asked, FakePlatform, properties};
use fakemon_manifest::{Board, PageKind};

use super::function::SSAPI_ENABLE_L2_CACHE;
use super::{CONTROL, INVALIDATE_WAYS, Kona, PL310};

include!(concat!(env!("OUT_DIR"), "/note.rs"));

const BUFFER: u64 = 0x3404_c000;

/// A machine whose level 2 cache controller is on or off.
fn machine(on: u64) -> FakePlatform {
    FakePlatform::new(2)
        .with_memory(BUFFER, &[0; 0x400])
        .answering(move |asked| match asked {
            Asked::MmioRead(CONTROL, _) => Ok([on, 0, 0, 0]),
            _ => Ok([0; 4]),
        })
}

/// Calls service `r4` with a buffer at `r6`; returns r0 and r12, and expects no other register to
/// change.
#[track_caller]
fn smc(platform: &mut FakePlatform, r4: u64, r6: u64) -> (u64, u64) {
    let mut regs = [0xdead_beef; 13];
    (regs[4], regs[5], regs[6]) = (r4, 3, r6);
    let after = platform.smc(&Kona::NEW, AArch32, &regs);
    assert_eq!(after[1..12], regs[1..12]);
    (after[0], after[12])
}

#[test]
fn the_kernel_switches_the_l2_cache_on() {
    let mut platform = machine(0);
    assert_eq!(smc(&mut platform, SSAPI_ENABLE_L2_CACHE, BUFFER), (1, 1));
    assert_eq!(
        platform.asked,
        [
            Asked::MmioRead(CONTROL, 4),
            Asked::MmioWrite(INVALIDATE_WAYS, 4, 0xffff),
            Asked::MmioWrite(CONTROL, 4, 1),
        ]
    );
}

#[test]
fn a_cache_that_is_on_keeps_its_content() {
    let mut platform = machine(1);
    assert_eq!(smc(&mut platform, SSAPI_ENABLE_L2_CACHE, BUFFER), (1, 1));
    assert_eq!(platform.asked, [Asked::MmioRead(CONTROL, 4)]);
}

#[test]
fn a_service_that_is_not_there_fails_and_the_monitor_does_not() {
    for service in [0, 1, 0x0100_0000, 0x0100_0001, 0x0100_0003, 0xffff_ffff] {
        let mut platform = machine(0);
        assert_eq!(smc(&mut platform, service, BUFFER), (0, 1), "{service:#x}");
        assert_eq!(platform.asked, []);
    }
}

#[test]
fn a_buffer_that_is_not_memory_fails() {
    for buffer in [0, BUFFER - 4, BUFFER + 0x3f4, 0xffff_fff8] {
        let mut platform = machine(0);
        assert_eq!(
            smc(&mut platform, SSAPI_ENABLE_L2_CACHE, buffer),
            (0, 1),
            "{buffer:#x}"
        );
        assert_eq!(platform.asked, []);
    }
}

#[test]
fn a_machine_without_the_controller_fails() {
    let mut platform = machine(0).answering(|_| Err(Error::InvalidParameters));
    assert_eq!(smc(&mut platform, SSAPI_ENABLE_L2_CACHE, BUFFER), (0, 1));
}

#[test]
fn other_cpus_are_refused() {
    let mut platform = machine(0);
    platform.cpu = 1;
    assert_eq!(
        smc(&mut platform, SSAPI_ENABLE_L2_CACHE, BUFFER),
        (0xdead_beef, 0)
    );
    assert_eq!(platform.asked, []);
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
    properties::check::<Kona>(&NOTE, AArch32, &[(BUFFER, 0x400)]);
}
