// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board tegra210: PSCI 1.1 and access to the power management controller
//! (PMC), both by SMC.

#![cfg_attr(not(test), no_std)]

use fakemon_firmware::services::psci::{Psci, StateFormat};
use fakemon_firmware::{Board, Call, dispatch};

mod pmc;
mod registers;

use pmc::Pmc;

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// The board.
#[derive(Debug)]
pub struct Tegra210 {
    pmc: Pmc,
}

impl Board for Tegra210 {
    const NEW: Self = Tegra210 { pmc: Pmc::new() };

    fn call(&self, call: &mut Call<'_>) {
        dispatch::smccc(&[&PSCI, &self.pmc], call);
    }
}

/// The device tree's idle states are in the extended format.
const PSCI: Psci = Psci::new().with_states(StateFormat::Extended);

#[cfg(test)]
mod tests;
