// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Stage-1 translation tables of the monitor VM (Arm ARM D8.3, 4 KiB granule, 39-bit addresses).
//!
//! The shim writes them once, before the blob runs. They say where a piece of the monitor's lies in stage
//! 2, and what stage 2 cannot say: memory types and W^X. Below the monitor's window addresses are the
//! guest's and map to themselves, and everything is Normal memory that nobody can execute. What of it
//! there really is, and whether it can be written, is stage 2's to say, so that these tables stay as they
//! are when the guest's memory changes: an access to an address without memory exits, one by one, whatever
//! its type here. Inside the window only what is named is mapped.
//!
//! The granule is 4 KiB on every host, whatever the pages of stage 2 are.

use fakemon_abi::layout::VA_BITS;

/// What the blob may do with a range, and how it is cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Normal memory, read-only.
    Read,
    /// Normal memory, read and write.
    Write,
    /// Normal memory, read and execute.
    Execute,
    /// Device-nGnRE, read and write.
    Device,
}

/// Value of MAIR_EL1: attribute 0 is Normal write-back, attribute 1 is Device-nGnRE.
pub(crate) const MAIR: u64 = 0x04ff;
/// Value of TCR_EL1: 39-bit TTBR0 with cacheable, inner-shareable walks, no TTBR1, 40-bit output.
pub(crate) const TCR: u64 =
    (64 - VA_BITS as u64) | 0b01 << 8 | 0b01 << 10 | 0b11 << 12 | 1 << 23 | 0b010 << 32;

/// Bytes that one last-level descriptor maps.
pub(crate) const PAGE: u64 = 0x1000;
const ENTRIES: usize = 512;
/// Bytes that one descriptor of level 1, 2, 3 maps.
const SPAN: [u64; 4] = [0, 1 << 30, 1 << 21, PAGE];

const VALID: u64 = 1 << 0;
/// A table at levels 1 and 2, a page at level 3.
const TABLE_OR_PAGE: u64 = 1 << 1;
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// The tables under construction; page 0 is the level-1 table.
#[derive(Debug)]
pub(crate) struct Tables {
    pages: Vec<[u64; ENTRIES]>,
    root: u64,
}

impl Tables {
    /// Starts with the guest's addresses, up to `guest_end`, and nothing above. The tables will lie at
    /// `root` and up in stage 2.
    pub(crate) fn new(root: u64, guest_end: u64) -> Self {
        let mut tables = Tables {
            pages: vec![[0; ENTRIES]],
            root,
        };
        tables.map(0, 0, guest_end, Access::Write);
        tables
    }

    /// Maps `address..address + size` to `physical` and up. All are multiples of [`PAGE`], the addresses
    /// inside the 39-bit space, and nothing is mapped there yet.
    pub(crate) fn map(&mut self, address: u64, physical: u64, size: u64, access: Access) {
        debug_assert!(
            (address | physical | size).is_multiple_of(PAGE) && address + size <= 1 << VA_BITS
        );
        let mut done = 0;
        while done < size {
            done += self.map_one(address + done, physical + done, size - done, access);
        }
    }

    /// Writes the largest descriptor that fits at `at` into `room` bytes, and returns what it
    /// covers.
    fn map_one(&mut self, at: u64, physical: u64, room: u64, access: Access) -> u64 {
        let mut table = 0;
        for (level, &span) in SPAN.iter().enumerate().skip(1) {
            let index = (at / span) as usize % ENTRIES;
            if (at | physical).is_multiple_of(span) && room >= span {
                self.pages[table][index] = physical | attributes(access, level);
                return span;
            }
            table = self.descend(table, index);
        }
        unreachable!("addresses and sizes are multiples of a page")
    }

    /// Returns the table below a descriptor, and makes it where there is none.
    fn descend(&mut self, table: usize, index: usize) -> usize {
        let old = self.pages[table][index];
        if old & (VALID | TABLE_OR_PAGE) == VALID | TABLE_OR_PAGE {
            return ((old & ADDRESS) - self.root) as usize / PAGE as usize;
        }
        debug_assert!(old & VALID == 0, "something is mapped there");
        self.pages.push([0; ENTRIES]);
        let new = self.pages.len() - 1;
        self.pages[table][index] = (self.root + new as u64 * PAGE) | VALID | TABLE_OR_PAGE;
        new
    }

    /// The tables as they lie in memory.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.pages
            .iter()
            .flatten()
            .flat_map(|entry| entry.to_le_bytes())
            .collect()
    }
}

/// Lower and upper attributes of a block or page descriptor (Arm ARM D8.3.2). EL0 can never reach
/// or execute it.
fn attributes(access: Access, level: usize) -> u64 {
    const ACCESS_FLAG: u64 = 1 << 10;
    const INNER_SHAREABLE: u64 = 0b11 << 8;
    const READ_ONLY: u64 = 1 << 7;
    const DEVICE: u64 = 1 << 2;
    const PXN: u64 = 1 << 53;
    const UXN: u64 = 1 << 54;

    let kind = VALID | if level == 3 { TABLE_OR_PAGE } else { 0 };
    kind | ACCESS_FLAG
        | UXN
        | match access {
            Access::Read => INNER_SHAREABLE | READ_ONLY | PXN,
            Access::Write => INNER_SHAREABLE | PXN,
            Access::Execute => INNER_SHAREABLE | READ_ONLY,
            Access::Device => DEVICE | PXN,
        }
}

#[cfg(test)]
pub(crate) mod tests;
