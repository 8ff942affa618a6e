// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls of the kernel's drivers, with the registers as they fill them.

use fakemon_firmware::Board;
use fakemon_firmware::Width::AArch64;
use fakemon_firmware::fake::{Asked, FakePlatform, properties};
use fakemon_firmware::services::arm_arch::WORKAROUNDS;

use crate::Zynqmp;
use crate::api::{self, Status};

include!(concat!(env!("OUT_DIR"), "/note.rs"));

mod clocks;
mod ipi;
mod pins;
mod plls;
mod power;

const NOT_SUPPORTED: u64 = u64::MAX;

/// A machine between two calls.
struct Machine {
    board: Zynqmp,
    platform: FakePlatform,
}

impl Machine {
    fn new() -> Self {
        Machine {
            board: Zynqmp::NEW,
            platform: FakePlatform::new(2),
        }
    }

    fn smc(&mut self, regs: &[u64]) -> [u64; 2] {
        let after = self.platform.smc(&self.board, AArch64, regs);
        [after[0], after[1]]
    }

    /// A call of EEMI: the four words that come back.
    fn words(&mut self, api: u32, arg: [u32; 4]) -> [u32; 4] {
        let pair = |low, high| u64::from(low) | u64::from(high) << 32;
        let id = 0xc200_0000 | u64::from(api);
        let after = self.smc(&[id, pair(arg[0], arg[1]), pair(arg[2], arg[3])]);
        [
            after[0] as u32,
            (after[0] >> 32) as u32,
            after[1] as u32,
            (after[1] >> 32) as u32,
        ]
    }

    /// The word after the status of a call that succeeds.
    #[track_caller]
    fn get(&mut self, api: u32, arg: &[u32]) -> u32 {
        let mut all = [0; 4];
        all[..arg.len()].copy_from_slice(arg);
        let [status, value, ..] = self.words(api, all);
        assert_eq!(Status(status), Status::SUCCESS);
        value
    }

    /// The status of a call that fails, and nothing after it.
    #[track_caller]
    fn fails(&mut self, api: u32, arg: &[u32]) -> Status {
        let mut all = [0; 4];
        all[..arg.len()].copy_from_slice(arg);
        let [status, rest @ ..] = self.words(api, all);
        assert_ne!(Status(status), Status::SUCCESS);
        assert_eq!(rest, [0; 3]);
        Status(status)
    }
}

#[test]
fn the_kernel_finds_eemi_1_1_and_trustzone_1_0() {
    let mut machine = Machine::new();
    assert_eq!(machine.smc(&[0xc200_003f, 63]), [2 << 32, 0]);
    assert_eq!(machine.smc(&[0xc200_0001]), [0x1_0001 << 32, 0]);
    assert_eq!(machine.smc(&[0xc200_0018]), [0x2473_8093 << 32, 3]);
    assert_eq!(machine.smc(&[0xc200_0a03]), [0x1_0000 << 32, 0]);
    assert_eq!(machine.smc(&[0xc200_0a01]), [0, 0], "nothing to report");
}

#[test]
fn the_chip_is_of_the_family_that_the_kernel_knows() {
    let idcode = Machine::new().get(api::GET_CHIPID, &[]);
    assert_eq!(idcode >> 21 & 0x7f, 0x23);
}

#[test]
fn the_kernel_finds_the_socs_identity() {
    let mut machine = Machine::new();
    assert_eq!(machine.smc(&[0x8000_0000])[0], 0x1_0002);
    assert_eq!(machine.smc(&[0x8000_0001, 0x8000_0002])[0], 0);
    assert_eq!(machine.smc(&[0x8000_0002, 0])[0], 0x0049_0000);
    assert_eq!(machine.smc(&[0x8000_0002, 1])[0], 0x2473_8093);
    let idcode = machine.get(api::GET_CHIPID, &[]);
    assert_eq!(machine.smc(&[0x8000_0002, 1])[0], idcode.into());
}

#[test]
fn the_host_is_asked_for_workarounds() {
    let mut machine = Machine::new();
    for function in WORKAROUNDS {
        machine.platform.asked.clear();
        assert_eq!(machine.smc(&[0x8000_0001, function.0.into()])[0], 0);
        let asked = Asked::Workaround(function);
        assert_eq!(machine.platform.asked, [asked]);
    }
}

#[test]
fn a_feature_is_there_if_and_only_if_its_function_is() {
    let mut machine = Machine::new();
    for function in 0..0x1000 {
        let [status, version, ..] = machine.words(api::FEATURE_CHECK, [function, 0, 0, 0]);
        let answers = machine.smc(&[0xc200_0000 | u64::from(function)])[0] != NOT_SUPPORTED;
        assert_eq!(status == 0, answers, "{function:#x}");
        assert_eq!(version != 0, answers, "{function:#x}");
        if !answers {
            assert_eq!(Status(status), Status::NO_FEATURE);
        }
    }
    assert_eq!(
        machine.fails(api::FEATURE_CHECK, &[u32::MAX]),
        Status::NO_FEATURE
    );
}

#[test]
fn the_masks_tell_which_ioctls_and_queries_are_there() {
    let mut machine = Machine::new();
    for (function, place) in [(api::IOCTL, 1), (api::QUERY_DATA, 0)] {
        let [_, version, low, high] = machine.words(api::FEATURE_CHECK, [function, 0, 0, 0]);
        assert_eq!((version, high), (2, 0));
        for number in 0..32 {
            let mut arg = [0; 4];
            arg[place] = number;
            let status = Status(machine.words(function, arg)[0]);
            assert_eq!(
                status != Status::NO_FEATURE,
                low >> number & 1 != 0,
                "{function} {number}"
            );
        }
    }
}

#[test]
fn functions_that_are_not_eemis_are_not_supported() {
    let mut machine = Machine::new();
    for id in [
        0xc200_0000,
        0xc200_0016,
        0xc200_0a04,
        0xc200_1001,
        0x8200_0001,
        0x8200_1007,
        0xc200_1000,
        0x8400_0050,
        0,
    ] {
        assert_eq!(machine.smc(&[id])[0], NOT_SUPPORTED, "{id:#x}");
    }
}

#[test]
fn psci_is_there_as_well() {
    let mut machine = Machine::new();
    assert_eq!(machine.smc(&[0x8400_0000])[0], 0x1_0001);
    assert_eq!(machine.smc(&[0xc400_0003, 1, 0x20_0000, 0])[0], 0);
    assert_eq!(machine.platform.asked, [Asked::CpuOn(1, 0x20_0000, 0)]);
}

#[test]
fn any_calls_do_no_harm() {
    properties::check::<Zynqmp>(&NOTE, AArch64, &[]);
}
