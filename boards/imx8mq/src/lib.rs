// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board imx8mq: PSCI 1.1, the SoC's revision and the DRAM's frequency.
//!
//! Clocks are the machine's: firmware sets them up before the kernel runs, changes those of the
//! DRAM when the kernel asks for another frequency, and the kernel reads the result there.

#![cfg_attr(not(test), no_std)]

mod clocks;

use core::sync::atomic::{AtomicBool, Ordering};

use fakemon_firmware::services::psci::Psci;
use fakemon_firmware::{Board, Call, Error, FunctionId, Platform, Service, dispatch, owner};

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// The board.
#[derive(Debug)]
pub struct Imx8mq {
    started: AtomicBool,
}

impl Board for Imx8mq {
    const NEW: Self = Imx8mq {
        started: AtomicBool::new(false),
    };

    fn call(&self, call: &mut Call<'_>) {
        // Real firmware starts before the kernel. This one wakes with the kernel's first call,
        // which is long before it looks at a clock.
        if !self.started.swap(true, Ordering::AcqRel) {
            clocks::start(call.platform());
        }
        dispatch::smccc(&[&Psci::new(), &Sip], call);
    }
}

/// In x1 of [`function::SIP_DDR_DVFS`]: x0 is the number of frequencies.
const GET_FREQ_COUNT: u64 = 0x10;
/// The same: x2 is a frequency's number; x0 is its MT/s, x1 to x3 the parents of its clocks.
const GET_FREQ_INFO: u64 = 0x11;

/// CPUs of the SoC.
const CPUS: u32 = 4;
/// Where the boot ROM tells its version: of the first silicon, and of revision 2.0 and later.
const ROM_VERSION_1: u64 = 0x800;
const ROM_VERSION_2: u64 = 0x83c;
/// A word in the fuses since revision 2.1, and what it says.
const OCOTP_REVISION: u64 = 0x3035_0040;
const SINCE_2_1: u64 = 0xff00_55aa;
/// The die's identity.
const DIGPROG: u64 = 0x3036_006c;

/// NXP's calls.
#[derive(Debug)]
struct Sip;

impl Service for Sip {
    fn owns(&self, id: FunctionId) -> bool {
        id.is_fast() && id.is_64() && id.owner() == owner::SIP
    }

    fn handle(&self, call: &mut Call<'_>) {
        match call.id() {
            function::SIP_DDR_DVFS => ddr_dvfs(call),
            function::SIP_GET_SOC_INFO => match soc_info(call.platform()) {
                Ok(info) => call.set(0, info),
                Err(_) => call.answer(Error::NotSupported),
            },
            _ => call.answer(Error::NotSupported),
        }
    }
}

/// x1 is what to do: a frequency's number to switch to it, with one byte for each CPU in x2 that is 1 if
/// the CPU is on; or [`GET_FREQ_COUNT`] or [`GET_FREQ_INFO`].
fn ddr_dvfs(call: &mut Call<'_>) {
    let (what, second) = (call.arg(1), call.arg(2));
    match what {
        GET_FREQ_COUNT => call.set(0, clocks::FREQUENCIES.len() as u64),
        GET_FREQ_INFO => match clocks::frequency(second) {
            Some(frequency) => {
                let (core, alt, apb) = frequency.parents();
                for (n, value) in [frequency.rate, core, alt, apb].into_iter().enumerate() {
                    call.set(n, u64::from(value));
                }
            }
            None => call.answer(Error::Denied),
        },
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

/// Tells whether a mask with a byte for each CPU names only CPUs that there are. Real firmware
/// waits until all of them have stopped using the DRAM, if need be for ever; here the guest's
/// memory goes on at its own speed, so nobody has to stop.
fn are_cpus(mask: u32) -> bool {
    let all = (0..CPUS).fold(0, |mask, cpu| mask | 1 << (cpu * 8));
    mask & !all == 0
}

/// Finds the SoC's revision out.
fn soc_info(platform: &mut dyn Platform) -> Result<u64, Error> {
    let die = platform.mmio_read(DIGPROG, 4)?;
    if platform.mmio_read(ROM_VERSION_1, 1)? == 0x10 {
        return Ok(die);
    }
    let revision = match platform.mmio_read(ROM_VERSION_2, 1)? {
        0x20 => 0x20,
        rom if platform.mmio_read(OCOTP_REVISION, 4)? == SINCE_2_1 => {
            if rom == 0x22 {
                0x22
            } else {
                0x21
            }
        }
        _ => die & 0xff,
    };
    Ok(die & !0xff | revision)
}

#[cfg(test)]
mod tests;
