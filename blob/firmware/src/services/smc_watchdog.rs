// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A watchdog behind one function: Linux' `arm,smc-wdt` (drivers/watchdog/arm_smc_wdt.c).
//!
//! x1 says what to do, x2 is its argument, x0 is a PSCI code:
//!
//! ```text
//! 0 INIT          -> x1 shortest, x2 longest timeout
//! 1 SET_TIMEOUT   x2 seconds; a watchdog that runs begins anew
//! 2 ENABLE        x2 1 starts, 0 stops
//! 3 PET           begins anew
//! 4 GET_TIMELEFT  -> x1 seconds left; DISABLED while it is stopped
//! ```
//!
//! The platform does the counting, so a guest that hangs with its interrupts off is reset as well. What
//! is left of the time is known here.

use crate::call::Call;
use crate::error::Error;
use crate::function_id::FunctionId;
use crate::lock::Lock;
use crate::platform::Platform;
use crate::service::Service;

const INIT: u64 = 0;
const SET_TIMEOUT: u64 = 1;
const ENABLE: u64 = 2;
const PET: u64 = 3;
const GET_TIMELEFT: u64 = 4;

const NS_PER_SECOND: u64 = 1_000_000_000;

/// The watchdog.
#[derive(Debug)]
pub struct SmcWatchdog {
    id: FunctionId,
    shortest: u32,
    longest: u32,
    state: Lock<State>,
}

#[derive(Debug)]
struct State {
    /// Seconds.
    timeout: u32,
    /// When the guest is reset, in nanoseconds of the platform's clock; [`None`] while it is stopped.
    end: Option<u64>,
}

impl SmcWatchdog {
    /// A stopped watchdog that is called by `id` and can wait for `shortest` to `longest` seconds.
    pub const fn new(id: FunctionId, shortest: u32, longest: u32) -> Self {
        SmcWatchdog {
            id,
            shortest,
            longest,
            state: Lock::new(State {
                timeout: longest,
                end: None,
            }),
        }
    }

    fn serve(&self, state: &mut State, call: &mut Call<'_>) -> Result<(), Error> {
        let (what, argument) = (call.arg(1), call.arg(2));
        let platform = call.platform();
        match what {
            INIT => {
                if state.end.is_none() {
                    // A platform that cannot count says so here, and the kernel does without.
                    platform.watchdog(0).map_err(|_| Error::NotSupported)?;
                }
                call.set(1, u64::from(self.shortest));
                call.set(2, u64::from(self.longest));
                Ok(())
            }
            SET_TIMEOUT => {
                let seconds = u32::try_from(argument)
                    .ok()
                    .filter(|seconds| (self.shortest..=self.longest).contains(seconds));
                state.timeout = seconds.ok_or(Error::InvalidParameters)?;
                state.pet(platform)
            }
            ENABLE => match argument {
                0 => state.stop(platform),
                1 => state.start(platform),
                _ => Err(Error::InvalidParameters),
            },
            PET => state.pet(platform),
            GET_TIMELEFT => {
                let left = state.left(platform)?;
                call.set(1, left);
                Ok(())
            }
            _ => Err(Error::InvalidParameters),
        }
    }
}

impl State {
    fn start(&mut self, platform: &mut dyn Platform) -> Result<(), Error> {
        let ns = u64::from(self.timeout) * NS_PER_SECOND;
        let (now, _) = platform.time().map_err(|_| Error::InternalFailure)?;
        platform.watchdog(ns).map_err(|_| Error::InternalFailure)?;
        self.end = Some(now.saturating_add(ns));
        Ok(())
    }

    fn stop(&mut self, platform: &mut dyn Platform) -> Result<(), Error> {
        platform.watchdog(0).map_err(|_| Error::InternalFailure)?;
        self.end = None;
        Ok(())
    }

    /// Begins anew, if it runs at all.
    fn pet(&mut self, platform: &mut dyn Platform) -> Result<(), Error> {
        match self.end {
            Some(_) => self.start(platform),
            None => Ok(()),
        }
    }

    fn left(&self, platform: &mut dyn Platform) -> Result<u64, Error> {
        // A success would tell Linux 7.3 that the watchdog runs already.
        let end = self.end.ok_or(Error::Disabled)?;
        let (now, _) = platform.time().map_err(|_| Error::InternalFailure)?;
        Ok(end.saturating_sub(now) / NS_PER_SECOND)
    }
}

impl Service for SmcWatchdog {
    fn owns(&self, id: FunctionId) -> bool {
        id == self.id
    }

    fn handle(&self, call: &mut Call<'_>) {
        // What is remembered and what the platform counts change together, so the lock covers both.
        let served = self.state.with(|state| self.serve(state, call));
        call.answer(served);
    }
}

#[cfg(test)]
mod tests;
