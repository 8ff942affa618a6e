// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Stage-1 translation of a guest's addresses, by walking the guest's own tables.
//!
//! A caller that hands its firmware a pointer hands over a virtual address, and the monitor VM sees
//! the guest's RAM by physical address. So the shim walks the caller's tables, for the host call
//! TRANSLATE and to read the instruction at a caller's PC. [`translate`] answers what the
//! architecture's own instructions for the question would have answered at EL1: AT S1E1R and AT
//! S1E1W, or ATS1CPR and ATS1CPW for a 32-bit caller (Arm ARM, DDI 0487, D8 and G5).
//!
//! The tables are hostile: any value in any place, changing while they are read. Nothing here
//! believes them. A walk has at most four levels and reads each descriptor once, every read goes
//! through a closure that knows what is RAM, and whoever uses the physical address that comes out
//! has to look it up in RAM again.
//!
//! What is left out, on purpose:
//! - Updates. Where hardware manages the access flag or the dirty state, the walk goes on as if it
//!   had written them, and leaves that to the guest's next access of its own.
//! - PSTATE.PAN and, in 32-bit state, domains (all are taken as *client*): they guard a kernel
//!   against its own stray accesses, and a call's argument is none.
//! - Execute permissions.
//! - 52-bit addresses, 128-bit descriptors and permission overlays, which are
//!   [`TranslateError::Unsupported`].

mod aarch32;
mod aarch64;
mod long;
mod short;

use std::fmt;

use crate::width::Width;

/// Registers that define the translation of a guest's EL1&0 accesses, as KVM shows them.
///
/// A 32-bit guest's registers are the AArch64 ones they are mapped to: TTBCR is the low half of
/// TCR_EL1 and TTBCR2 its high half. Registers that a vCPU does not have are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Regime {
    /// Execution state of the guest's EL1.
    pub width: Width,
    /// SCTLR_EL1 or SCTLR.
    pub sctlr: u64,
    /// TCR_EL1, or TTBCR and TTBCR2.
    pub tcr: u64,
    /// TCR2_EL1 (FEAT_TCR2).
    pub tcr2: u64,
    /// PIR_EL1 (FEAT_S1PIE).
    pub pir: u64,
    /// TTBR0_EL1 or TTBR0.
    pub ttbr0: u64,
    /// TTBR1_EL1 or TTBR1.
    pub ttbr1: u64,
}

/// What EL1 wants to do at the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Load from it.
    Read,
    /// Store to it.
    Write,
}

/// Kind of a stage-1 fault (Arm ARM D8.15, G5.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The descriptor is invalid.
    Translation,
    /// An address has more bits than the regime's outputs.
    AddressSize,
    /// The mapping has not been used yet and hardware may not mark it.
    AccessFlag,
    /// EL1 may not do this here.
    Permission,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Translation => "translation fault",
            Fault::AddressSize => "address size fault",
            Fault::AccessFlag => "access flag fault",
            Fault::Permission => "permission fault",
        })
    }
}

/// Why an address has no translation.
///
/// The guest's registers and tables are the reason every time, except for
/// [`Unsupported`](TranslateError::Unsupported), which is a limit of the shim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TranslateError {
    /// The address lies between the guest's two regions, or walks of its region are disabled.
    #[error("the guest's TCR or TTBCR gives this address no translation table")]
    NoTable,
    /// The walk ended as an access of the guest would have.
    #[error(
        "{kind} at level {level} in the guest's translation tables, descriptor {descriptor:#x}"
    )]
    Fault {
        /// What the guest would have seen.
        kind: Fault,
        /// Level of the table that holds the descriptor; 0 also for what comes before the tables.
        level: u32,
        /// The descriptor; for an address size fault before the tables the TTBR, or the address
        /// itself if the MMU is off.
        descriptor: u64,
    },
    /// A table is not in the guest's RAM.
    #[error("the guest's translation table of level {level} at {address:#x} is not in its RAM")]
    NotRam {
        /// Level of the table.
        level: u32,
        /// Guest physical address of the descriptor that was to be read.
        address: u64,
    },
    /// The guest uses a form of translation that the shim does not know.
    #[error("the guest's translation uses {0}, which the shim does not support")]
    Unsupported(&'static str),
}

/// Reads 4 or 8 little-endian bytes at a guest physical address; `None` where there is no RAM.
type Read<'a> = dyn FnMut(u64, usize) -> Option<u64> + 'a;

/// Returns the guest physical address that `access` to `va` at EL1 would reach.
///
/// `read` is given the guest physical address of a descriptor, aligned to its size, and the size of
/// 4 or 8 bytes. It returns the bytes as a little-endian number, or `None` if they are not in RAM.
pub(crate) fn translate(
    regime: &Regime,
    va: u64,
    access: Access,
    read: &mut dyn FnMut(u64, usize) -> Option<u64>,
) -> Result<u64, TranslateError> {
    match regime.width {
        Width::AArch64 => aarch64::translate(regime, va, access, read),
        Width::AArch32 => aarch32::translate(regime, va, access, read),
    }
}

impl Regime {
    /// SCTLR.M: whether there is a stage 1 at all.
    fn mmu_on(&self) -> bool {
        bit(self.sctlr, 0)
    }

    /// SCTLR.EE: the byte order of descriptors.
    fn big_endian(&self) -> bool {
        bit(self.sctlr, 25)
    }
}

/// Whether bit `at` of `value` is set.
fn bit(value: u64, at: u32) -> bool {
    value >> at & 1 != 0
}

/// The `width` bits of `value` from bit `low` up.
fn field(value: u64, low: u32, width: u32) -> u64 {
    value >> low & ones(width)
}

/// A number whose low `width` bits are set; `width` is below 64.
const fn ones(width: u32) -> u64 {
    (1 << width) - 1
}

#[cfg(test)]
mod tests;
