// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Walks the tables as the CPU would, and checks what it finds.

use super::*;
use fakemon_abi::layout::vcpu_block;

/// The descriptor that translates `address`, with the level that holds it.
fn walk(tables: &Tables, address: u64) -> Option<(u64, usize)> {
    let bytes = tables.to_bytes();
    let mut table = 0;
    for (level, &span) in SPAN.iter().enumerate().skip(1) {
        let at = table + (address / span) as usize % ENTRIES * 8;
        let entry = u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        match entry & 0b11 {
            0b11 if level < 3 => table = ((entry & ADDRESS) - TABLES_BASE) as usize,
            0b01 if level < 3 => return Some((entry, level)),
            0b11 => return Some((entry, level)),
            _ => return None,
        }
    }
    None
}

#[track_caller]
fn expect(tables: &Tables, address: u64, access: Access) {
    let (entry, level) = walk(tables, address).expect("mapped");
    assert_eq!(
        entry & ADDRESS,
        address & !(SPAN[level] - 1),
        "mapped one to one"
    );
    assert_eq!(
        entry & !ADDRESS,
        attributes(access, level),
        "attributes at {address:#x}"
    );
}

#[test]
fn everything_below_the_window_is_memory_that_nobody_executes_and_the_window_is_empty() {
    let tables = Tables::new();
    expect(&tables, 0, Access::Write);
    expect(&tables, MONITOR_BASE - PAGE, Access::Write);
    assert_eq!(walk(&tables, MONITOR_BASE), None);
    assert_eq!(walk(&tables, vcpu_block(0)), None);
    assert_eq!(
        tables.to_bytes().len(),
        0x1000,
        "1 GiB blocks need no further table"
    );
}

#[test]
fn a_page_changes_nothing_around_it() {
    let mut tables = Tables::new();
    let block = vcpu_block(3);
    tables.map(block, PAGE, Access::Device);
    tables.map(block + 2 * PAGE, PAGE, Access::Execute);
    expect(&tables, block, Access::Device);
    expect(&tables, block + 2 * PAGE, Access::Execute);
    for around in [block - PAGE, block + PAGE, block + 3 * PAGE] {
        assert_eq!(walk(&tables, around), None, "{around:#x}");
    }
    expect(&tables, MONITOR_BASE - PAGE, Access::Write);
}

#[test]
fn large_ranges_use_large_blocks() {
    let mut tables = Tables::new();
    tables.map(MONITOR_BASE, (1 << 30) + (2 << 20) + PAGE, Access::Read);
    let level = |address| walk(&tables, MONITOR_BASE + address).map(|(_, level)| level);
    assert_eq!(level(0), Some(1));
    assert_eq!(level(1 << 30), Some(2));
    assert_eq!(level((1 << 30) + (2 << 20)), Some(3));
    assert_eq!(level((1 << 30) + (2 << 20) + PAGE), None);
}

#[test]
fn nothing_is_both_writable_and_executable() {
    for access in [Access::Read, Access::Write, Access::Execute, Access::Device] {
        let bits = attributes(access, 3);
        let writable = bits & (1 << 7) == 0;
        let executable = bits & (1 << 53) == 0;
        assert!(!(writable && executable), "{access:?}");
        assert_ne!(
            bits & (1 << 54),
            0,
            "{access:?} must not be executable at EL0"
        );
    }
}
