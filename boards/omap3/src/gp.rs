// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `smc #0`: the services of a general purpose chip, which only write registers of the CPU.
//!
//! Linux makes these calls when it comes back from a state in which the CPU was off
//! (arch/arm/mach-omap2/sleep34xx.S). r12 is the service, r0 the value; there is no result.

use fakemon_firmware::{Call, Error, Lock};

use crate::State;
use crate::function::{GP_L2_INVALIDATE, GP_WRITE_ACR, GP_WRITE_L2_AUX};

pub(crate) fn serve(state: &Lock<State>, call: &mut Call<'_>) {
    let value = call.register(0) as u32;
    match call.register(12) {
        // The cache that the guest has is the platform's, and never comes back with stale lines.
        GP_L2_INVALIDATE => {}
        GP_WRITE_L2_AUX => state.with(|state| state.l2_aux = value),
        GP_WRITE_ACR => state.with(|state| state.acr = value),
        _ => call.answer(Error::NotSupported),
    }
}
