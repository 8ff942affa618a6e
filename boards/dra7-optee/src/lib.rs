// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board dra7-optee: the monitor's functions as yielding calls of the
//! silicon partner, which is how OP-TEE on a DRA7 takes them.
//!
//! The function is the number in r0, its value is in r1, and its result in r0.

#![cfg_attr(not(test), no_std)]

use fakemon_firmware::services::omap_monitor::OmapMonitor;
use fakemon_firmware::{Board, Call, dispatch};
use fakemon_firmware::{FunctionId, Service, owner};

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// The board.
#[derive(Debug)]
pub struct Dra7Optee(SiliconPartner);

/// The wake-up generator's register AMBA_IF_MODE.
pub const AMBA_IF_MODE: u64 = 0x4828_180c;

/// Yielding calls of the silicon partner.
#[derive(Debug)]
struct SiliconPartner(OmapMonitor);

impl Service for SiliconPartner {
    fn owns(&self, id: FunctionId) -> bool {
        // Bit 31 is clear in a yielding call, and so are 30 and 23:16 here.
        id.0 == u32::from(owner::SIP) << 24 | u32::from(id.number())
    }

    fn handle(&self, call: &mut Call<'_>) {
        let function = call.id().number().into();
        let value = call.arg(1) as u32;
        let done = self.0.serve(call.platform(), function, value);
        call.answer(done);
    }
}

impl Board for Dra7Optee {
    const NEW: Self = Dra7Optee(SiliconPartner(OmapMonitor::new(AMBA_IF_MODE)));

    fn call(&self, call: &mut Call<'_>) {
        dispatch::smccc(&[&self.0], call);
    }
}

#[cfg(test)]
mod tests;
