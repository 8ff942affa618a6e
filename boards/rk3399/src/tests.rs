// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls of Linux' clk-ddr and rk3399_dmc, on a machine with its registers.

use fakemon_firmware::Error;
use fakemon_firmware::Width::AArch64;
use fakemon_firmware::abi::frame::REGS;
use fakemon_firmware::fake::{FakePlatform, properties};

use super::*;
use crate::dram::{CON0, CON1, PowerSaving, RATES};

include!(concat!(env!("OUT_DIR"), "/note.rs"));

const DRAM: u64 = 0x8200_0008;
const NOT_SUPPORTED: u64 = u64::MAX;

/// A board and its machine.
struct Machine {
    board: Rk3399,
    platform: FakePlatform,
}

impl Machine {
    fn new() -> Machine {
        let platform = FakePlatform::new(6).with_registers([]);
        Machine {
            board: Rk3399::NEW,
            platform,
        }
    }

    fn smc(&mut self, regs: &[u64]) -> [u64; REGS] {
        self.platform.smc(&self.board, AArch64, regs)
    }

    fn rate(&mut self) -> u64 {
        self.smc(&[DRAM, 0, 0, 5])[0]
    }
}

#[test]
fn the_kernel_finds_the_boot_rate() {
    assert_eq!(Machine::new().rate(), 800_000_000);
}

#[test]
fn a_rate_stays_until_the_next() {
    let mut machine = Machine::new();
    for wanted in RATES {
        let hz = u64::from(wanted.mhz) * 1_000_000;
        assert_eq!(
            machine.smc(&[DRAM, hz, 0, 2])[0],
            hz,
            "a rate rounds to itself"
        );
        assert_eq!(machine.smc(&[DRAM, hz, 0, 1])[0], u64::from(wanted.mhz));
        assert_eq!(machine.rate(), hz);
        machine.smc(&[DRAM, 300_000_000, 0, 2]);
        machine.smc(&[DRAM, 0, 0, 0]);
        assert_eq!(machine.rate(), hz, "nobody has asked for another");
    }
}

#[test]
fn other_rates_are_rounded_down_as_far_as_there_are_lower_ones() {
    let mut machine = Machine::new();
    for (wanted, got) in [
        (4_000_000_000, 928_000_000),
        (799_999_999, 732_000_000),
        (299_000_000, 200_000_000),
        (1, 200_000_000),
        (0, 200_000_000),
    ] {
        assert_eq!(machine.smc(&[DRAM, wanted, 0, 2])[0], got);
        machine.smc(&[DRAM, wanted, 0, 1]);
        assert_eq!(machine.rate(), got);
    }
}

#[test]
fn the_rate_is_what_the_registers_make() {
    let mut machine = Machine::new();
    machine.smc(&[0x8400_0000]);
    for (con0, con1, rate) in [
        (116, 0x1301, 928_000_000),
        (0, 0x1301, 0),
        (116, 0, 0),
        (116, 0x0301, 0),
    ] {
        machine
            .platform
            .registers
            .extend([(CON0, con0), (CON1, con1)]);
        assert_eq!(machine.rate(), rate);
    }
}

#[test]
fn a_machine_without_the_registers_has_no_rate() {
    let mut platform = FakePlatform::new(6).answering(|_| Err(Error::InvalidParameters));
    let board = Rk3399::NEW;
    assert_eq!(platform.smc(&board, AArch64, &[DRAM, 0, 0, 5])[0], 0);
}

#[test]
fn power_saving_is_remembered() {
    let mut machine = Machine::new();
    let regs = [DRAM, 0xabcd_5612, 0xf789_f234, 8, 1];
    assert_eq!(machine.smc(&regs)[0], 0);
    let expected = PowerSaving {
        self_refresh: 0x12,
        self_refresh_gated: 0x56,
        standby: 0xabcd,
        power_down: 0x234,
        power_down_lite: 0x789,
        termination: true,
    };
    assert_eq!(machine.board.sip.saving.get(), expected);
    machine.smc(&[DRAM, 0, 0, 8, 2]);
    assert_eq!(machine.board.sip.saving.get(), PowerSaving::RESET);
}

#[test]
fn what_real_firmware_does_not_know_of_the_dram_is_done() {
    for what in [0, 3, 4, 6, 7, 9, 0xffff_ffff] {
        assert_eq!(Machine::new().smc(&[DRAM, 1, 2, what])[0], 0);
    }
}

#[test]
fn the_firmware_tells_of_itself() {
    assert_eq!(Machine::new().smc(&[0x8200_ff00])[0], 3);
    let uid = QUERIES.uid.map(u64::from);
    assert_eq!(Machine::new().smc(&[0x8200_ff01])[..4], uid);
    assert_eq!(Machine::new().smc(&[0x8200_ff03])[..2], [0, 1]);
}

#[test]
fn other_functions_are_not_supported() {
    let sip = (0..0x20).map(|number| 0x8200_0000 | number);
    for id in sip.chain([0x8200_ff02, 0xc200_0008, 0x8300_0008, 0x8400_0050]) {
        if id != DRAM {
            assert_eq!(Machine::new().smc(&[id])[0], NOT_SUPPORTED, "{id:#x}");
        }
    }
}

#[test]
fn any_calls_do_no_harm() {
    properties::check::<Rk3399>(&NOTE, AArch64, &[]);
}
