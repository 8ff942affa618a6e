// SPDX-License-Identifier: Apache-2.0 OR MIT
//! VMSAv8-64: TCR_EL1 picks a table and its shape for an address (Arm ARM D8.2).

use super::long::{Permissions, Walk};
use super::{Access, Fault, Read, Regime, TranslateError, bit, field};

/// Largest output without FEAT_LPA and FEAT_LPA2.
const MAX_OUTPUT_BITS: u32 = 48;

/// Places of the fields that TCR_EL1 has once for each of its two regions.
struct Fields {
    size_offset: u32,
    walk_disable: u32,
    granule: u32,
    /// log2 of the page size by the value of the granule field, 0 where the value is reserved.
    page_bits: [u32; 4],
    top_byte_ignore: u32,
    hierarchical_disable: u32,
}

/// T0SZ, EPD0, TG0, TBI0, HPD0.
const LOWER: Fields = Fields {
    size_offset: 0,
    walk_disable: 7,
    granule: 14,
    page_bits: [12, 16, 14, 0],
    top_byte_ignore: 37,
    hierarchical_disable: 41,
};

/// T1SZ, EPD1, TG1, TBI1, HPD1.
const UPPER: Fields = Fields {
    size_offset: 16,
    walk_disable: 23,
    granule: 30,
    page_bits: [0, 14, 12, 16],
    top_byte_ignore: 38,
    hierarchical_disable: 42,
};

// TCR_EL1.
const IPS: u32 = 32;
const HA: u32 = 39;
const HD: u32 = 40;
const DS: u32 = 59;

// TCR2_EL1.
const PIE: u32 = 1;
const E0POE: u32 = 2;
const POE: u32 = 3;
const D128: u32 = 5;

pub(super) fn translate(
    regime: &Regime,
    va: u64,
    access: Access,
    read: &mut Read<'_>,
) -> Result<u64, TranslateError> {
    // Bit 55 selects the region, whether or not a tag lies above it.
    let upper = bit(va, 55);
    let (fields, ttbr) = if upper {
        (&UPPER, regime.ttbr1)
    } else {
        (&LOWER, regime.ttbr0)
    };

    // A tag does not count, not even with the MMU off (D8.8).
    let ignore_tag = bit(regime.tcr, fields.top_byte_ignore);
    let va = if ignore_tag {
        (va.cast_signed() << 8 >> 8).cast_unsigned()
    } else {
        va
    };

    if !regime.mmu_on() {
        // The CPU's limit is PARange. What lies above it and below 2^48 is no RAM in any case.
        if va >> MAX_OUTPUT_BITS != 0 {
            return Err(TranslateError::Fault {
                kind: Fault::AddressSize,
                level: 0,
                descriptor: va,
            });
        }
        return Ok(va);
    }

    // Nobody needs to fill in the other fields of a region that is disabled.
    if bit(regime.tcr, fields.walk_disable) {
        return Err(TranslateError::NoTable);
    }
    let walk = walk(regime, fields, ttbr)?;
    let expected = if upper { -1 } else { 0 };
    if va.cast_signed() >> walk.input_bits != expected {
        return Err(TranslateError::NoTable);
    }
    walk.run(va, access, read)
}

/// Decodes the shape of one region's tables.
fn walk(regime: &Regime, fields: &Fields, ttbr: u64) -> Result<Walk, TranslateError> {
    let Regime { tcr, tcr2, .. } = *regime;
    if bit(tcr, DS) {
        return Err(TranslateError::Unsupported("52-bit addresses (TCR_EL1.DS)"));
    }
    if bit(tcr2, D128) {
        return Err(TranslateError::Unsupported(
            "128-bit descriptors (TCR2_EL1.D128)",
        ));
    }
    if bit(tcr2, POE) {
        return Err(TranslateError::Unsupported(
            "permission overlays (TCR2_EL1.POE)",
        ));
    }

    let page_bits = fields.page_bits[field(tcr, fields.granule, 2) as usize];
    if page_bits == 0 {
        return Err(TranslateError::Unsupported("a reserved granule size"));
    }

    // The smallest region is that of FEAT_TTST: 2^16 bytes, and more than one page.
    let size_offset = field(tcr, fields.size_offset, 6) as u32;
    if size_offset < 64 - 48 {
        return Err(TranslateError::Unsupported(
            "virtual addresses of more than 48 bits",
        ));
    }
    let input_bits = 64 - size_offset;
    if input_bits < 16 || input_bits <= page_bits {
        return Err(TranslateError::NoTable);
    }

    let output_bits = match field(tcr, IPS, 3) {
        0b000 => 32,
        0b001 => 36,
        0b010 => 40,
        0b011 => 42,
        0b100 => 44,
        0b101 => MAX_OUTPUT_BITS,
        // 52 bits come with DS, or with the 64K granule alone. Otherwise this means 48 bits.
        _ if page_bits < 16 => MAX_OUTPUT_BITS,
        _ => {
            return Err(TranslateError::Unsupported(
                "52-bit physical addresses (TCR_EL1.IPS)",
            ));
        }
    };

    let indirect = bit(tcr2, PIE);
    let hardware_access = bit(tcr, HA);
    Ok(Walk {
        table: ttbr,
        input_bits,
        page_bits,
        output_bits,
        big_endian: regime.big_endian(),
        // Indirect permissions and overlays make the limits in table descriptors void (D8.4).
        hierarchical: !bit(tcr, fields.hierarchical_disable) && !indirect && !bit(tcr2, E0POE),
        hardware_access,
        hardware_dirty: hardware_access && bit(tcr, HD),
        permissions: if indirect {
            Permissions::Indirect { pir: regime.pir }
        } else {
            Permissions::Direct
        },
    })
}
