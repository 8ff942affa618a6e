// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls of Linux' imx8m-ddrc, on a machine with its registers.

use fakemon_firmware::Width::AArch64;
use fakemon_firmware::abi::frame::REGS;
use fakemon_firmware::fake::{FakePlatform, properties};

use super::*;

include!(concat!(env!("OUT_DIR"), "/note.rs"));

const DVFS: u64 = 0xc200_0004;
const NOT_SUPPORTED: u64 = u64::MAX;
const PLL: u64 = 0x3036_0050;

/// A board and its machine, out of reset.
struct Machine {
    board: Imx8mm,
    platform: FakePlatform,
}

impl Machine {
    fn new() -> Machine {
        Machine {
            board: Imx8mm::NEW,
            platform: FakePlatform::new(4).with_registers([]),
        }
    }

    fn smc(&mut self, regs: &[u64]) -> [u64; REGS] {
        self.platform.smc(&self.board, AArch64, regs)
    }

    fn read(&self, register: u64) -> u64 {
        self.platform.registers[&register]
    }

    /// What `clk_pll14xx_recalc_rate` makes of the DRAM's PLL, in Hz.
    fn pll_rate(&self) -> u64 {
        let (dividers, fraction) = (self.read(PLL + 4), self.read(PLL + 8) & 0xffff);
        let (main, pre, post) = (dividers >> 12 & 0x3ff, dividers >> 4 & 0x3f, dividers & 7);
        24_000_000 * (main * 65_536 + fraction) / ((pre * 65_536) << post)
    }
}

#[test]
fn the_first_call_leaves_the_plls_as_a_boot_loader_does() {
    let mut machine = Machine::new();
    machine.smc(&[0x8400_0000]);
    assert_eq!(machine.pll_rate(), 750_000_000);
    // Those that `imx8mm_clocks_probe` makes.
    for pll in [0, 0x14, 0x28, 0x50, 0x64, 0x74, 0x84, 0x114] {
        assert_eq!(
            machine.read(0x3036_0000 + pll) >> 31,
            1,
            "{pll:#x} is locked"
        );
    }
    // The kernel takes a PLL in reset for one that stands still, and starts it anew.
    assert_eq!(machine.read(PLL) >> 9 & 1, 1);
}

#[test]
fn the_highest_frequency_is_the_plls() {
    let mut machine = Machine::new();
    let rate = machine.smc(&[DVFS, 0x11, 0])[0];
    assert_eq!(rate * 1_000_000, 4 * machine.pll_rate());
}

#[test]
fn other_functions_are_not_supported() {
    let sip = (0..0x20).map(|number| 0xc200_0000 | number);
    for id in sip.chain([0x8200_0004, 0xc300_0004, 0x8400_0050]) {
        if id != DVFS {
            assert_eq!(Machine::new().smc(&[id])[0], NOT_SUPPORTED, "{id:#x}");
        }
    }
}

#[test]
fn any_calls_do_no_harm() {
    properties::check::<Imx8mm>(&NOTE, AArch64, &[]);
}
