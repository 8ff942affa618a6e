// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Function identifiers as SMCCC lays them out (Arm DEN 0028, 2.5).

/// A function identifier: w0 or r0 of a call.
///
/// ```text
/// 31    fast call (1) or yielding call (0)
/// 30    64-bit (1) or 32-bit (0) calling convention
/// 29:24 owner
/// 23:17 zero in a fast call
/// 16    the caller has no live SVE state (a hint, no part of the identity)
/// 15:0  number
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FunctionId(pub u32);

/// Owning entities (DEN 0028, table 6-1).
pub mod owner {
    /// Arm architecture calls.
    pub const ARM: u8 = 0;
    /// CPU service calls.
    pub const CPU: u8 = 1;
    /// Silicon partner calls.
    pub const SIP: u8 = 2;
    /// Calls of the board's maker.
    pub const OEM: u8 = 3;
    /// Standard secure services: PSCI, TRNG, SDEI and others.
    pub const STANDARD: u8 = 4;
}

impl FunctionId {
    const FAST: u32 = 1 << 31;
    const SMC64: u32 = 1 << 30;
    const HINT: u32 = 1 << 16;

    /// A fast call of `owner` in the 32-bit convention.
    pub const fn fast32(owner: u8, number: u16) -> Self {
        FunctionId(Self::FAST | (owner as u32 & 0x3f) << 24 | number as u32)
    }

    /// A fast call of `owner` in the 64-bit convention.
    pub const fn fast64(owner: u8, number: u16) -> Self {
        FunctionId(Self::fast32(owner, number).0 | Self::SMC64)
    }

    /// Returns whether this is a fast call, which runs to its end without giving way.
    pub const fn is_fast(self) -> bool {
        self.0 & Self::FAST != 0
    }

    /// Returns whether arguments and results are 64 bits wide.
    pub const fn is_64(self) -> bool {
        self.0 & Self::SMC64 != 0
    }

    /// Returns the owning entity, one of [`owner`] or another up to 63.
    pub const fn owner(self) -> u8 {
        (self.0 >> 24 & 0x3f) as u8
    }

    /// Returns the number within the owner's range.
    pub const fn number(self) -> u16 {
        self.0 as u16
    }

    /// Returns the identity without the SVE hint of a fast call (SMCCC 1.3).
    pub const fn without_hint(self) -> Self {
        if self.is_fast() {
            FunctionId(self.0 & !Self::HINT)
        } else {
            self
        }
    }

    /// Returns the function of the same owner and number in the 32-bit convention.
    pub const fn as_32(self) -> Self {
        FunctionId(self.0 & !Self::SMC64)
    }
}

/// A function of a standard.
#[derive(Clone, Copy, Debug)]
pub struct StandardFunction {
    /// Its identifier; that of the 32-bit convention if it is there in both.
    pub id: FunctionId,
    /// Its name, as the standard and traces have it.
    pub name: &'static str,
    /// What a call of it does.
    pub effect: Effect,
}

/// What a call of a function does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It tells something and changes nothing.
    Query,
    /// It does what its name says.
    Action,
}

/// Defines the functions of a standard: a constant for each, and `FUNCTIONS`, which has them all with
/// the names that the standard gives them, `$prefix` and the constant's.
macro_rules! functions {
    ($prefix:literal, $convention:ident, $owner:expr;
     $($(#[$doc:meta])* $name:ident = $number:literal, $effect:ident;)*) => {
        $($(#[$doc])* pub const $name: FunctionId = FunctionId::$convention($owner, $number);)*

        /// All of these.
        pub const FUNCTIONS: &[$crate::StandardFunction] = &[$($crate::StandardFunction {
            id: $name,
            name: concat!($prefix, stringify!($name)),
            effect: $crate::Effect::$effect,
        }),*];
    };
}
pub(crate) use functions;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_lie_where_smccc_says() {
        let id = FunctionId(0xc400_0053);
        assert!(id.is_fast() && id.is_64());
        assert_eq!((id.owner(), id.number()), (owner::STANDARD, 0x53));
        assert_eq!(id, FunctionId::fast64(owner::STANDARD, 0x53));
        assert_eq!(id.as_32(), FunctionId::fast32(owner::STANDARD, 0x53));
        let id = FunctionId(0x3200_0004);
        assert!(!id.is_fast() && !id.is_64());
        assert_eq!((id.owner(), id.number()), (0x32, 4));
    }

    #[test]
    fn the_sve_hint_is_no_part_of_a_fast_calls_identity() {
        assert_eq!(
            FunctionId(0x8401_0000).without_hint(),
            FunctionId(0x8400_0000)
        );
        let yielding = FunctionId(0x0201_0000);
        assert_eq!(yielding.without_hint(), yielding);
    }
}
