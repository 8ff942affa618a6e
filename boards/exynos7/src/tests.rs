// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What Linux asks of this board, and what it gets.

use std::path::Path;

use fakemon_firmware::Error;
use fakemon_firmware::Width::AArch64;
use fakemon_firmware::fake::{Asked, FakePlatform, properties};
use fakemon_manifest::{Cell, DtValue};

use super::*;

include!(concat!(env!("OUT_DIR"), "/note.rs"));

const NOT_SUPPORTED: u64 = u64::MAX;
const INVALID: u64 = u64::MAX - 1;
const DENIED: u64 = u64::MAX - 2;

#[track_caller]
fn smc(platform: &mut FakePlatform, regs: [u64; 4]) -> u64 {
    let after = platform.smc(&Exynos7, AArch64, &regs);
    assert_eq!(after[1..4], regs[1..], "only x0 is a result");
    after[0]
}

#[test]
fn linux_starts_its_cpus_with_64_bits_of_entry_point() {
    let mut platform = FakePlatform::new(4);
    assert_eq!(smc(&mut platform, [0xc400_0003, 1, 0x8_4020_0000, 0]), 0);
    assert_eq!(platform.asked, [Asked::CpuOn(1, 0x8_4020_0000, 0)]);
}

#[test]
fn linux_stops_a_cpu() {
    let mut platform = FakePlatform::new(4);
    assert_eq!(smc(&mut platform, [0x8400_0002, 0x1_0000, 0, 0]), DENIED);
    assert_eq!(platform.asked, [Asked::CpuOff]);
}

#[test]
fn errors_are_those_of_psci_0_1() {
    for refusal in [Error::AlreadyOn, Error::InvalidParameters] {
        let mut platform = FakePlatform::new(4).answering(move |_| Err(refusal));
        assert_eq!(
            smc(&mut platform, [0xc400_0003, 1, 0x4020_0000, 0]),
            INVALID
        );
    }
}

#[test]
fn later_psci_and_other_calls_are_not_supported() {
    for id in [
        0x8400_0000,
        0x8400_0001,
        0xc400_0001,
        0x8400_0003,
        0xc400_0002,
        0xc400_0004,
        0x8400_0008,
        0x8400_0009,
        0x8400_000a,
        0xc400_000e,
        0xc400_001f,
        0x8400_0050,
        0,
    ] {
        let mut platform = FakePlatform::new(4);
        assert_eq!(smc(&mut platform, [id, 0, 0, 0]), NOT_SUPPORTED, "{id:#x}");
        assert_eq!(platform.asked, []);
    }
}

#[test]
fn the_device_tree_names_the_functions_that_there_are() {
    let board = fakemon_manifest::Board::load(Path::new(env!("CARGO_MANIFEST_DIR")));
    let board = board.expect("a good board.toml");
    let psci = board.guest.dt.iter().find(|node| node.path == "/psci");
    let psci = psci.expect("a node of PSCI");
    for (property, id) in [("cpu_off", PSCI.cpu_off), ("cpu_on", PSCI.cpu_on)] {
        let id = id.expect("a function").0;
        let named = DtValue::Cells(vec![Cell::Number(id)]);
        assert_eq!(psci.set.get(property), Some(&named), "{property}");
    }
    assert!(!psci.set.contains_key("cpu_suspend"));
}

#[test]
fn any_calls_do_no_harm() {
    properties::check::<Exynos7>(&NOTE, AArch64, &[]);
}
