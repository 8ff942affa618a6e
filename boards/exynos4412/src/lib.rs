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

use fakemon_firmware::{Board, Call, Code, Error};

/// The board. All that it is told lies in the machine: in on-chip RAM, in the L2 controller, in
/// which CPUs are on.
#[derive(Clone, Copy, Debug)]
pub struct Exynos4412;

/// The commands (Linux' mach-exynos/smc.h), as r0 has them.
pub mod command {
    /// Puts the system to sleep; it resumes where [`sysram`](super::sysram) says.
    pub const SLEEP: u32 = -3_i32 as u32;
    /// Starts CPU r1 where [`sysram`](super::sysram) says.
    pub const CPU1BOOT: u32 = -4_i32 as u32;
    /// Idles with the calling CPU, number 0, powered off; it resumes where
    /// [`sysram`](super::sysram) says.
    pub const CPU0AFTR: u32 = -5_i32 as u32;
    /// Restores a Cortex-A9's power control (r1) and diagnostic (r2) registers.
    pub const C15RESUME: u32 = -11_i32 as u32;
    /// Writes r1 to the control register of the level 2 cache controller.
    pub const L2X0CTRL: u32 = -21_i32 as u32;
    /// Sets tag latency (r1), data latency (r2) and prefetch (r3).
    pub const L2X0SETUP1: u32 = -22_i32 as u32;
    /// Sets power control (r1) and auxiliary control (r2).
    pub const L2X0SETUP2: u32 = -23_i32 as u32;
    /// Invalidates all ways.
    pub const L2X0INVALL: u32 = -24_i32 as u32;
    /// Writes r1 to the debug control register.
    pub const L2X0DEBUG: u32 = -25_i32 as u32;
    /// Writes r2 to the register that r1 names.
    pub const REG: u32 = -101_i32 as u32;
}

/// Code of the event that [`command::C15RESUME`] leaves in the VMM's trace, as a guest's CPU is no
/// Cortex-A9 and has neither register; the values follow.
pub const EVENT_C15RESUME: u64 = 0xc15;

impl Board for Exynos4412 {
    const NEW: Self = Exynos4412;

    fn call(&self, call: &mut Call<'_>) {
        let [command, a, b, c] = [0, 1, 2, 3].map(|n| call.register(n) & 0xffff_ffff);
        let platform = call.platform();
        let done = match command as u32 {
            command::SLEEP => power::sleep(platform),
            command::CPU1BOOT => power::start(platform, a),
            command::CPU0AFTR => power::idle(platform),
            command::C15RESUME => {
                platform.log_event(EVENT_C15RESUME, [a, b, 0]);
                Ok(())
            }
            command::L2X0CTRL => l2::control(platform, a),
            command::L2X0SETUP1 => l2::latencies(platform, a, b, c),
            command::L2X0SETUP2 => l2::settings(platform, a, b),
            command::L2X0INVALL => l2::invalidate(platform),
            command::L2X0DEBUG => l2::debug(platform, a),
            command::REG => sysram::write_register(platform, a, b as u32),
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
