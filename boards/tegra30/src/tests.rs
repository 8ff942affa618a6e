// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls of Linux' Trusted Foundations driver, and ones that it does not make.

use std::path::Path;

use fakemon_firmware::Board as _;
use fakemon_firmware::Width::AArch32;
use fakemon_firmware::fake::{Asked, FakePlatform, properties};
use fakemon_manifest::{Board, PageKind};

use super::cache::{
    ALL_WAYS, AUXILIARY, CLEAN_AND_INVALIDATE_WAYS, CONTROL, INVALIDATE_WAYS, PL310, SYNC,
};
use super::{RESET_VECTOR, Tegra30, function, idle, maintenance};

include!(concat!(env!("OUT_DIR"), "/note.rs"));

const AUX: u64 = 0x7e48_0000;
const NOT_SUPPORTED: u64 = 0xffff_ffff;
const INVALID_PARAMETERS: u64 = 0xffff_fffe;
const IS_ON: Asked = Asked::MmioRead(CONTROL, 4);

const VECTORS: u64 = 0x6000_f000;

/// A machine whose cache is on or off.
fn machine(on: u64) -> FakePlatform {
    FakePlatform::new(4)
        .with_memory(VECTORS, &[0; 0x1000])
        .answering(move |asked| match asked {
            Asked::MmioRead(CONTROL, _) => Ok([on, 0, 0, 0]),
            _ => Ok([0; 4]),
        })
}

/// Makes a call as tf_generic_smc does, returns r0, and expects no other register to change.
#[track_caller]
fn smc(platform: &mut FakePlatform, args: [u64; 3]) -> u64 {
    let mut regs = [0xdead_beef; 13];
    regs[..3].copy_from_slice(&args);
    (regs[3], regs[4]) = (0, 0);
    let after = platform.smc(&Tegra30::NEW, AArch32, &regs);
    assert_eq!(after[1..13], regs[1..]);
    after[0]
}

/// Where CPUs come out of reset, if the call was about that and nothing else in memory.
#[track_caller]
fn reset_vector(platform: &FakePlatform) -> u32 {
    assert_eq!(platform.written, [(RESET_VECTOR, 4)]);
    let bytes = platform.memory(RESET_VECTOR, 4);
    u32::from_le_bytes(bytes.try_into().expect("four bytes"))
}

fn write(register: u64, value: u64) -> Asked {
    Asked::MmioWrite(register, 4, value)
}

#[test]
fn the_kernel_says_where_cpus_come_out_of_reset() {
    let mut platform = machine(0);
    let r0 = smc(
        &mut platform,
        [function::TF_SET_CPU_BOOT_ADDR, 0x4000_0040, 0],
    );
    assert_eq!(
        r0,
        function::TF_SET_CPU_BOOT_ADDR,
        "an input of the kernel's asm"
    );
    assert_eq!(reset_vector(&platform), 0x4000_0040);
}

#[test]
fn the_kernel_switches_the_cache_on_and_off() {
    let mut platform = machine(0);
    let r0 = smc(
        &mut platform,
        [function::TF_CACHE_MAINT, maintenance::ENABLE, AUX],
    );
    assert_eq!(r0, function::TF_CACHE_MAINT);
    let on = [
        IS_ON,
        write(AUXILIARY, AUX),
        write(INVALIDATE_WAYS, ALL_WAYS),
        write(SYNC, 0),
        write(CONTROL, 1),
    ];
    assert_eq!(platform.asked, on);

    let mut platform = machine(1);
    smc(
        &mut platform,
        [function::TF_CACHE_MAINT, maintenance::DISABLE, 0xff],
    );
    let off = [
        IS_ON,
        write(CLEAN_AND_INVALIDATE_WAYS, 0xff),
        write(SYNC, 0),
        write(CONTROL, 0),
    ];
    assert_eq!(platform.asked, off);
}

#[test]
fn a_cache_that_comes_back_keeps_its_content() {
    let mut platform = machine(0);
    smc(
        &mut platform,
        [function::TF_CACHE_MAINT, maintenance::REENABLE, AUX],
    );
    assert_eq!(
        platform.asked,
        [IS_ON, write(AUXILIARY, AUX), write(CONTROL, 1)]
    );
}

#[test]
fn what_is_done_already_is_not_done_again() {
    for (on, operation) in [
        (1, maintenance::ENABLE),
        (1, maintenance::REENABLE),
        (0, maintenance::DISABLE),
    ] {
        let mut platform = machine(on);
        smc(&mut platform, [function::TF_CACHE_MAINT, operation, 0]);
        assert_eq!(platform.asked, [IS_ON], "{operation}");
    }
}

#[test]
fn an_idle_state_takes_the_cache_along_unless_it_says_no() {
    for state in [idle::S1, idle::S2, idle::S2_NO_MC_CLOCK, idle::S3] {
        let mut platform = machine(1);
        assert_eq!(
            smc(&mut platform, [function::TF_CPU_PM, state, 0x4000_0080]),
            function::TF_CPU_PM
        );
        assert_eq!(platform.asked[3], write(CONTROL, 0), "{state:#x}");
        assert_eq!(reset_vector(&platform), 0x4000_0080);
    }
    let mut platform = machine(1);
    smc(
        &mut platform,
        [function::TF_CPU_PM, idle::S1_NO_FLUSH, 0x4000_0080],
    );
    assert_eq!(platform.asked, []);
    assert_eq!(reset_vector(&platform), 0x4000_0080);
}

#[test]
fn a_cpu_that_comes_back_says_so() {
    let mut platform = machine(0);
    assert_eq!(
        smc(&mut platform, [function::TF_RESUME, 5, 6]),
        function::TF_RESUME
    );
    assert_eq!(platform.asked, []);
}

#[test]
fn other_calls_are_refused_and_do_nothing() {
    for kind in [
        0,
        1,
        2,
        4,
        0xffff_f000,
        0xffff_f101,
        0xffff_f300,
        0xffff_ffff,
    ] {
        let mut platform = machine(1);
        assert_eq!(smc(&mut platform, [kind, 1, 1]), NOT_SUPPORTED, "{kind:#x}");
        assert_eq!((platform.asked.len(), platform.written.len()), (0, 0));
    }
    for (kind, first) in [
        (function::TF_CACHE_MAINT, 0),
        (function::TF_CACHE_MAINT, 3),
        (function::TF_CPU_PM, 0),
        (function::TF_CPU_PM, 0xffff_ffe8),
    ] {
        let mut platform = machine(1);
        assert_eq!(smc(&mut platform, [kind, first, 1]), INVALID_PARAMETERS);
        assert_eq!((platform.asked.len(), platform.written.len()), (0, 0));
    }
}

#[test]
fn the_devices_are_where_board_toml_puts_them() {
    let board = Board::load(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("a good board");
    let page = |kind| board.machine.pages.iter().find(|page| page.kind == kind);
    assert_eq!(page(PageKind::Pl310).expect("a PL310").base, PL310);
    assert_eq!(
        page(PageKind::Ram).expect("vectors").base + 0x100,
        RESET_VECTOR
    );
}

#[test]
fn any_calls_do_no_harm() {
    properties::check::<Tegra30>(&NOTE, AArch32, &[(VECTORS, 0x1000)]);
}
