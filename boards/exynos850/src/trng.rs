// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The random number generator of Samsung's loadable firmware (LDFW).
//!
//! One function has four commands. The generator is stopped out of reset; INIT starts it, EXIT
//! stops it before the system sleeps or the driver goes, and RESUME readies its registers after a
//! sleep, which leaves it stopped until the INIT that follows. Linux' driver never makes a call
//! in the wrong state but one: its hwrng core may draw while the system is about to sleep.

use fakemon_firmware::{Call, FunctionId, Lock, Service};

use crate::function::SMC_CMD_RANDOM;

/// Commands, in x1 of [`SMC_CMD_RANDOM`].
const INIT: u64 = 0;
const EXIT: u64 = 1;
const GET_DATA: u64 = 2;
const RESUME: u64 = 3;

/// Results, in x0.
const OK: u64 = 0;
const INVALID: u64 = 1;
const RETRY: u64 = 2;
const INVALID_COMMAND: u64 = 3;

/// The generator.
#[derive(Debug)]
pub(crate) struct Generator {
    runs: Lock<bool>,
}

impl Generator {
    /// The generator out of reset.
    pub(crate) const fn new() -> Self {
        Generator {
            runs: Lock::new(false),
        }
    }
}

impl Service for Generator {
    fn owns(&self, id: FunctionId) -> bool {
        id == SMC_CMD_RANDOM
    }

    fn handle(&self, call: &mut Call<'_>) {
        let result = match call.arg(1) {
            INIT => {
                self.runs.set(true);
                OK
            }
            EXIT | RESUME => {
                self.runs.set(false);
                OK
            }
            GET_DATA if self.runs.get() => draw(call),
            GET_DATA => INVALID,
            _ => INVALID_COMMAND,
        };
        call.set(0, result);
    }
}

/// Puts 64 random bits into x2 and x3, 32 each.
fn draw(call: &mut Call<'_>) -> u64 {
    match call.platform().entropy(1) {
        Ok([bits, ..]) => {
            call.set(2, bits & 0xffff_ffff);
            call.set(3, bits >> 32);
            OK
        }
        Err(_) => RETRY,
    }
}
