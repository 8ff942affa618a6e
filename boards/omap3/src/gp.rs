// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `smc #0`: the services of a general purpose chip, which only write registers of the CPU.
//!
//! Linux makes these calls when it comes back from a state in which the CPU was off
//! (arch/arm/mach-omap2/sleep34xx.S). r12 is the service, r0 the value; there is no result.

use fakemon_firmware::{Call, Error, Lock};

use crate::State;

/// Invalidates the level 2 cache.
pub(crate) const L2_INVALIDATE: u64 = 1;
/// Writes the level 2 cache's auxiliary control register.
pub(crate) const WRITE_L2_AUX: u64 = 2;
/// Writes the auxiliary control register.
pub(crate) const WRITE_ACR: u64 = 3;

pub(crate) fn serve(state: &Lock<State>, call: &mut Call<'_>) {
    let value = call.register(0) as u32;
    match call.register(12) {
        // The cache that the guest has is the platform's, and never comes back with stale lines.
        L2_INVALIDATE => {}
        WRITE_L2_AUX => state.with(|state| state.l2_aux = value),
        WRITE_ACR => state.with(|state| state.acr = value),
        _ => call.answer(Error::NotSupported),
    }
}
