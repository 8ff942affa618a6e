// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What Linux' exynos-pmu asks, for a watchdog, a restart and a power-off.

use fakemon_firmware::Width::AArch64;
use fakemon_firmware::fake::{Asked, FakePlatform, properties};
use proptest::prelude::*;

use super::*;
use crate::pmu::BASE;

include!(concat!(env!("OUT_DIR"), "/note.rs"));

const PMU: u64 = 0x8200_0504;
const READ: u64 = 0;
const WRITE: u64 = 1;
const MODIFY: u64 = 2;
const NOT_SUPPORTED: u64 = u64::MAX;
/// -22, all 64 bits of it.
const EINVAL: u64 = u64::MAX - 21;
const SIZE: usize = 0x1_0000;

fn platform() -> FakePlatform {
    FakePlatform::new(2).with_memory(BASE, &vec![0; SIZE])
}

/// Makes a call for the register at `offset` and returns x0.
fn pmu(board: &Gs101, platform: &mut FakePlatform, offset: u64, args: [u64; 3]) -> u64 {
    let [command, first, second] = args;
    let regs = [PMU, BASE + offset, command, first, second];
    let after = platform.smc(board, AArch64, &regs);
    assert_eq!(after[1..5], regs[1..], "only x0 is a result");
    after[0]
}

/// What the guest reads at `offset`.
fn shown(platform: &FakePlatform, offset: u64) -> Vec<u8> {
    platform.memory(BASE + offset, 4)
}

#[test]
fn the_watchdogs_bits_are_set_and_cleared_and_others_stay() {
    let (board, mut platform) = (Gs101::NEW, platform());
    for bit in [2, 31] {
        assert_eq!(pmu(&board, &mut platform, 0xd244, [WRITE, bit, 0]), 0);
    }
    assert_eq!(shown(&platform, 0x1244), [4, 0, 0, 0x80]);
    assert_eq!(pmu(&board, &mut platform, 0x9244, [WRITE, 2, 0]), 0);
    assert_eq!(shown(&platform, 0x1244), [0, 0, 0, 0x80]);
    assert_eq!(
        pmu(&board, &mut platform, 0x1244, [READ, 0, 0]),
        0x8000_0000
    );
    assert_eq!(pmu(&board, &mut platform, 0x1220, [READ, 0, 0]), 0);
}

#[test]
fn a_mode_for_the_boot_loader_changes_the_bits_of_its_mask_alone() {
    let (board, mut platform) = (Gs101::NEW, platform());
    assert_eq!(
        pmu(&board, &mut platform, 0x810, [WRITE, 0x1234_5678, 0]),
        0
    );
    assert_eq!(pmu(&board, &mut platform, 0x810, [MODIFY, 0xff, 0xffaa]), 0);
    assert_eq!(pmu(&board, &mut platform, 0x810, [READ, 0, 0]), 0x1234_56aa);
    assert_eq!(shown(&platform, 0x810), [0xaa, 0x56, 0x34, 0x12]);
}

#[test]
fn what_the_guest_writes_into_its_view_does_not_count() {
    let board = Gs101::NEW;
    pmu(&board, &mut platform(), 0x810, [WRITE, 1, 0]);
    let mut forged = FakePlatform::new(2).with_memory(BASE, &[0xff; SIZE]);
    assert_eq!(pmu(&board, &mut forged, 0x810, [MODIFY, 2, 2]), 0);
    assert_eq!(pmu(&board, &mut forged, 0x810, [READ, 0, 0]), 3);
}

#[test]
fn linux_restarts() {
    let (board, mut platform) = (Gs101::NEW, platform());
    assert_eq!(pmu(&board, &mut platform, 0x3a00, [MODIFY, 2, 0]), 0);
    assert_eq!(platform.asked, [], "the bit is not set");
    assert_eq!(pmu(&board, &mut platform, 0x3a00, [MODIFY, 2, 2]), 0);
    assert_eq!(platform.asked, [Asked::SystemReset(0, 0)]);
}

#[test]
fn linux_powers_off() {
    let (board, mut platform) = (Gs101::NEW, platform());
    assert_eq!(pmu(&board, &mut platform, 0xfe9c, [WRITE, 8, 0]), 0);
    assert_eq!(pmu(&board, &mut platform, 0xbe9c, [WRITE, 7, 0]), 0);
    assert_eq!(platform.asked, [], "the power is held");
    assert_eq!(pmu(&board, &mut platform, 0xbe9c, [WRITE, 8, 0]), 0);
    assert_eq!(platform.asked, [Asked::SystemOff]);
}

#[test]
fn addresses_that_are_not_for_others_to_write_are_refused() {
    let board = Gs101::NEW;
    let mut platform = platform();
    for offset in [
        // No register of the list, RST_STAT, between two, beside one, above the unit.
        0x0, 0x3b44, 0x3ea0, 0x3e9d, 0x4810, 0x5244, 0x1_0000, 0x1_1244,
        // Registers without single bits.
        0x8810, 0xc810, 0xba00, 0xfa00,
    ] {
        for command in [READ, WRITE, MODIFY] {
            let code = pmu(&board, &mut platform, offset, [command, 1, 1]);
            assert_eq!(code, EINVAL, "{offset:#x} {command}");
        }
    }
    for address in [0, 0x810, BASE - 4, 0x8000_0810, u64::MAX] {
        let after = platform.smc(&board, AArch64, &[PMU, address, WRITE, 1]);
        assert_eq!(after[0], EINVAL, "{address:#x}");
    }
    assert_eq!(platform.written, []);
}

#[test]
fn commands_that_make_no_sense_are_refused() {
    let (board, mut platform) = (Gs101::NEW, platform());
    for (offset, args) in [
        (0x810, [3, 1, 1]),
        (0x810, [0xffff_ffff, 1, 1]),
        (0xd244, [WRITE, 32, 0]),
        (0x9244, [WRITE, 0xffff_ffff, 0]),
        (0xd244, [MODIFY, 1, 1]),
        (0xd244, [READ, 0, 0]),
    ] {
        assert_eq!(
            pmu(&board, &mut platform, offset, args),
            EINVAL,
            "{args:x?}"
        );
    }
    assert_eq!(platform.written, []);
}

#[test]
fn a_machine_without_the_unit_refuses_and_keeps_the_old_value() {
    let board = Gs101::NEW;
    let mut bare = FakePlatform::new(2);
    assert_eq!(pmu(&board, &mut bare, 0x810, [WRITE, 1, 0]), EINVAL);
    assert_eq!(pmu(&board, &mut bare, 0x810, [READ, 0, 0]), 0);
}

#[test]
fn linux_finds_psci_1_1() {
    let board = Gs101::NEW;
    assert_eq!(platform().smc(&board, AArch64, &[0x8400_0000])[0], 0x1_0001);
}

#[test]
fn other_functions_are_not_supported() {
    for id in [
        0x8200_0500,
        0x8200_0503,
        0x8200_05ff,
        0xc200_0504,
        0x8400_0050,
    ] {
        let board = Gs101::NEW;
        let after = platform().smc(&board, AArch64, &[id, BASE + 0x810, WRITE, 1]);
        assert_eq!(after[0], NOT_SUPPORTED, "{id:#x}");
    }
}

#[test]
fn any_calls_do_no_harm() {
    properties::check::<Gs101>(&NOTE, AArch64, &[(BASE, 0x4000)]);
}

proptest! {
    #[test]
    fn no_write_lands_outside_the_unit(
        address in prop_oneof![any::<u64>(), BASE..BASE + 0x2_0000, 0x8000_0000..0x8000_1000_u64],
        command in 0..4_u64,
        first: u64,
        second: u64,
    ) {
        let board = Gs101::NEW;
        let mut platform = platform().with_memory(0x8000_0000, &[0; 0x1000]);
        platform.smc(&board, AArch64, &[PMU, address, command, first, second]);
        for &(at, size) in &platform.written {
            prop_assert!(at >= BASE && at + size as u64 <= BASE + SIZE as u64);
        }
    }
}
