// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board exynos4412: Samsung's SMC_CMD_* of the Exynos 4 series.
//!
//! A command is a small negative number in r0, with up to three arguments in r1 to r3. Linux looks
//! at no result (`exynos_smc()` returns nothing) and expects r0 to r3 and r12 to be lost; this
//! firmware changes r0 alone, to 0 or to -1 for what it refuses.
//!
//! Addresses do not come in registers. The kernel leaves them in the normal world's part of the
//! on-chip RAM, and the firmware reads them there: [`sysram`] knows where.

#![cfg_attr(not(test), no_std)]

mod l2;
mod power;
pub mod sysram;

use fakemon_firmware::{Board, Call, Code, Error, FunctionId};

/// The board. All that it is told lies in the machine: in on-chip RAM, in the L2 controller, in
/// which CPUs are on.
#[derive(Clone, Copy, Debug)]
pub struct Exynos4412;

// The commands are what smc.h of Linux' mach-exynos calls them, as r0 has them.
include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// Code of the event that [`function::SMC_CMD_C15RESUME`] leaves in the VMM's trace, as a guest's CPU is no
/// Cortex-A9 and has neither register; the values follow.
pub const EVENT_C15RESUME: u64 = 0xc15;

impl Board for Exynos4412 {
    const NEW: Self = Exynos4412;

    fn call(&self, call: &mut Call<'_>) {
        let [command, a, b, c] = [0, 1, 2, 3].map(|n| call.register(n) & 0xffff_ffff);
        let platform = call.platform();
        let done = match FunctionId(command as u32) {
            function::SMC_CMD_SLEEP => power::sleep(platform),
            function::SMC_CMD_CPU1BOOT => power::start(platform, a),
            function::SMC_CMD_CPU0AFTR => power::idle(platform),
            // Power control and diagnostic register of a Cortex-A9.
            function::SMC_CMD_C15RESUME => {
                platform.log_event(EVENT_C15RESUME, [a, b, 0]);
                Ok(())
            }
            // Registers of the level 2 cache controller.
            function::SMC_CMD_L2X0CTRL => l2::control(platform, a),
            function::SMC_CMD_L2X0SETUP1 => l2::latencies(platform, a, b, c),
            function::SMC_CMD_L2X0SETUP2 => l2::settings(platform, a, b),
            function::SMC_CMD_L2X0INVALL => l2::invalidate(platform),
            function::SMC_CMD_L2X0DEBUG => l2::debug(platform, a),
            function::SMC_CMD_REG => sysram::write_register(platform, a, b as u32),
            _ => Err(Refused),
        };
        call.answer(done);
    }
}

/// A command that cannot be served. Whatever the reason, the caller gets the same -1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl Code for Refused {
    fn code(&self) -> i32 {
        -1
    }
}

impl From<Error> for Refused {
    fn from(_: Error) -> Self {
        Refused
    }
}

#[cfg(test)]
mod tests;
