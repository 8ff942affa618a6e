// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls of Linux' meson-sm, meson-secure-pwrc and meson-efuse.

use std::path::Path;

use fakemon_firmware::Width::AArch64;
use fakemon_firmware::abi::frame::REGS;
use fakemon_firmware::fake::{FakePlatform, properties};
use fakemon_manifest::Board as Manifest;
use proptest::prelude::*;

use super::*;

include!(concat!(env!("OUT_DIR"), "/note.rs"));

const NOT_SUPPORTED: u64 = u64::MAX;

/// A guest with both pages, of which the kernel's holds `input`.
fn platform(input: &[u8]) -> FakePlatform {
    let mut page = vec![0; SHMEM_SIZE];
    page[..input.len()].copy_from_slice(input);
    FakePlatform::new(2)
        .with_memory(SHMEM_IN_BASE, &page)
        .with_memory(SHMEM_OUT_BASE, &[0xee; SHMEM_SIZE])
}

/// The board as it comes out of reset.
fn fresh() -> MesonA1 {
    MesonA1::NEW
}

fn smc(board: &MesonA1, regs: &[u64]) -> u64 {
    let after: [u64; REGS] = platform(&[]).smc(board, AArch64, regs);
    assert_eq!(after[1..regs.len()], regs[1..], "only x0 is a result");
    after[0]
}

#[test]
fn the_kernel_finds_the_shared_pages_where_board_toml_puts_them() {
    let manifest =
        Manifest::load(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("a good board.toml");
    for (id, name) in [(0x8200_0020, "shmem-in"), (0x8200_0021, "shmem-out")] {
        let pages = &manifest.machine.pages;
        let page = pages.iter().find(|page| page.name == name).expect("a page");
        assert_eq!(smc(&fresh(), &[id]), page.base);
        assert_eq!(page.size, SHMEM_SIZE as u64);
        assert!(
            u32::try_from(page.base).is_ok(),
            "the driver has 32 bits for it"
        );
    }
}

#[test]
fn the_serial_number_is_behind_a_version() {
    for (asked, version, size) in [(0, 1, 12), (1, 1, 12), (2, 2, 16)] {
        let mut platform = platform(&[]);
        let x0 = platform.smc(&fresh(), AArch64, &[0x8200_0044, asked])[0];
        assert_eq!(x0, 0, "the driver then takes as much as it wants");
        let answer = platform.memory(SHMEM_OUT_BASE, 21);
        assert_eq!(answer[..4], [version, 0, 0, 0]);
        assert_eq!(answer[4..4 + size], CHIP_ID[..size]);
        assert!(answer[4 + size..20].iter().all(|&byte| byte == 0));
        assert_eq!(answer[20], 0xee, "the rest of the page stays");
    }
    assert_eq!(smc(&fresh(), &[0x8200_0044, 3]), NOT_SUPPORTED);
}

#[test]
fn a_domain_stays_as_it_was_switched() {
    let board = MesonA1::NEW;
    let off = |domain| smc(&board, &[0x8200_0095, domain]);
    let set = |domain, on| smc(&board, &[0x8200_0093, domain, on]);
    assert_eq!(off(18), 1, "SD_EMMC is off from reset");
    assert_eq!(set(18, 1), 0);
    assert_eq!((off(17), off(18), off(19)), (0, 0, 1), "no other is meant");
    assert_eq!(set(18, 1), 0, "twice is once");
    assert_eq!(off(18), 0);
    assert_eq!(set(18, 0), 0);
    assert_eq!(off(18), 1);
    assert_eq!(
        smc(&fresh(), &[0x8200_0095, 23]),
        0,
        "a reset puts all back"
    );
}

#[test]
fn what_firmware_needs_cannot_be_switched_off() {
    let board = MesonA1::NEW;
    for domain in [11, 20, 25] {
        assert_eq!(smc(&board, &[0x8200_0093, domain, 0]), NOT_SUPPORTED);
        assert_eq!(smc(&board, &[0x8200_0095, domain]), 0);
    }
}

/// UART, DMC, DMA, RAMB and NIC: a kernel that does not look takes them as on.
#[test]
fn what_the_kernel_takes_as_always_on_is_on_at_reset() {
    let board = fresh();
    for domain in [10, 11, 17, 20, 25] {
        assert_eq!(smc(&board, &[0x8200_0095, domain]), 0, "{domain}");
    }
}

#[test]
fn there_are_20_domains_with_two_states() {
    let board = MesonA1::NEW;
    for domain in (0..8).chain(28..70).chain([0xffff_ffff]) {
        assert_eq!(smc(&board, &[0x8200_0095, domain]), NOT_SUPPORTED);
        assert_eq!(smc(&board, &[0x8200_0093, domain, 1]), NOT_SUPPORTED);
    }
    let before = board.monitor.domains.get();
    assert_eq!(smc(&board, &[0x8200_0093, 8, 2]), NOT_SUPPORTED);
    assert_eq!(board.monitor.domains.get(), before);
}

#[test]
fn the_fuses_are_read_through_the_shared_page() {
    assert_eq!(smc(&fresh(), &[0x8200_0033]), 0xc0);
    let mut platform = platform(&[]);
    let x0 = platform.smc(&fresh(), AArch64, &[0x8200_0030, 1, 4])[0];
    assert_eq!(x0, 4, "bytes");
    assert_eq!(
        platform.memory(SHMEM_OUT_BASE, 5),
        [0xa1, 0xfa, 0xce, 0x00, 0xee]
    );
    for (offset, size) in [(0, 0xc1), (0xc0, 1), (1, 0xc0), (0, 0), (0xffff_ffff, 2)] {
        assert_eq!(smc(&fresh(), &[0x8200_0030, offset, size]), 0);
    }
}

#[test]
fn a_blown_fuse_stays_blown() {
    let board = MesonA1::NEW;
    let write = |bytes: &[u8], offset| {
        let regs = [0x8200_0031, offset, bytes.len() as u64];
        platform(bytes).smc(&board, AArch64, &regs)[0]
    };
    let read = |offset| {
        let mut platform = platform(&[]);
        assert_eq!(
            platform.smc(&board, AArch64, &[0x8200_0030, offset, 2])[0],
            2
        );
        platform.memory(SHMEM_OUT_BASE, 2)
    };
    assert_eq!(write(&[0x0f, 0x80], 0x40), 2);
    assert_eq!(read(0x40), [0x0f, 0x80]);
    assert_eq!(write(&[0xff, 0x81], 0x40), 2, "more bits can be blown");
    assert_eq!(write(&[0xff, 0x01], 0x40), 0, "and none restored");
    assert_eq!(read(0x40), [0xff, 0x81]);
    assert_eq!(write(&[1], 0xc0), 0);
}

#[test]
fn without_shared_pages_calls_fail_and_change_nothing() {
    let board = MesonA1::NEW;
    for (regs, failed) in [
        ([0x8200_0030, 0, 4], 0),
        ([0x8200_0031, 0x10, 4], 0),
        ([0x8200_0044, 0, 0], NOT_SUPPORTED),
    ] {
        assert_eq!(FakePlatform::new(1).smc(&board, AArch64, &regs)[0], failed);
    }
    assert_eq!(board.monitor.fuses.get(), Fuses::RESET);
}

#[test]
fn other_functions_are_not_supported() {
    for id in (0x8200_0000..0x8200_0100).chain([0xc200_0020, 0x8300_0020, 0x8400_0050]) {
        let known = [0x20, 0x21, 0x30, 0x31, 0x33, 0x44, 0x93, 0x95];
        if id >> 8 != 0x82_0000 || !known.contains(&(id & 0xff)) {
            assert_eq!(smc(&fresh(), &[id]), NOT_SUPPORTED, "{id:#x}");
        }
    }
}

#[test]
fn any_calls_do_no_harm() {
    properties::check::<MesonA1>(
        &NOTE,
        AArch64,
        &[(SHMEM_IN_BASE, SHMEM_SIZE), (SHMEM_OUT_BASE, SHMEM_SIZE)],
    );
}

proptest! {
    #[test]
    fn only_the_page_of_firmware_is_written(
        function in 0..0x100_u64,
        args in prop::array::uniform2(prop_oneof![0..0x100_u64, any::<u64>()]),
        input in prop::collection::vec(any::<u8>(), fuses::SIZE),
    ) {
        let mut platform = platform(&input);
        platform.smc(&fresh(), AArch64, &[0x8200_0000 | function, args[0], args[1]]);
        for (address, size) in platform.written {
            prop_assert_eq!(address, SHMEM_OUT_BASE);
            prop_assert!(size <= SHMEM_SIZE);
        }
    }
}
