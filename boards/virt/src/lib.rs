// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board virt: PSCI 1.1, TRNG 1.0, SDEI 1.1 and PV time, all by SMC.

#![cfg_attr(not(test), no_std)]

use fakemon_firmware::services::arm_arch::ArmArch;
use fakemon_firmware::services::owner::OwnerQueries;
use fakemon_firmware::services::psci::Psci;
use fakemon_firmware::services::pv_time::{self, PvTime};
use fakemon_firmware::services::sdei::Sdei;
use fakemon_firmware::services::trng::Trng;
use fakemon_firmware::{Board, Call, Context, dispatch, owner};

/// The board.
#[derive(Debug)]
pub struct Virt {
    sdei: Sdei,
}

impl Board for Virt {
    const NEW: Self = Virt { sdei: Sdei::new() };

    fn call(&self, call: &mut Call<'_>) {
        dispatch::smccc(
            &[&Psci::new(), &ARCH, &Trng, &self.sdei, &PvTime, &QUERIES],
            call,
        );
    }

    fn interrupt(&self, context: &mut Context<'_>) {
        self.sdei.interrupt(context);
    }
}

/// No SoC, and PV time, which kernels look for there (DEN 0057).
const ARCH: ArmArch = ArmArch::new().with_features(&[pv_time::FEATURES]);

/// What the standard secure services say of themselves.
const QUERIES: OwnerQueries = OwnerQueries {
    owner: owner::STANDARD,
    // PSCI has 11 functions, of which 5 come in both conventions; TRNG has 4, one of them in both;
    // SDEI has 19.
    count: 40,
    // 7e1f0a52-93c4-4b8d-a6e0-5d2c81b7f39a
    uid: [0x520a_1f7e, 0x8d4b_c493, 0x2c5d_e0a6, 0x9af3_b781],
    revision: (1, 0),
};

#[cfg(test)]
mod tests;
