// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls of Linux' imx8m-ddrc, on a machine with its registers.

use fakemon_abi::frame::REGS;
use fakemon_abi::{Conduit, Width};

use super::clocks::{ALT, APB, CORE};
use super::*;
use crate::call::Trap;
use crate::context::Resume;
use crate::fake::FakePlatform;

const DVFS: u64 = 0xc200_0004;
const DENIED: u64 = -3_i64 as u64;
const PLL: u64 = 0x3036_0050;

/// A SoC with one PLL, of which a boot loader sets three bits, and dividers after it.
const CONFIG: Config = Config {
    fastest: 3000,
    plls: &[Field::ones(PLL, 7 << 8), Field::whole(PLL + 4, 0x1234)],
};

struct Machine {
    service: Imx8mDram,
    platform: FakePlatform,
}

impl Machine {
    /// As a boot loader leaves it.
    fn new() -> Machine {
        let reset = [(PLL, 0x20), (PLL + 4, u64::from(u32::MAX))];
        let mut platform = FakePlatform::new(4).with_registers(reset);
        let service = Imx8mDram::new(FunctionId(DVFS as u32), CONFIG);
        service.start(&mut platform);
        Machine { service, platform }
    }

    fn smc(&mut self, regs: [u64; 3]) -> [u64; 4] {
        let mut all = [0; REGS];
        all[..3].copy_from_slice(&regs);
        let mut resume = Resume::default();
        let trap = Trap {
            width: Width::AArch64,
            conduit: Conduit::Smc,
            immediate: 0,
        };
        let mut call = Call::new(&mut all, trap, &mut resume, &mut self.platform);
        self.service.handle(&mut call);
        [all[0], all[1], all[2], all[3]]
    }

    fn read(&self, register: u64) -> u32 {
        self.platform.registers[&register] as u32
    }

    /// What the clock driver makes of the core clock, if it is not the PLL's, and of the registers'
    /// clock, in MHz.
    fn clocks(&self) -> (Option<u32>, u32) {
        let root = |register, inputs: [u32; 8]| {
            let value = self.read(register);
            inputs[(value >> 24 & 7) as usize] / ((value >> 16 & 7) + 1)
        };
        let alt = root(ALT, [24, 800, 100, 500, 1000, 0, 0, 266]) / 4;
        let apb = root(APB, [24, 200, 40, 160, 800, 0, 250, 0]);
        let from_alt = self.read(CORE) >> 24 & 1 != 0;
        (from_alt.then_some(alt), apb)
    }
}

#[test]
fn the_clocks_begin_as_a_boot_loader_leaves_them_and_that_is_done_once() {
    let mut machine = Machine::new();
    assert_eq!(machine.read(PLL), 0x720, "other bits stay");
    assert_eq!(machine.read(PLL + 4), 0x1234);
    assert_eq!(machine.clocks(), (None, 160));
    let asked = machine.platform.asked.len();
    machine.service.start(&mut machine.platform);
    assert_eq!(machine.platform.asked.len(), asked);
}

#[test]
fn the_kernel_asks_for_the_frequencies() {
    let mut machine = Machine::new();
    assert_eq!(machine.smc([DVFS, 0x10, 0]), [3, 0x10, 0, 0]);
    assert_eq!(machine.smc([DVFS, 0x11, 0]), [3000, 1, 0, 5]);
    assert_eq!(machine.smc([DVFS, 0x11, 1]), [400, 2, 2, 4]);
    assert_eq!(machine.smc([DVFS, 0x11, 2]), [100, 2, 3, 3]);
    for index in [3, 4, 1 << 32, u64::MAX] {
        assert_eq!(machine.smc([DVFS, 0x11, index])[0], DENIED);
    }
}

#[test]
fn a_frequency_stays_until_the_next() {
    let mut machine = Machine::new();
    for (index, clocks) in [
        (1, (Some(100), 80)),
        (2, (Some(25), 20)),
        (0, (None, 160)),
        (2, (Some(25), 20)),
    ] {
        assert_eq!(machine.smc([DVFS, index, 0x0101])[0], 0);
        assert_eq!(machine.clocks(), clocks);
        machine.smc([DVFS, 0x10, 0]);
        machine.smc([DVFS, 7, 0x0101]);
        assert_eq!(machine.clocks(), clocks, "nobody has asked for another");
    }
}

#[test]
fn the_cpus_must_be_the_socs() {
    let mut machine = Machine::new();
    assert_eq!(machine.smc([DVFS, 1, 0x0101_0101])[0], 0);
    for mask in [2, 0x0200, 0x8000_0000] {
        assert_eq!(machine.smc([DVFS, 2, mask])[0], DENIED);
    }
    assert_eq!(machine.clocks().0, Some(100));
}

#[test]
fn a_machine_without_the_registers_says_so() {
    let mut machine = Machine::new();
    machine.platform = FakePlatform::new(4).answering(|_| Err(Error::InvalidParameters));
    assert_ne!(machine.smc([DVFS, 1, 1])[0], 0);
    assert_eq!(
        machine.smc([DVFS, 0x10, 0])[0],
        3,
        "that asks the machine nothing"
    );
}
