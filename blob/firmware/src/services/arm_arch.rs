// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Arm architecture calls: SMCCC's version and features, the SoC's identity (Arm DEN 0028, 7).
//!
//! Only a host whose KVM has the monitor capability lets these calls out; all others answer them
//! themselves, with version 1.1 and without an identity. The workarounds for CPUs are KVM's in both
//! cases: a board claims the three functions below, and what it says of a workaround it asks the
//! platform.
//!
//! The version is 1.2. Its own requirements are met: results in more than four registers where a
//! board's window has them, everything else preserved (floating point and SVE too, which are
//! trapped), SMCCC_VERSION and SMCCC_ARCH_FEATURES. Version 1.3 lets the caller set bit 16 of any
//! function ID. KVM compares whole IDs, so such calls would pass by the ranges of a note, and by
//! KVM's own workarounds.

/// SMCCC_ARCH_WORKAROUND_1, 2 and 3, which are the platform's to apply and to tell of.
pub const WORKAROUNDS: [FunctionId; 3] = [
    FunctionId::fast32(owner::ARM, 0x8000),
    FunctionId::fast32(owner::ARM, 0x7fff),
    FunctionId::fast32(owner::ARM, 0x3fff),
];

use crate::call::Call;
use crate::error::Error;
use crate::function_id::{FunctionId, functions, owner};
use crate::service::Service;

functions! {
    "SMCCC_", fast32, owner::ARM;
    /// Version of SMCCC.
    VERSION = 0, Query;
    /// Whether a function is there.
    ARCH_FEATURES = 1, Query;
    /// Which SoC this is.
    ARCH_SOC_ID = 2, Query;
}

/// Version 1.2.
const VERSION_1_2: u64 = 0x1_0002;
/// SMCCC's own code for an argument out of range, which is not PSCI's.
const INVALID_PARAMETER: i32 = -3;

/// SOC_ID: asks for the version.
const SOC_VERSION: u64 = 0;
/// SOC_ID: asks for the revision.
const SOC_REVISION: u64 = 1;

/// Which SoC this is, as its maker numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocId {
    version: u32,
    revision: u32,
}

impl SocId {
    /// The SoC `id` of the maker with this JEP106 identification code (`code`, with its parity bit)
    /// after so many (`bank`) continuation codes, in the maker's own form of `revision`.
    ///
    /// # Panics
    /// When `bank` has more than 7 bits or `revision` more than 31: bit 31 says error. In a
    /// constant that is a compile error.
    pub const fn new(bank: u8, code: u8, id: u16, revision: u32) -> Self {
        assert!(bank < 1 << 7, "a bank has 7 bits");
        assert!(revision < 1 << 31, "a revision has 31 bits");
        SocId {
            version: (bank as u32) << 24 | (code as u32) << 16 | id as u32,
            revision,
        }
    }
}

/// The service.
#[derive(Clone, Copy, Debug)]
pub struct ArmArch {
    soc: Option<SocId>,
    features: &'static [FunctionId],
}

impl ArmArch {
    /// A firmware that does not tell which SoC it runs on.
    pub const fn new() -> Self {
        ArmArch {
            soc: None,
            features: &[],
        }
    }

    /// The same with a SoC's identity.
    #[must_use]
    pub const fn with_soc(mut self, soc: SocId) -> Self {
        self.soc = Some(soc);
        self
    }

    /// The same with functions of other owners that SMCCC_ARCH_FEATURES is to find, such as
    /// [PV_TIME_FEATURES](crate::services::pv_time::FEATURES).
    #[must_use]
    pub const fn with_features(mut self, features: &'static [FunctionId]) -> Self {
        self.features = features;
        self
    }

    fn feature(&self, asked: FunctionId, call: &mut Call<'_>) -> Result<i32, Error> {
        let there = match asked {
            VERSION | ARCH_FEATURES => true,
            ARCH_SOC_ID => self.soc.is_some(),
            _ => self.features.contains(&asked),
        };
        if there {
            Ok(0)
        } else if WORKAROUNDS.contains(&asked) {
            let word = call.platform().workaround(asked);
            word.map_err(|_| Error::NotSupported)
        } else {
            Err(Error::NotSupported)
        }
    }
}

impl Default for ArmArch {
    fn default() -> Self {
        ArmArch::new()
    }
}

impl Service for ArmArch {
    fn owns(&self, id: FunctionId) -> bool {
        id.as_32() == FunctionId::fast32(owner::ARM, id.number())
    }

    fn handle(&self, call: &mut Call<'_>) {
        let arg = call.arg(1);
        match (call.id(), self.soc) {
            (VERSION, _) => call.set(0, VERSION_1_2),
            (ARCH_FEATURES, _) => {
                let code = self.feature(FunctionId(arg as u32), call);
                call.answer(code);
            }
            (ARCH_SOC_ID, Some(soc)) => match arg {
                SOC_VERSION => call.set(0, u64::from(soc.version)),
                SOC_REVISION => call.set(0, u64::from(soc.revision)),
                _ => call.answer(INVALID_PARAMETER),
            },
            _ => call.answer(Error::NotSupported),
        }
    }
}

#[cfg(test)]
mod tests;
