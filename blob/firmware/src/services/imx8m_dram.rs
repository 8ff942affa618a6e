// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The DRAM's frequency of NXP's i.MX8M family, behind one function (Linux' `imx8m-ddrc`).
//!
//! x1 says what to do:
//!
//! ```text
//! 0x10  how many frequencies            -> x0
//! 0x11  x2 is a frequency's number      -> x0 MT/s, x1 to x3 the parents of core, alt and apb clock
//! else  a frequency's number, to switch to; x2 has a byte for each CPU, 1 if that is on
//! ```
//!
//! Clocks are the machine's, and the kernel reads there what has been set (`clocks.rs`). Of the family's
//! SoCs only the PLLs differ, so the boards say what those are.

use core::sync::atomic::{AtomicBool, Ordering};

use crate::call::Call;
use crate::error::Error;
use crate::function_id::FunctionId;
use crate::platform::Platform;
use crate::service::Service;

mod clocks;

pub use clocks::Field;

/// In x1: x0 is the number of frequencies.
const GET_FREQ_COUNT: u64 = 0x10;
/// The same: x2 is a frequency's number; x0 is its MT/s, x1 to x3 the parents of its clocks.
const GET_FREQ_INFO: u64 = 0x11;
/// The most CPUs that one of these SoCs has.
const CPUS: u32 = 4;

/// What one SoC of the family has.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Transfers per second, in millions, of the frequency that the DRAM's PLL makes. The two lower
    /// ones, 400 and 100, do without.
    pub fastest: u32,
    /// The PLLs, as a boot loader leaves them: locked, and that of the DRAM at its frequency.
    pub plls: &'static [Field],
}

/// The service.
#[derive(Debug)]
pub struct Imx8mDram {
    id: FunctionId,
    config: Config,
    started: AtomicBool,
}

impl Imx8mDram {
    /// The DRAM of a SoC, with the function that changes its frequency.
    pub const fn new(id: FunctionId, config: Config) -> Self {
        Imx8mDram {
            id,
            config,
            started: AtomicBool::new(false),
        }
    }

    /// Leaves the clocks as a boot loader does, once: with the first call of any kind, which is long
    /// before the kernel looks at a clock. Real firmware starts before the kernel does.
    pub fn start(&self, platform: &mut dyn Platform) {
        if !self.started.swap(true, Ordering::AcqRel) {
            clocks::start(platform, self.config.plls);
        }
    }

    fn info(&self, call: &mut Call<'_>, number: u64) -> Result<(), Error> {
        let frequency = clocks::frequency(number).ok_or(Error::Denied)?;
        let (core, alt, apb) = frequency.parents();
        let rate = frequency.rate().unwrap_or(self.config.fastest);
        for (n, value) in [rate, core, alt, apb].into_iter().enumerate() {
            call.set(n, u64::from(value));
        }
        Ok(())
    }
}

impl Service for Imx8mDram {
    fn owns(&self, id: FunctionId) -> bool {
        id == self.id
    }

    fn handle(&self, call: &mut Call<'_>) {
        let (what, second) = (call.arg(1), call.arg(2));
        match what {
            GET_FREQ_COUNT => call.set(0, clocks::COUNT as u64),
            GET_FREQ_INFO => {
                if let Err(error) = self.info(call, second) {
                    call.answer(error);
                }
            }
            _ => {
                // What is no frequency is no error to real firmware, which then does nothing.
                let switched = match clocks::frequency(what) {
                    Some(_) if !are_cpus(second as u32) => Err(Error::Denied),
                    Some(frequency) => clocks::switch(call.platform(), frequency),
                    None => Ok(()),
                };
                call.answer(switched);
            }
        }
    }
}

/// Tells whether a mask with a byte for each CPU names only CPUs that there are. Real firmware
/// waits until all of them have stopped using the DRAM, if need be for ever; here the guest's
/// memory goes on at its own speed, so nobody has to stop.
fn are_cpus(mask: u32) -> bool {
    let all = (0..CPUS).fold(0, |mask, cpu| mask | 1 << (cpu * 8));
    mask & !all == 0
}

#[cfg(test)]
mod tests;
