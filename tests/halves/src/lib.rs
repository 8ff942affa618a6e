// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The firmware of board virt in two halves that know nothing of each other: one has the random
//! numbers, the other one all the rest. Each is a blob, and both together serve one guest.
//!
//! What each claims is taken from virt's `board.toml` by the build script.

#![cfg_attr(not(test), no_std)]

use fakemon_firmware::services::arm_arch::ArmArch;
use fakemon_firmware::services::psci::Psci;
use fakemon_firmware::services::pv_time::{self, PvTime};
use fakemon_firmware::services::sdei::Sdei;
use fakemon_firmware::services::trng::Trng;
use fakemon_firmware::{Board, Call, Context, dispatch};

/// PSCI, and what has to be with it: SDEI forgets a CPU that goes off.
#[derive(Debug)]
pub struct Power {
    sdei: Sdei,
}

impl Board for Power {
    const NEW: Self = Power { sdei: Sdei::new() };

    fn call(&self, call: &mut Call<'_>) {
        dispatch::smccc(&[&Psci::new(), &ARCH, &self.sdei, &PvTime], call);
    }

    fn interrupt(&self, context: &mut Context<'_>) {
        self.sdei.interrupt(context);
    }
}

/// What the kernel is told there, PV time, is in the same half.
const ARCH: ArmArch = ArmArch::new().with_features(&[pv_time::FEATURES]);

/// Random numbers.
#[derive(Debug)]
pub struct Entropy;

impl Board for Entropy {
    const NEW: Self = Entropy;

    fn call(&self, call: &mut Call<'_>) {
        dispatch::smccc(&[&Trng], call);
    }
}

#[cfg(test)]
mod tests;
