// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board exynos850: PSCI 1.1 and the true random number generator, by SMC.

#![cfg_attr(not(test), no_std)]

use fakemon_firmware::services::psci::Psci;
use fakemon_firmware::{Board, Call, dispatch};

mod trng;

use trng::Generator;

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// The board.
#[derive(Debug)]
pub struct Exynos850 {
    generator: Generator,
}

impl Board for Exynos850 {
    const NEW: Self = Exynos850 {
        generator: Generator::new(),
    };

    fn call(&self, call: &mut Call<'_>) {
        dispatch::smccc(&[&Psci::new(), &self.generator], call);
    }
}

#[cfg(test)]
mod tests;
