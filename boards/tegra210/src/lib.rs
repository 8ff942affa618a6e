// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board tegra210: PSCI 1.1 and access to the power management controller
//! (PMC), both by SMC.

#![cfg_attr(not(test), no_std)]

use fakemon_firmware::services::psci::Psci;
use fakemon_firmware::{Board, Call, dispatch};

mod pmc;
mod registers;

use pmc::Pmc;

/// The board.
#[derive(Debug)]
pub struct Tegra210 {
    pmc: Pmc,
}

impl Board for Tegra210 {
    const NEW: Self = Tegra210 { pmc: Pmc::new() };

    fn call(&self, call: &mut Call<'_>) {
        dispatch::smccc(&[&Psci::new(), &self.pmc], call);
    }
}

#[cfg(test)]
mod tests;
