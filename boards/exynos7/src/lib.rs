// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board exynos7: PSCI 0.1 by SMC.
//!
//! Samsung chose the numbers that CPU_OFF and CPU_ON were given in PSCI 0.2, and nothing else of
//! it: no version, no way to ask for a CPU's state, none to switch off.

#![cfg_attr(not(test), no_std)]

use fakemon_firmware::services::psci_v0_1::PsciV0_1;
use fakemon_firmware::{Board, Call, FunctionId, dispatch};

/// The board.
#[derive(Clone, Copy, Debug)]
pub struct Exynos7;

/// The function IDs that /psci of Samsung's device trees names.
const PSCI: PsciV0_1 = PsciV0_1 {
    cpu_suspend: None,
    cpu_off: Some(FunctionId(0x8400_0002)),
    cpu_on: Some(FunctionId(0xc400_0003)),
    machine_level: None,
};

impl Board for Exynos7 {
    const NEW: Self = Exynos7;

    fn call(&self, call: &mut Call<'_>) {
        dispatch::smccc(&[&PSCI], call);
    }
}

#[cfg(test)]
mod tests;
