// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The walk through tables of 64-bit descriptors, which both execution states have (Arm ARM D8.2 to
//! D8.4, G5.5).
//!
//! A table fills one page, and each level consumes as many bits of the address as index a page of
//! 8-byte descriptors; the last level, 3, consumes those above the offset in the page. The first
//! table may be smaller: it takes what is left over at the top.

use super::{Access, Fault, Read, TranslateError, bit, field, ones};

// Descriptors (D8.3).
const VALID: u32 = 0;
/// Table, or page at level 3; 0 is a block.
const TABLE_OR_PAGE: u32 = 1;
/// AP[2]. With indirect permissions the same bit says that the page is clean (nDirty).
const READ_ONLY: u32 = 7;
const ACCESS_FLAG: u32 = 10;
/// Hardware may turn a read-only mapping into a writable one.
const DIRTY_MODIFIER: u32 = 51;
/// APTable[1]: nothing below the table is writable.
const TABLE_READ_ONLY: u32 = 62;
/// Bits that can hold an address: those of a table, a page, or a TTBR.
const ADDRESS: u64 = ones(48);

const LAST_LEVEL: u32 = 3;

/// How descriptors encode what EL1 may do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Permissions {
    /// By their AP bits (D8.4).
    Direct,
    /// By an index into the register PIR_EL1 (FEAT_S1PIE, D8.4).
    Indirect { pir: u64 },
}

/// The tables of one region.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    /// The TTBR; bits 47:0 are the address of the first table.
    pub(super) table: u64,
    /// Bits of an address that the tables translate; above [`page_bits`](Self::page_bits).
    pub(super) input_bits: u32,
    /// log2 of the page size.
    pub(super) page_bits: u32,
    /// Bits of a physical address; 48 at most.
    pub(super) output_bits: u32,
    /// Descriptors are stored big-endian.
    pub(super) big_endian: bool,
    /// Table descriptors limit the permissions of what is below them.
    pub(super) hierarchical: bool,
    /// Hardware sets the access flag.
    pub(super) hardware_access: bool,
    /// Hardware manages the dirty state.
    pub(super) hardware_dirty: bool,
    pub(super) permissions: Permissions,
}

impl Walk {
    /// Translates `va`, whose bits above the region have been checked already.
    pub(super) fn run(
        &self,
        va: u64,
        access: Access,
        read: &mut Read<'_>,
    ) -> Result<u64, TranslateError> {
        let stride = self.page_bits - 3;
        let first_level = 4 - (self.input_bits - self.page_bits).div_ceil(stride);
        self.check_output(self.table, 0)?;

        let mut level = first_level;
        let mut table = self.table & ADDRESS;
        let mut index_top = self.input_bits;
        let mut read_only = false;
        loop {
            let span_bits = self.page_bits + stride * (LAST_LEVEL - level);
            let index_bits = index_top - span_bits;
            // A table is aligned to its size; bits below that are not part of its address.
            let base = table & !ones(index_bits + 3);
            let address = base | field(va, span_bits, index_bits) << 3;
            let descriptor = self.load(address, level, read)?;

            if level == LAST_LEVEL || !bit(descriptor, TABLE_OR_PAGE) {
                self.check_leaf(access, descriptor, level, read_only)?;
                return Ok(descriptor & ADDRESS & !ones(span_bits) | va & ones(span_bits));
            }
            self.check_output(descriptor, level)?;
            read_only |= self.hierarchical && bit(descriptor, TABLE_READ_ONLY);
            table = descriptor & ADDRESS;
            index_top = span_bits;
            level += 1;
        }
    }

    /// Reads a descriptor, and lets only a valid one pass.
    fn load(&self, address: u64, level: u32, read: &mut Read<'_>) -> Result<u64, TranslateError> {
        let value = read(address, 8).ok_or(TranslateError::NotRam { level, address })?;
        let descriptor = if self.big_endian {
            value.swap_bytes()
        } else {
            value
        };
        if bit(descriptor, VALID) {
            Ok(descriptor)
        } else {
            fault(Fault::Translation, level, descriptor)
        }
    }

    /// Checks a block or page in the architecture's order of faults.
    fn check_leaf(
        &self,
        access: Access,
        descriptor: u64,
        level: u32,
        read_only: bool,
    ) -> Result<(), TranslateError> {
        let is_page = bit(descriptor, TABLE_OR_PAGE);
        // Without 52-bit addresses blocks are 1 GiB, 2 MiB (4K); 32 MiB (16K); 512 MiB (64K).
        let first_block_level = if self.page_bits == 12 { 1 } else { 2 };
        if is_page != (level == LAST_LEVEL) || level < first_block_level {
            return fault(Fault::Translation, level, descriptor);
        }
        self.check_output(descriptor, level)?;
        if !bit(descriptor, ACCESS_FLAG) && !self.hardware_access {
            return fault(Fault::AccessFlag, level, descriptor);
        }
        if !self.permits(access, descriptor, read_only) {
            return fault(Fault::Permission, level, descriptor);
        }
        Ok(())
    }

    /// Whether EL1 may make this access; EL1 can read whatever AP maps.
    fn permits(&self, access: Access, descriptor: u64, read_only: bool) -> bool {
        let clean = bit(descriptor, READ_ONLY);
        match (self.permissions, access) {
            (Permissions::Direct, Access::Read) => true,
            (Permissions::Direct, Access::Write) => {
                let can_dirty = self.hardware_dirty && bit(descriptor, DIRTY_MODIFIER);
                !read_only && (!clean || can_dirty)
            }
            (Permissions::Indirect { pir }, Access::Read) => {
                matches!(indirect(pir, descriptor), 1 | 3 | 5..=10 | 12 | 14)
            }
            (Permissions::Indirect { pir }, Access::Write) => {
                matches!(indirect(pir, descriptor), 5..=7 | 12 | 14)
                    && (!clean || self.hardware_dirty)
            }
        }
    }

    /// Refuses a TTBR or descriptor whose address has more bits than the regime's outputs.
    fn check_output(&self, value: u64, level: u32) -> Result<(), TranslateError> {
        if (value & ADDRESS) >> self.output_bits == 0 {
            Ok(())
        } else {
            fault(Fault::AddressSize, level, value)
        }
    }
}

/// The field of PIR_EL1 that PIIndex, bits 54, 53, 51 and 6 of a descriptor, selects.
fn indirect(pir: u64, descriptor: u64) -> u64 {
    let index =
        field(descriptor, 53, 2) << 2 | field(descriptor, 51, 1) << 1 | field(descriptor, 6, 1);
    pir >> (index * 4) & 0xf
}

fn fault<T>(kind: Fault, level: u32, descriptor: u64) -> Result<T, TranslateError> {
    Err(TranslateError::Fault {
        kind,
        level,
        descriptor,
    })
}
