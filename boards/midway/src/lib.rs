// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board midway: PSCI 0.1 and the level 2 cache controller, both by SMC.
//!
//! Two conventions share one instruction. Calls of PSCI carry their function ID in r0. The call
//! that switches the level 2 cache carries its own in r12 and a *value* in r0, which may be
//! anything, even what is a function ID of PSCI. So r12 is asked first. The other way round there
//! is no doubt: Linux makes PSCI calls with its stack pointer in r12
//! (arch/arm/kernel/smccc-call.S), a multiple of four, which [`function::L2X0_CTRL`] is not.

#![cfg_attr(not(test), no_std)]

use fakemon_firmware::services::psci_v0_1::PsciV0_1;
use fakemon_firmware::{Board, Call, FunctionId, dispatch};

/// The board.
#[derive(Clone, Copy, Debug)]
pub struct Midway;

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// The control register of the PL310 that `board.toml` puts into the machine. It takes secure
/// writes alone.
const PL310_CONTROL: u64 = 0xfff1_8100;

/// The function IDs that /psci of Calxeda's device trees names.
const PSCI: PsciV0_1 = PsciV0_1 {
    cpu_suspend: Some(FunctionId(function::PSCI_CPU_SUSPEND as u32)),
    cpu_off: Some(FunctionId(function::PSCI_CPU_OFF as u32)),
    cpu_on: Some(FunctionId(function::PSCI_CPU_ON as u32)),
    // Linux' mach-highbank suspends to memory at level 1; its idle states are of level 0.
    machine_level: Some(1),
};

impl Board for Midway {
    const NEW: Self = Midway;

    fn call(&self, call: &mut Call<'_>) {
        if call.register(12) == function::L2X0_CTRL {
            let value = call.register(0);
            // The call has no result, so there is nobody to tell if the machine lacks the
            // controller.
            let _ = call.platform().mmio_write(PL310_CONTROL, 4, value);
        } else {
            dispatch::smccc(&[&PSCI], call);
        }
    }
}

#[cfg(test)]
mod tests;
