// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board dra7: the monitor in the boot ROM, with functions in r12.
//!
//! r0 carries the function's value in and its result out. Linux looks at no result, and saves r2 to
//! r12 around the instruction; this monitor changes r0 alone.

#![cfg_attr(not(test), no_std)]

use fakemon_firmware::services::omap_monitor::OmapMonitor;
use fakemon_firmware::{Board, Call};

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// The board.
#[derive(Debug)]
pub struct Dra7(OmapMonitor);

/// The wake-up generator's register AMBA_IF_MODE.
pub const AMBA_IF_MODE: u64 = 0x4828_180c;

impl Board for Dra7 {
    const NEW: Self = Dra7(OmapMonitor::new(AMBA_IF_MODE));

    fn call(&self, call: &mut Call<'_>) {
        let [value, function] = [0, 12].map(|n| call.register(n) as u32);
        let done = self.0.serve(call.platform(), function, value);
        call.answer(done);
    }
}

#[cfg(test)]
mod tests;
