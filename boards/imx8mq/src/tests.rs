// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls of Linux' soc-imx8m and imx8m-ddrc, on a machine with its registers.

use std::path::Path;

use fakemon_firmware::Error;
use fakemon_firmware::Width::AArch64;
use fakemon_firmware::abi::frame::REGS;
use fakemon_firmware::fake::{FakePlatform, properties};
use fakemon_manifest::Board as Manifest;

use super::*;

include!(concat!(env!("OUT_DIR"), "/note.rs"));

const DVFS: u64 = 0xc200_0004;
const SOC_INFO: u64 = 0xc200_0006;
const NOT_SUPPORTED: u64 = u64::MAX;
const PLL: u64 = 0x3036_0060;

/// A board and its machine.
struct Machine {
    board: Imx8mq,
    platform: FakePlatform,
}

impl Machine {
    /// The machine of board.toml, out of reset.
    fn new() -> Machine {
        let manifest = Manifest::load(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("board.toml");
        let pages = manifest.machine.pages.iter();
        let constants = pages.flat_map(|page| {
            let registers = page.registers.iter();
            registers.map(|(offset, value)| (page.base + offset, u64::from(*value)))
        });
        let platform = FakePlatform::new(4).with_registers(constants);
        Machine {
            board: Imx8mq::NEW,
            platform,
        }
    }

    fn smc(&mut self, regs: &[u64]) -> [u64; REGS] {
        self.platform.smc(&self.board, AArch64, regs)
    }

    fn read(&self, register: u64) -> u32 {
        self.platform.registers[&register] as u32
    }

    /// What `clk_sscg_pll_recalc_rate` makes of the DRAM's PLL, in Hz.
    fn pll_rate(&self) -> u64 {
        let dividers = u64::from(self.read(PLL + 8));
        let field = |shift: u32, bits: u32| (dividers >> shift & ((1_u64 << bits) - 1)) + 1;
        25_000_000 * 2 * field(13, 6) * field(7, 6) / field(25, 3) / field(19, 6) / field(1, 6)
    }
}

#[test]
fn the_first_call_leaves_the_clocks_as_a_boot_loader_does() {
    let mut machine = Machine::new();
    machine.smc(&[0x8400_0000]);
    assert_eq!(machine.pll_rate(), 800_000_000);
    for pll in [0x3036_0000, 0x3036_0028, 0x3036_0048, PLL] {
        assert_eq!(machine.read(pll) >> 31, 1, "{pll:#x} is locked");
    }
    let writes = machine.platform.asked.len();
    machine.smc(&[0x8400_0000]);
    assert_eq!(machine.platform.asked.len(), writes, "that is done once");
}

#[test]
fn the_kernel_is_told_the_revision() {
    let info = |changes: &[(u64, u64)]| {
        let mut machine = Machine::new();
        machine.platform.registers.extend(changes.iter().copied());
        machine.smc(&[SOC_INFO])[0]
    };
    assert_eq!(info(&[]), 0x82_4022, "as board.toml has it");
    assert_eq!(info(&[(ROM_VERSION_2, 0x21)]), 0x82_4021);
    assert_eq!(info(&[(ROM_VERSION_2, 0x20)]), 0x82_4020);
    assert_eq!(info(&[(ROM_VERSION_1, 0x10)]), 0x82_4010);
    assert_eq!(info(&[(OCOTP_REVISION, 0)]), 0x82_4010);
}

#[test]
fn a_machine_without_the_registers_has_no_revision() {
    let mut platform = FakePlatform::new(4).answering(|_| Err(Error::InvalidParameters));
    assert_eq!(
        platform.smc(&fresh(), AArch64, &[SOC_INFO])[0],
        NOT_SUPPORTED
    );
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
        if ![DVFS, SOC_INFO].contains(&id) {
            assert_eq!(Machine::new().smc(&[id])[0], NOT_SUPPORTED, "{id:#x}");
        }
    }
}

/// The board out of reset.
fn fresh() -> Imx8mq {
    Imx8mq::NEW
}

#[test]
fn any_calls_do_no_harm() {
    properties::check::<Imx8mq>(&NOTE, AArch64, &[]);
}
