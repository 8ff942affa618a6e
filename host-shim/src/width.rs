// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Execution state of a caller, and the way by which it called.

/// Execution state of a guest's EL1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 64-bit registers x0 to x30.
    AArch64,
    /// 32-bit registers r0 to r12 in the low halves of x0 to x12 (Arm ARM D1.20.1).
    AArch32,
}

impl Width {
    /// The bits of a register.
    pub(crate) fn mask(self) -> u64 {
        match self {
            Width::AArch64 => u64::MAX,
            Width::AArch32 => u32::MAX.into(),
        }
    }
}

/// Instruction by which a guest calls its firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduit {
    /// Secure Monitor Call.
    Smc,
    /// Hypervisor Call.
    Hvc,
}

impl std::fmt::Display for Conduit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Conduit::Smc => "smc",
            Conduit::Hvc => "hvc",
        })
    }
}
