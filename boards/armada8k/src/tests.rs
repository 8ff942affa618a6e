// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls of Linux' phy-mvebu-cp110-comphy, on a machine with its registers.

use fakemon_firmware::Error;
use fakemon_firmware::Width::AArch64;
use fakemon_firmware::fake::{FakePlatform, properties};

use super::*;
use crate::lanes::EINVAL;

include!(concat!(env!("OUT_DIR"), "/note.rs"));

const ON: u64 = 0x8200_0001;
const OFF: u64 = 0x8200_0002;
/// The COMPHY's registers, whose address the kernel hands over.
const PHY: u64 = 0xf212_0000;
const NOT_SUPPORTED: i64 = -1;

struct Machine {
    platform: FakePlatform,
}

impl Machine {
    fn new() -> Machine {
        let platform = FakePlatform::new(4).with_registers([]);
        Machine { platform }
    }

    fn smc(&mut self, regs: &[u64]) -> i64 {
        self.platform.smc(&Armada8k, AArch64, regs)[0] as i64
    }

    fn read(&self, register: u64) -> u64 {
        self.platform.register(register)
    }

    /// Both selectors.
    fn selectors(&self) -> (u64, u64) {
        (self.read(0xf244_1140), self.read(0xf244_1144))
    }

    fn lane(&self, lane: u64) -> u64 {
        self.read(0xf244_1000 + 0x28 * lane)
    }
}

#[test]
fn sata_comes_and_goes_on_two_lanes() {
    let mut machine = Machine::new();
    assert_eq!(machine.smc(&[ON, PHY, 1, 0x10f0]), 0);
    assert_eq!(machine.selectors(), (0x40, 0));
    assert_eq!(machine.smc(&[ON, PHY, 3, 0x11f0]), 0);
    assert_eq!(machine.selectors(), (0x4040, 0));
    assert_eq!((machine.lane(1), machine.lane(3)), (0x6002, 0x6002));
    assert_eq!(machine.smc(&[OFF, PHY, 1, 0]), 0);
    assert_eq!(machine.selectors(), (0x4000, 0), "the other stays");
    assert_eq!((machine.lane(1), machine.lane(3)), (2, 0x6002));
    assert_eq!(machine.smc(&[OFF, PHY, 1, 0]), 0, "twice is once");
}

#[test]
fn each_mode_of_the_kernel_selects_its_controller() {
    for (lane, mode, selector, pipe) in [
        // SGMII, 2500BASE-X, 10GBASE-R, 5GBASE-R and RXAUI.
        (0, 0x2100, 1, 0),
        (1, 0x3208, 1, 0),
        (3, 0x2100, 2, 0),
        (4, 0x8018, 2, 0),
        (4, 0x8118, 1, 0),
        (2, 0x8010, 1, 0),
        (3, 0x7100, 1, 0),
        (4, 0x7000, 2, 0),
        (5, 0x7100, 2, 0),
        (5, 0x2200, 1, 0),
        // PCIe, USB host and device.
        (0, 0x4_600c, 0, 4),
        (5, 0x4_620c, 0, 4),
        (1, 0x40f0, 0, 1),
        (4, 0x50f0, 0, 2),
    ] {
        let mut machine = Machine::new();
        assert_eq!(machine.smc(&[ON, PHY, lane, mode]), 0, "{lane} {mode:#x}");
        let shift = lane * 4;
        assert_eq!(machine.selectors(), (selector << shift, pipe << shift));
        let on = if pipe == 0 { 0x6002 } else { 0x6006 };
        assert_eq!(machine.lane(lane), on);
    }
}

#[test]
fn a_lane_that_is_on_can_change_over() {
    let mut machine = Machine::new();
    machine.smc(&[ON, PHY, 1, 0x40f0]);
    assert_eq!((machine.selectors(), machine.lane(1)), ((0, 0x10), 0x6006));
    assert_eq!(machine.smc(&[ON, PHY, 1, 0x10f0]), 0);
    assert_eq!((machine.selectors(), machine.lane(1)), ((0x40, 0), 0x6002));
}

#[test]
fn a_kernel_cannot_switch_pcie_off() {
    let mut machine = Machine::new();
    machine.smc(&[ON, PHY, 0, 0x4_600c]);
    assert_eq!(machine.smc(&[OFF, PHY, 0, 0]), 0);
    assert_eq!((machine.selectors(), machine.lane(0)), ((0, 4), 0x6006));
    assert_eq!(machine.smc(&[OFF, PHY, 0, 1 << 21]), 0, "a boot loader can");
    assert_eq!((machine.selectors(), machine.lane(0)), ((0, 0), 6));
}

#[test]
fn what_is_not_there_is_refused() {
    let mut machine = Machine::new();
    for (address, lane) in [
        (0xf112_0000, 1),
        (0xf300_0000, 1),
        (0, 1),
        (PHY, 6),
        (PHY, 0xffff_ffff),
    ] {
        assert_eq!(machine.smc(&[ON, address, lane, 0x10f0]), NOT_SUPPORTED);
        assert_eq!(machine.smc(&[OFF, address, lane, 0]), NOT_SUPPORTED);
    }
    for (lane, mode) in [
        (1, 0),
        (1, 0xa000),
        (1, 0x1_f000),
        // Speeds that the mode does not have; USB where it is not.
        (1, 0x2118),
        (2, 0x8000),
        (0, 0x40f0),
        (2, 0x50f0),
    ] {
        let refused = machine.smc(&[ON, PHY, lane, mode]);
        assert_eq!(refused, i64::from(EINVAL), "{lane} {mode:#x}");
    }
    assert!(machine.platform.asked.is_empty(), "and nothing is touched");
}

#[test]
fn a_machine_without_the_registers_is_an_error() {
    let mut platform = FakePlatform::new(4).answering(|_| Err(Error::InvalidParameters));
    let x0 = platform.smc(&Armada8k, AArch64, &[ON, PHY, 1, 0x10f0])[0];
    assert_eq!(x0 as i64, -2);
}

#[test]
fn other_functions_are_not_supported() {
    let sip = (0..0x20).map(|number| 0x8200_0000 | number);
    for id in sip.chain([0xc200_0001, 0x8300_0001, 0x8400_0050]) {
        if ![ON, OFF].contains(&id) {
            let mut machine = Machine::new();
            assert_eq!(machine.smc(&[id, PHY, 1, 0x10f0]), NOT_SUPPORTED, "{id:#x}");
        }
    }
}

#[test]
fn any_calls_do_no_harm() {
    properties::check::<Armada8k>(&NOTE, AArch64, &[]);
}
