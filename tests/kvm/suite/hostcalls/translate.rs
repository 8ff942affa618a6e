// SPDX-License-Identifier: Apache-2.0 OR MIT
//! TRANSLATE finds what the caller's own stage 1 says, also while the caller changes it.

use fakemon_abi::{hostcall, status};
use fakemon_host::regs::{MAIR_EL1, SCTLR_EL1, TCR_EL1, TTBR0_EL1};
use fakemon_tests::machine::{Machine, RAM};
use fakemon_tests::trials;
use libtest_mimic::Trial;

use super::{host_call, machine};

const READ: u64 = 0;
const WRITE: u64 = 1;

const LEVEL_1: u64 = RAM + 0x1_0000;
const LEVEL_2: u64 = RAM + 0x1_1000;
const LEVEL_3: u64 = RAM + 0x1_2000;
/// Where the tables have pages of 4 KiB; RAM itself is mapped by a block.
const WINDOW: u64 = 0x8000_0000;

const ACCESS_FLAG: u64 = 1 << 10;
const INNER_SHAREABLE: u64 = 0b11 << 8;
const READ_ONLY: u64 = 1 << 7;

fn translate(machine: &mut Machine, va: u64, access: u64) -> Option<u64> {
    let cpu = &mut machine.cpus[0];
    match host_call(cpu, hostcall::TRANSLATE, &[va, access]) {
        (status::SUCCESS, [pa, 0, 0, 0]) => Some(pa),
        (status::INVALID_ADDRESS, [0, 0, 0, 0]) => None,
        answer => panic!("{va:#x}: {answer:?}"),
    }
}

fn set_entry(machine: &Machine, table: u64, index: u64, entry: u64) {
    machine.write_ram(table + 8 * index, &entry.to_le_bytes());
}

/// Switches the guest's MMU on, with 39-bit addresses in TTBR0 and no TTBR1. RAM stays where it
/// was.
fn switch_mmu_on(machine: &Machine) {
    const BLOCK: u64 = 0b01 | ACCESS_FLAG | INNER_SHAREABLE;
    const TABLE: u64 = 0b11;
    const PAGE: u64 = 0b11 | ACCESS_FLAG | INNER_SHAREABLE;
    set_entry(machine, LEVEL_1, RAM >> 30, RAM | BLOCK);
    set_entry(machine, LEVEL_1, WINDOW >> 30, LEVEL_2 | TABLE);
    set_entry(machine, LEVEL_2, 0, LEVEL_3 | TABLE);
    set_entry(machine, LEVEL_3, 5, (RAM + 0x9000) | PAGE);
    set_entry(machine, LEVEL_3, 6, (RAM + 0x6000) | PAGE | READ_ONLY);
    let cpu = &machine.cpus[0];
    cpu.set(MAIR_EL1, 0xff);
    cpu.set(TCR_EL1, 25 | 1 << 23 | 0b010 << 32);
    cpu.set(TTBR0_EL1, LEVEL_1);
    cpu.set(SCTLR_EL1, cpu.get(SCTLR_EL1) | 1);
}

fn without_mmu_an_address_is_itself() {
    let mut machine = machine();
    for access in [READ, WRITE] {
        for va in [0, RAM + 0x123, 0x0a00_0000] {
            assert_eq!(translate(&mut machine, va, access), Some(va), "{va:#x}");
        }
    }
}

fn with_mmu_the_callers_tables_decide() {
    let mut machine = machine();
    switch_mmu_on(&machine);
    let mut at = |va, access| translate(&mut machine, va, access);
    assert_eq!(at(RAM + 0x1234, READ), Some(RAM + 0x1234), "a block");
    assert_eq!(at(WINDOW + 0x5678, READ), Some(RAM + 0x9678), "a page");
    assert_eq!(at(WINDOW + 0x5678, WRITE), Some(RAM + 0x9678), "a page");
    assert_eq!(
        at(WINDOW + 0x6678, READ),
        Some(RAM + 0x6678),
        "a page for reading"
    );
    assert_eq!(at(WINDOW + 0x6678, WRITE), None, "a page for reading");
    assert_eq!(at(WINDOW + 0x7000, READ), None, "a page that is not there");
    assert_eq!(
        at(WINDOW + (1 << 21), READ),
        None,
        "a table that is not there"
    );
    assert_eq!(at(0, READ), None, "a block that is not there");
    assert_eq!(at(1 << 39, READ), None, "more bits than TCR has");
    assert_eq!(at(u64::MAX << 39, READ), None, "no TTBR1");
}

fn a_change_of_the_tables_is_seen_by_the_next_call() {
    let mut machine = machine();
    switch_mmu_on(&machine);
    assert_eq!(translate(&mut machine, WINDOW + 0x7008, READ), None);
    set_entry(&machine, LEVEL_3, 7, (RAM + 0x3000) | 0b11 | ACCESS_FLAG);
    assert_eq!(
        translate(&mut machine, WINDOW + 0x7008, READ),
        Some(RAM + 0x3008)
    );
}

fn tables_outside_ram_end_the_walk() {
    let mut machine = machine();
    switch_mmu_on(&machine);
    for table in [
        0,
        RAM - 0x1000,
        RAM + 0x20_0000,
        0x7f_0100_2000,
        0xffff_ffff_f000,
    ] {
        set_entry(&machine, LEVEL_2, 1, table | 0b11);
        assert_eq!(
            translate(&mut machine, WINDOW + (1 << 21), READ),
            None,
            "{table:#x}"
        );
    }
    assert!(
        machine.cpus[0].log.secure.is_empty(),
        "and no device sees it"
    );
}

pub(super) fn tests() -> Vec<Trial> {
    trials![
        without_mmu_an_address_is_itself,
        with_mmu_the_callers_tables_decide,
        a_change_of_the_tables_is_seen_by_the_next_call,
        tables_outside_ram_end_the_walk,
    ]
}
