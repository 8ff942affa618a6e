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
fn everything_below_the_window_is_device_and_the_window_is_empty() {
    let tables = Tables::new();
    expect(&tables, 0, Access::Device);
    expect(&tables, MONITOR_BASE - PAGE, Access::Device);
    assert_eq!(walk(&tables, MONITOR_BASE), None);
    assert_eq!(walk(&tables, vcpu_block(0)), None);
    assert_eq!(
        tables.to_bytes().len(),
        0x1000,
        "1 GiB blocks need no further table"
    );
}

#[test]
fn a_page_in_a_block_changes_nothing_around_it() {
    let mut tables = Tables::new();
    tables.map(0x4000_1000, PAGE, Access::Write);
    expect(&tables, 0x4000_0000, Access::Device);
    expect(&tables, 0x4000_1000, Access::Write);
    expect(&tables, 0x4000_2000, Access::Device);
    expect(&tables, 0x4020_0000, Access::Device);
}

#[test]
fn large_ranges_use_large_blocks() {
    let mut tables = Tables::new();
    tables.map(0x4000_0000, (1 << 30) + (2 << 20) + PAGE, Access::Read);
    assert_eq!(walk(&tables, 0x4000_0000).expect("mapped").1, 1);
    assert_eq!(walk(&tables, 0x8000_0000).expect("mapped").1, 2);
    assert_eq!(walk(&tables, 0x8020_0000).expect("mapped").1, 3);
    expect(&tables, 0x8020_1000, Access::Device);
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
