// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What Linux asks of this board, in the order in which it does, and what it gets.

use fakemon_firmware::Width::AArch64;
use fakemon_firmware::abi::frame::REGS;
use fakemon_firmware::fake::{Asked, FakePlatform, properties};

use super::*;

include!(concat!(env!("OUT_DIR"), "/note.rs"));

const NOT_SUPPORTED: u64 = u64::MAX;

fn smc(regs: &[u64]) -> [u64; REGS] {
    let board = Virt::NEW;
    FakePlatform::new(4).smc(&board, AArch64, regs)
}

#[test]
fn linux_finds_psci_1_1() {
    assert_eq!(smc(&[0x8400_0000])[0], 0x1_0001);
    assert_eq!(smc(&[0x8400_0006])[0], 2, "no trusted OS to migrate");
    assert_eq!(
        smc(&[0x8400_000a, 0x8000_0000])[0],
        0,
        "there is SMCCC_VERSION"
    );
    assert_eq!(
        smc(&[0x8400_000a, 0xc400_0001])[0],
        0,
        "no OS-initiated mode"
    );
    assert_eq!(smc(&[0x8400_000a, 0xc400_000e])[0], 0);
    assert_eq!(smc(&[0x8400_000a, 0xc400_0012])[0], 0);
}

#[test]
fn linux_finds_smccc_1_2_with_pv_time_and_no_soc() {
    assert_eq!(smc(&[0x8000_0000])[0], 0x1_0002);
    assert_eq!(smc(&[0x8000_0001, 0xc500_0020])[0], 0);
    assert_eq!(smc(&[0x8000_0001, 0x8000_0002])[0], NOT_SUPPORTED);
}

#[test]
fn linux_starts_its_cpus() {
    let (board, mut platform) = (Virt::NEW, FakePlatform::new(4));
    assert_eq!(
        platform.smc(&board, AArch64, &[0xc400_0003, 3, 0x4020_0000, 7])[0],
        0
    );
    assert_eq!(platform.asked, [Asked::CpuOn(3, 0x4020_0000, 7)]);
}

#[test]
fn linux_finds_trng_1_0_and_draws_from_it() {
    assert_eq!(smc(&[0x8400_0050])[0], 0x1_0000);
    let board = Virt::NEW;
    let mut platform = FakePlatform::new(4).answering(|_| Ok([1, 2, 3, 4]));
    assert_eq!(
        platform.smc(&board, AArch64, &[0xc400_0053, 192])[..4],
        [0, 3, 2, 1]
    );
}

#[test]
fn linux_finds_sdei_1_1_and_resets_it() {
    assert_eq!(smc(&[0xc400_0020])[0], 1 << 48 | 1 << 32);
    for id in [0xc400_0031, 0xc400_0032, 0xc400_002c] {
        assert_eq!(smc(&[id])[0], 0, "{id:#x}");
    }
}

#[test]
fn linux_finds_its_stolen_time() {
    let mut platform = FakePlatform::new(4).answering(|_| Ok([0x0901_0000, 0, 0, 0]));
    let board = Virt::NEW;
    let found = platform.smc(&board, AArch64, &[0xc500_0020, 0xc500_0021])[0];
    assert_eq!(found, 0);
    assert_eq!(
        platform.smc(&board, AArch64, &[0xc500_0021])[0],
        0x0901_0000
    );
}

#[test]
fn the_standard_services_tell_of_themselves() {
    let functions = (0..=0xffff_u64)
        .filter(|&number| smc(&[0x8400_000a, 0x8400_0000 | number])[0] == 0)
        .count();
    let wide = (0..=0xffff_u64)
        .filter(|&number| smc(&[0x8400_000a, 0xc400_0000 | number])[0] == 0)
        .count();
    // TRNG's are not PSCI's to tell: four, and one in the 64-bit convention. Nor are SDEI's, 0x20
    // to 0x32.
    assert_eq!(
        smc(&[0x8400_ff00])[0],
        (functions + wide + 4 + 1 + 0x13) as u64
    );
    assert_eq!(smc(&[0x8400_ff01])[..4], QUERIES.uid.map(u64::from));
    assert_eq!(smc(&[0x8400_ff03])[..2], [1, 0]);
}

#[test]
fn other_functions_are_not_supported() {
    for id in [
        0xc200_0001,
        0x8400_0020,
        0x8400_0054,
        0xc400_0050,
        0x8600_ff01,
        0,
    ] {
        assert_eq!(smc(&[id])[0], NOT_SUPPORTED, "{id:#x}");
    }
}

#[test]
fn any_calls_do_no_harm() {
    properties::check::<Virt>(&NOTE, AArch64, &[]);
}
