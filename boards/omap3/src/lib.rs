// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board omap3: the ROM code's services, of a chip for phones (`smc #1`) and
//! of one for everybody (`smc #0`).
//!
//! Both have the number of their service in r12, and the numbers overlap with nothing but each
//! other's meaning: only the immediate of the instruction tells which of the two is called. The trap
//! does not carry it, so the instruction is read from the guest's memory.

#![cfg_attr(not(test), no_std)]

use fakemon_firmware::{Board, Call, Error, Lock};

mod gp;
mod ppa;

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// What the ROM code remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// The auxiliary control register of the Cortex-A8. No guest of KVM's can have it written.
    pub acr: u32,
    /// The auxiliary control register of its level 2 cache, the same.
    pub l2_aux: u32,
    /// Whether the random number generator has been switched on.
    pub rng: bool,
}

/// The board.
#[derive(Debug)]
pub struct Omap3 {
    state: Lock<State>,
}

impl Board for Omap3 {
    const NEW: Self = Omap3 {
        // The reset values of a Cortex-A8 (Arm DDI 0344).
        state: Lock::new(State {
            acr: 0x0000_0002,
            l2_aux: 0x0000_0042,
            rng: false,
        }),
    };

    fn call(&self, call: &mut Call<'_>) {
        match call.immediate() {
            Ok(0) => gp::serve(&self.state, call),
            Ok(1) => ppa::serve(&self.state, call),
            _ => call.answer(Error::NotSupported),
        }
    }
}

#[cfg(test)]
mod tests;
