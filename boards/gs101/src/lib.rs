// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board gs101: PSCI 1.1 and writes to the power management unit (PMU),
//! both by SMC.

#![cfg_attr(not(test), no_std)]

use fakemon_firmware::services::psci::Psci;
use fakemon_firmware::{Board, Call, dispatch};

mod pmu;
mod registers;

use pmu::Pmu;

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// The board.
#[derive(Debug)]
pub struct Gs101 {
    pmu: Pmu,
}

impl Board for Gs101 {
    const NEW: Self = Gs101 { pmu: Pmu::new() };

    fn call(&self, call: &mut Call<'_>) {
        dispatch::smccc(&[&Psci::new(), &self.pmu], call);
    }
}

#[cfg(test)]
mod tests;
