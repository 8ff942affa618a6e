// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What Linux' tegra-pmc does with the controller, register by register.

use fakemon_firmware::Error;
use fakemon_firmware::Width::AArch64;
use fakemon_firmware::fake::{Asked, FakePlatform, properties};
use proptest::prelude::*;

use super::*;
use crate::registers::{
    CLAMP_STATUS, CNTRL, IO_DPD_REQ, IO_DPD_STATUS, PWRGATE_STATUS, PWRGATE_TOGGLE,
    REMOVE_CLAMPING, RST_STATUS, SECURE, SIZE,
};

include!(concat!(env!("OUT_DIR"), "/note.rs"));

const PMC: u64 = 0xc2ff_fe00;
const READ: u64 = 0xaa;
const WRITE: u64 = 0xbb;
const REFUSED: u64 = u64::MAX;
/// Rails and memory, and the first CPU.
const CRAIL_CPU0_C0NC_IRAM: u32 = 1 | 1 << 14 | 1 << 15 | 1 << 24;

/// A platform on which the CPUs up to `cpus` are on.
fn platform(cpus: u64) -> FakePlatform {
    FakePlatform::new(4).answering(move |asked| match asked {
        Asked::CpuAffinity(mpidr, 0) if mpidr < cpus => Ok([0; 4]),
        Asked::CpuAffinity(..) => Err(Error::InvalidParameters),
        other => panic!("not about a CPU: {other:?}"),
    })
}

fn read(board: &Tegra210, offset: u16) -> u32 {
    let after = platform(1).smc(board, AArch64, &[PMC, READ, offset.into()]);
    assert_eq!(after[0], 0, "{offset:#x}");
    u32::try_from(after[1]).expect("32 bits")
}

fn write(board: &Tegra210, offset: u16, value: u32) {
    let after = platform(1).smc(board, AArch64, &[PMC, WRITE, offset.into(), value.into()]);
    assert_eq!(
        after[..4],
        [0, WRITE, offset.into(), value.into()],
        "{offset:#x}"
    );
}

#[test]
fn linux_learns_that_the_watchdog_has_reset_the_chip() {
    let board = Tegra210::NEW;
    assert_eq!(read(&board, RST_STATUS) & 7, 1);
    write(&board, RST_STATUS, 0);
    assert_eq!(read(&board, RST_STATUS) & 7, 1, "it is read only");
}

#[test]
fn linux_sets_bits_of_the_control_register_and_finds_them() {
    let board = Tegra210::NEW;
    for bit in [1 << 16, 1 << 10, 1 << 11] {
        write(&board, CNTRL, read(&board, CNTRL) | bit);
    }
    assert_eq!(read(&board, CNTRL), 1 << 16 | 1 << 10 | 1 << 11);
}

#[test]
fn linux_restarts_by_the_control_register() {
    let board = Tegra210::NEW;
    write(&board, CNTRL, 1 << 16);
    let mut platform = FakePlatform::new(4);
    platform.smc(&board, AArch64, &[PMC, WRITE, 0, 1 << 16 | 1 << 4]);
    assert_eq!(platform.asked, [Asked::SystemReset(0, 0)]);
}

#[test]
fn linux_gates_a_partition_and_it_stays_so() {
    let (board, venc) = (Tegra210::NEW, 1 << 2);
    assert_eq!(read(&board, PWRGATE_STATUS), CRAIL_CPU0_C0NC_IRAM);
    assert_ne!(read(&board, CLAMP_STATUS) & venc, 0);
    write(&board, PWRGATE_TOGGLE, 0x102);
    assert_eq!(read(&board, PWRGATE_TOGGLE) & 0x100, 0, "it is done");
    assert_eq!(read(&board, PWRGATE_STATUS), CRAIL_CPU0_C0NC_IRAM | venc);
    assert_ne!(read(&board, CLAMP_STATUS) & venc, 0, "clamped still");
    write(&board, REMOVE_CLAMPING, venc);
    assert_eq!(read(&board, CLAMP_STATUS) & venc, 0);
    write(&board, PWRGATE_TOGGLE, 0x102);
    assert_eq!(read(&board, PWRGATE_STATUS), CRAIL_CPU0_C0NC_IRAM);
    assert_ne!(read(&board, CLAMP_STATUS) & venc, 0);
}

#[test]
fn what_is_no_partition_of_linux_to_gate_stays_as_it_is() {
    let board = Tegra210::NEW;
    for toggle in [0x2, 0x101, 0x10e, 0x109, 0x104, 0x11e, 0x11f] {
        write(&board, PWRGATE_TOGGLE, toggle);
        assert_eq!(
            read(&board, PWRGATE_STATUS),
            CRAIL_CPU0_C0NC_IRAM,
            "{toggle:#x}"
        );
    }
}

#[test]
fn partitions_of_cpus_have_power_while_the_cpus_are_on() {
    let board = Tegra210::NEW;
    let cpus = |count| platform(count).smc(&board, AArch64, &[PMC, READ, 0x38])[1] & 0x4e00;
    assert_eq!(cpus(1), 0x4000);
    assert_eq!(cpus(2), 0x4200);
    assert_eq!(cpus(4), 0x4e00);
}

#[test]
fn linux_puts_pads_to_sleep_and_wakes_them() {
    let board = Tegra210::NEW;
    write(&board, IO_DPD_REQ, 2 << 30 | 1 << 28 | 1 << 5);
    assert_eq!(read(&board, IO_DPD_STATUS), 1 << 28 | 1 << 5);
    write(&board, IO_DPD_REQ, 1 << 30 | 1 << 28);
    assert_eq!(read(&board, IO_DPD_STATUS), 1 << 5);
    write(&board, IO_DPD_REQ, 1 << 5);
    assert_eq!(read(&board, IO_DPD_STATUS), 1 << 5, "code 0 is no request");
}

#[test]
fn linux_clears_wake_events_by_writing_ones() {
    let board = Tegra210::NEW;
    for offset in [0x14, 0x168] {
        write(&board, offset, u32::MAX);
        assert_eq!(read(&board, offset), 0);
    }
}

#[test]
fn the_secure_worlds_registers_are_out_of_reach() {
    for (first, last) in SECURE {
        for offset in [first, last] {
            refused(READ, offset.into());
            refused(WRITE, offset.into());
        }
    }
}

#[test]
fn what_is_no_register_or_no_command_is_refused() {
    for offset in [1, 2, 0x1b5, SIZE.into(), 0x1_0000, 1 << 32, u64::MAX - 3] {
        refused(READ, offset);
        refused(WRITE, offset);
    }
    refused(0, 0);
    refused(READ | 1 << 32, 0);
}

#[track_caller]
fn refused(command: u64, offset: u64) {
    let board = Tegra210::NEW;
    let mut platform = platform(1);
    let after = platform.smc(&board, AArch64, &[PMC, command, offset, 7]);
    assert_eq!(
        after[..4],
        [REFUSED, command, offset, 7],
        "{command:#x} {offset:#x}"
    );
    assert_eq!(platform.asked, []);
}

#[test]
fn other_functions_are_not_supported() {
    for id in [
        0xc2ff_fe01,
        0xc2ff_feff,
        0xc2ff_ff00,
        0x82ff_fe00,
        0x8400_0050,
        0xc200_fe00,
    ] {
        let board = Tegra210::NEW;
        let after = platform(1).smc(&board, AArch64, &[id, READ, 0x1b4]);
        assert_eq!(after[..3], [REFUSED, READ, 0x1b4], "{id:#x}");
    }
}

#[test]
fn linux_finds_psci_1_1() {
    let board = Tegra210::NEW;
    assert_eq!(
        platform(1).smc(&board, AArch64, &[0x8400_0000])[0],
        0x1_0001
    );
}

#[test]
fn any_calls_do_no_harm() {
    properties::check::<Tegra210>(&NOTE, AArch64, &[]);
}

proptest! {
    #[test]
    fn scratch_registers_keep_what_is_written(value: u32, n in 0..24_u16) {
        // SCRATCH0 to 23.
        let (board, offset) = (Tegra210::NEW, 0x50 + 4 * n);
        write(&board, offset, value);
        prop_assert_eq!(read(&board, offset), value);
    }
}
