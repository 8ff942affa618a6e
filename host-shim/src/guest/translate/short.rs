// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The short-descriptor format of 32-bit guests: two levels of 32-bit descriptors (Arm ARM G5.4).

use super::{Access, Fault, Read, Regime, TranslateError, bit, field, ones};

// TTBCR: N is the number of top bits that must be 0 for TTBR0 to be used.
const N: u32 = 0;
const PD0: u32 = 4;
const PD1: u32 = 5;

/// SCTLR.AFE: AP[0] is an access flag.
const AFE: u32 = 29;

const SECTION_BITS: u32 = 20;
const SUPERSECTION_BITS: u32 = 24;
const LARGE_PAGE_BITS: u32 = 16;
const SMALL_PAGE_BITS: u32 = 12;

// Descriptor types, bits 1:0. Bit 0 of the two-valued ones is PXN or XN.
const INVALID: u64 = 0b00;
const TABLE: u64 = 0b01;
const LARGE_PAGE: u64 = 0b01;
/// Bit of a section that makes it a supersection.
const SUPERSECTION: u32 = 18;

/// A descriptor, and where it was found.
#[derive(Clone, Copy)]
struct Descriptor {
    value: u64,
    level: u32,
}

pub(super) fn translate(
    regime: &Regime,
    va: u32,
    access: Access,
    read: &mut Read<'_>,
) -> Result<u64, TranslateError> {
    let va = u64::from(va);
    let first = load(regime, first_address(regime, va)?, 1, read)?;
    if first.kind() != TABLE {
        first.check(regime, access, 10, 15)?;
        return Ok(first.section(va));
    }

    // A table of level 2 has 256 descriptors.
    let table = first.value & !ones(10);
    let address = table | field(va, SMALL_PAGE_BITS, SECTION_BITS - SMALL_PAGE_BITS) << 2;
    let second = load(regime, address, 2, read)?;
    second.check(regime, access, 4, 9)?;
    let span_bits = if second.kind() == LARGE_PAGE {
        LARGE_PAGE_BITS
    } else {
        SMALL_PAGE_BITS
    };
    Ok(second.value & !ones(span_bits) | va & ones(span_bits))
}

/// Address of the level-1 descriptor: the table of TTBR0 shrinks by N, that of TTBR1 does not.
fn first_address(regime: &Regime, va: u64) -> Result<u64, TranslateError> {
    let n = field(regime.tcr, N, 3) as u32;
    let (ttbr, walk_disable, input_bits) = if va >> (32 - n) == 0 {
        (regime.ttbr0, PD0, 32 - n)
    } else {
        (regime.ttbr1, PD1, 32)
    };
    if bit(regime.tcr, walk_disable) {
        return Err(TranslateError::NoTable);
    }
    let index_bits = input_bits - SECTION_BITS;
    let table = field(ttbr, 0, 32) & !ones(index_bits + 2);
    Ok(table | field(va, SECTION_BITS, index_bits) << 2)
}

/// Reads a descriptor, and lets only a valid one pass.
fn load(
    regime: &Regime,
    address: u64,
    level: u32,
    read: &mut Read<'_>,
) -> Result<Descriptor, TranslateError> {
    let value = read(address, 4).ok_or(TranslateError::NotRam { level, address })? as u32;
    let value = if regime.big_endian() {
        value.swap_bytes()
    } else {
        value
    };
    let descriptor = Descriptor {
        value: value.into(),
        level,
    };
    if descriptor.kind() == INVALID {
        descriptor.fault(Fault::Translation)
    } else {
        Ok(descriptor)
    }
}

impl Descriptor {
    fn kind(self) -> u64 {
        field(self.value, 0, 2)
    }

    /// Output of a section, or of a supersection, which has bits 39:32 of it in two places.
    fn section(self, va: u64) -> u64 {
        if !bit(self.value, SUPERSECTION) {
            return self.value & !ones(SECTION_BITS) | va & ones(SECTION_BITS);
        }
        let high = field(self.value, 5, 4) << 36 | field(self.value, 20, 4) << 32;
        high | self.value & !ones(SUPERSECTION_BITS) | va & ones(SUPERSECTION_BITS)
    }

    /// Checks AP, whose bits 1:0 are at `low` and bit 2 at `high` (G5.6).
    ///
    /// AP[2] forbids writing. AP[1:0] of 0 is no access at all, unless AP[0] is an access flag.
    fn check(
        self,
        regime: &Regime,
        access: Access,
        low: u32,
        high: u32,
    ) -> Result<(), TranslateError> {
        if bit(regime.sctlr, AFE) {
            if !bit(self.value, low) {
                return self.fault(Fault::AccessFlag);
            }
        } else if field(self.value, low, 2) == 0 {
            return self.fault(Fault::Permission);
        }
        if access == Access::Write && bit(self.value, high) {
            return self.fault(Fault::Permission);
        }
        Ok(())
    }

    fn fault<T>(self, kind: Fault) -> Result<T, TranslateError> {
        Err(TranslateError::Fault {
            kind,
            level: self.level,
            descriptor: self.value,
        })
    }
}
