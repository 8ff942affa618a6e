// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The registers of a caller of either execution state.

pub use fakemon_abi::{Conduit, Width};

/// The bits of a register; an AArch32 caller's r0 to r12 are the low halves of x0 to x12 (Arm ARM
/// D1.20.1).
pub(crate) fn register_mask(width: Width) -> u64 {
    match width {
        Width::AArch64 => u64::MAX,
        Width::AArch32 => u32::MAX.into(),
    }
}
