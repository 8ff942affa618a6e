// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who calls, and by which instruction.

use crate::note::{CALLER_AARCH32, CALLER_AARCH64, CONDUIT_HVC, CONDUIT_SMC};

/// The execution state of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Width {
    /// 64-bit.
    AArch64,
    /// 32-bit: r0 to r14 are the low halves of x0 to x14.
    AArch32,
}

impl Width {
    /// Both of them.
    pub const ALL: [Width; 2] = [Width::AArch64, Width::AArch32];

    /// Returns the bit of [`Note::callers`](crate::note::Note::callers) that lets such callers enter.
    pub const fn note_bit(self) -> u32 {
        match self {
            Width::AArch64 => CALLER_AARCH64,
            Width::AArch32 => CALLER_AARCH32,
        }
    }

    /// Returns its name in lower case, as `board.toml` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Width::AArch64 => "aarch64",
            Width::AArch32 => "aarch32",
        }
    }
}

/// The instruction that made a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Conduit {
    /// Secure Monitor Call.
    Smc,
    /// Hypervisor Call.
    Hvc,
}

impl Conduit {
    /// Both of them.
    pub const ALL: [Conduit; 2] = [Conduit::Smc, Conduit::Hvc];

    /// Returns the bit of [`Note::conduits`](crate::note::Note::conduits) that names it.
    pub const fn note_bit(self) -> u32 {
        match self {
            Conduit::Smc => CONDUIT_SMC,
            Conduit::Hvc => CONDUIT_HVC,
        }
    }

    /// Returns its name in lower case, as `board.toml` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Conduit::Smc => "smc",
            Conduit::Hvc => "hvc",
        }
    }
}

impl core::fmt::Display for Conduit {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_bit_of_its_own_in_the_note() {
        assert_eq!(Width::ALL.map(Width::note_bit), [1, 2]);
        assert_eq!(Conduit::ALL.map(Conduit::note_bit), [1, 2]);
    }
}
