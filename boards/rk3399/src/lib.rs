// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board rk3399: PSCI 1.1 and Rockchip's calls for the DRAM.

#![cfg_attr(not(test), no_std)]

mod dram;

use core::sync::atomic::{AtomicBool, Ordering};

use dram::PowerSaving;
use fakemon_firmware::services::owner::OwnerQueries;
use fakemon_firmware::services::psci::Psci;
use fakemon_firmware::{Board, Call, Error, FunctionId, Lock, Service, dispatch, owner};

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// The board.
#[derive(Debug)]
pub struct Rk3399 {
    started: AtomicBool,
    sip: Sip,
}

impl Board for Rk3399 {
    const NEW: Self = Rk3399 {
        started: AtomicBool::new(false),
        sip: Sip {
            saving: Lock::new(PowerSaving::RESET),
        },
    };

    fn call(&self, call: &mut Call<'_>) {
        // Real firmware starts before the kernel. This one wakes with the kernel's first call,
        // which is before it looks at a clock.
        if !self.started.swap(true, Ordering::AcqRel) {
            dram::start(call.platform());
        }
        dispatch::smccc(&[&Psci::new(), &QUERIES, &self.sip], call);
    }
}

/// What Rockchip's firmware says of itself: it counts these queries alone.
const QUERIES: OwnerQueries = OwnerQueries {
    owner: owner::SIP,
    count: 3,
    // e86fc7e2-313e-11e6-b70d-8f88ee747b72
    uid: [0xe86f_c7e2, 0x11e6_313e, 0x888f_0db7, 0x727b_74ee],
    revision: (0, 1),
};

/// In x3 of [`function::SIP_DRAM_FREQ`]: x1 is a rate in Hz; x0 is the rate that it has become, in MHz.
const SET_RATE: u64 = 1;
/// The same: x1 is a rate in Hz; x0 is the rate that it would become, in Hz.
const ROUND_RATE: u64 = 2;
/// The same: x0 is the rate in Hz.
const GET_RATE: u64 = 5;
/// The same: x1, x2 and x4 say after how long a rest the DRAM saves what power.
const SET_ODT_PD: u64 = 8;

/// Rockchip's calls.
#[derive(Debug)]
struct Sip {
    /// What is in force; the controller that would heed it is not there.
    saving: Lock<PowerSaving>,
}

impl Service for Sip {
    fn owns(&self, id: FunctionId) -> bool {
        id.is_fast() && !id.is_64() && id.owner() == owner::SIP
    }

    fn handle(&self, call: &mut Call<'_>) {
        if call.id() != function::SIP_DRAM_FREQ {
            call.answer(Error::NotSupported);
            return;
        }
        let [first, second, what, fourth] = [1, 2, 3, 4].map(|n| call.arg(n) as u32);
        let result = match u64::from(what) {
            SET_RATE => dram::set_rate(call.platform(), first),
            ROUND_RATE => dram::round_rate(first),
            GET_RATE => dram::get_rate(call.platform()),
            SET_ODT_PD => {
                self.saving
                    .set(PowerSaving::from_words(first, second, fourth));
                0
            }
            // There is nothing to do for INIT (0), and real firmware takes whatever it does not
            // know for done as well.
            _ => 0,
        };
        call.set(0, u64::from(result));
    }
}

#[cfg(test)]
mod tests;
