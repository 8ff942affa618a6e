// SPDX-License-Identifier: Apache-2.0 OR MIT
//! VMSAv8-32: TTBCR picks the format and the table for a 32-bit address (Arm ARM G5.4, G5.5).

use super::long::{Permissions, Walk};
use super::{Access, Read, Regime, TranslateError, bit, field, short};

// TTBCR, and TTBCR2 from bit 32 on.
const T0SZ: u32 = 0;
const T2E: u32 = 6;
const EPD0: u32 = 7;
const T1SZ: u32 = 16;
const EPD1: u32 = 23;
const EAE: u32 = 31;
const HPD0: u32 = 32 + 9;
const HPD1: u32 = 32 + 10;

pub(super) fn translate(
    regime: &Regime,
    va: u64,
    access: Access,
    read: &mut Read<'_>,
) -> Result<u64, TranslateError> {
    let va32 = u32::try_from(va).map_err(|_| TranslateError::NoTable)?;
    if !regime.mmu_on() {
        return Ok(va);
    }
    if bit(regime.tcr, EAE) {
        long_walk(regime, va)?.run(va, access, read)
    } else {
        short::translate(regime, va32, access, read)
    }
}

/// Selects the region of an address in the long-descriptor format (G5.5).
///
/// A size of 0 stands for "what the other one leaves over", which for both of them is TTBR0.
fn long_walk(regime: &Regime, va: u64) -> Result<Walk, TranslateError> {
    let tcr = regime.tcr;
    let lower_bits = 32 - field(tcr, T0SZ, 3) as u32;
    let upper_bits = 32 - field(tcr, T1SZ, 3) as u32;

    let in_lower = va >> lower_bits == 0;
    let in_upper = if upper_bits == 32 {
        !in_lower
    } else {
        va >= (1 << 32) - (1 << upper_bits)
    };
    let (table, input_bits, walk_disable, hierarchical_disable) = if in_upper {
        (regime.ttbr1, upper_bits, EPD1, HPD1)
    } else if in_lower {
        (regime.ttbr0, lower_bits, EPD0, HPD0)
    } else {
        return Err(TranslateError::NoTable);
    };
    if bit(tcr, walk_disable) {
        return Err(TranslateError::NoTable);
    }

    Ok(Walk {
        table,
        input_bits,
        page_bits: 12,
        output_bits: 40,
        big_endian: regime.big_endian(),
        hierarchical: !(bit(tcr, T2E) && bit(tcr, hierarchical_disable)),
        hardware_access: false,
        hardware_dirty: false,
        permissions: Permissions::Direct,
    })
}
