// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Walks the tables as the CPU would, and checks what it finds.

use super::*;
use fakemon_abi::layout::{MONITOR_BASE, vcpu_block};

/// Where the tables of these tests lie in stage 2.
const ROOT: u64 = 0xff_c000_4000;

fn new() -> Tables {
    Tables::new(ROOT, MONITOR_BASE)
}

/// A block or page that tables map.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub(crate) address: u64,
    pub(crate) physical: u64,
    pub(crate) size: u64,
    pub(crate) access: Access,
}

/// All that tables at `root` map, ascending.
pub(crate) fn leaves(bytes: &[u8], root: u64) -> Vec<Leaf> {
    let mut found = Vec::new();
    descend(bytes, root, (root, 0, 1), &mut found);
    found
}

/// Goes through the table at the first number, which is for addresses from the second, of that level.
fn descend(bytes: &[u8], root: u64, table: (u64, u64, usize), found: &mut Vec<Leaf>) {
    let (at, first, level) = table;
    let start = (at - root) as usize;
    let entries = bytes[start..start + PAGE as usize].chunks_exact(8);
    for (address, entry) in (first..).step_by(SPAN[level] as usize).zip(entries) {
        let entry = u64::from_le_bytes(entry.try_into().expect("eight bytes"));
        let next = entry & ADDRESS;
        match entry & 0b11 {
            0b11 if level < 3 => descend(bytes, root, (next, address, level + 1), found),
            0b01 | 0b11 => {
                let kinds = [Access::Read, Access::Write, Access::Execute, Access::Device];
                let is_it = |access: &Access| entry & !ADDRESS == attributes(*access, level);
                found.push(Leaf {
                    address,
                    physical: next,
                    size: SPAN[level],
                    access: kinds.into_iter().find(is_it).expect("known attributes"),
                });
            }
            _ => {}
        }
    }
}

/// The descriptor that translates `address`, with the level that holds it.
fn walk(tables: &Tables, address: u64) -> Option<(u64, usize)> {
    let bytes = tables.to_bytes();
    let mut table = 0;
    for (level, &span) in SPAN.iter().enumerate().skip(1) {
        let at = table + (address / span) as usize % ENTRIES * 8;
        let entry = u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        match entry & 0b11 {
            0b11 if level < 3 => table = ((entry & ADDRESS) - ROOT) as usize,
            0b01 if level < 3 => return Some((entry, level)),
            0b11 => return Some((entry, level)),
            _ => return None,
        }
    }
    None
}

#[track_caller]
fn expect(tables: &Tables, address: u64, physical: u64, access: Access) {
    let (entry, level) = walk(tables, address).expect("mapped");
    assert_eq!(
        (entry & ADDRESS) + address % SPAN[level],
        physical,
        "where {address:#x} is in stage 2"
    );
    assert_eq!(
        entry & !ADDRESS,
        attributes(access, level),
        "attributes at {address:#x}"
    );
}

#[test]
fn everything_below_the_window_is_memory_that_nobody_executes_and_the_window_is_empty() {
    let tables = new();
    expect(&tables, 0, 0, Access::Write);
    expect(
        &tables,
        MONITOR_BASE - PAGE,
        MONITOR_BASE - PAGE,
        Access::Write,
    );
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
    let mut tables = new();
    let block = vcpu_block(3);
    tables.map(block, ROOT - PAGE, PAGE, Access::Device);
    tables.map(block + 2 * PAGE, ROOT - 3 * PAGE, PAGE, Access::Execute);
    expect(&tables, block, ROOT - PAGE, Access::Device);
    expect(&tables, block + 2 * PAGE, ROOT - 3 * PAGE, Access::Execute);
    for around in [block - PAGE, block + PAGE, block + 3 * PAGE] {
        assert_eq!(walk(&tables, around), None, "{around:#x}");
    }
    expect(
        &tables,
        MONITOR_BASE - PAGE,
        MONITOR_BASE - PAGE,
        Access::Write,
    );
}

#[test]
fn large_ranges_use_large_blocks_where_both_addresses_allow() {
    const SIZE: u64 = (1 << 30) + (2 << 20) + PAGE;
    let levels = |physical| {
        let mut tables = new();
        tables.map(MONITOR_BASE, physical, SIZE, Access::Read);
        for offset in [0, (SIZE / 2) & !(PAGE - 1), SIZE - PAGE] {
            expect(
                &tables,
                MONITOR_BASE + offset,
                physical + offset,
                Access::Read,
            );
        }
        [0, 1 << 30, SIZE - PAGE, SIZE].map(|offset| {
            let found = walk(&tables, MONITOR_BASE + offset);
            found.map(|(_, level)| level)
        })
    };
    assert_eq!(levels(0x80_0000_0000), [Some(1), Some(2), Some(3), None]);
    assert_eq!(levels(0x80_0020_0000), [Some(2), Some(2), Some(3), None]);
    assert_eq!(levels(0x80_0020_1000), [Some(3), Some(3), Some(3), None]);
}

#[test]
fn the_guests_addresses_may_end_anywhere() {
    let end = (1 << 30) * 3 + (2 << 20) + PAGE;
    let tables = Tables::new(ROOT, end);
    expect(&tables, end - PAGE, end - PAGE, Access::Write);
    assert_eq!(walk(&tables, end), None);
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
