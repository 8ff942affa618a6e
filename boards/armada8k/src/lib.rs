// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board armada8k: PSCI 1.1 and power for the CP110's serial lanes.
//!
//! What a lane does and whether it is on is in the machine's registers and nowhere else.

#![cfg_attr(not(test), no_std)]

mod lanes;

use fakemon_firmware::services::psci::Psci;
use fakemon_firmware::{Board, Call, Error, FunctionId, Service, dispatch, owner};
use lanes::{Lane, Mode};

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// The board.
#[derive(Clone, Copy, Debug)]
pub struct Armada8k;

impl Board for Armada8k {
    const NEW: Self = Armada8k;

    fn call(&self, call: &mut Call<'_>) {
        dispatch::smccc(&[&Psci::new(), &Sip], call);
    }
}

/// In x3 of [`function::SIP_COMPHY_POWER_OFF`]: the boot loader calls, and not a kernel.
const BOOT_LOADER: u32 = 1 << 21;

/// The registers of the SoC's only CP110 and their size.
const CP: u64 = 0xf200_0000;
const CP_SIZE: u64 = 0x100_0000;

/// Marvell's calls: x1 any address in the CP110, x2 lane, x3 [`Mode`] or who calls; x0 is 0 or an error.
#[derive(Debug)]
struct Sip;

impl Service for Sip {
    fn owns(&self, id: FunctionId) -> bool {
        id.is_fast() && !id.is_64() && id.owner() == owner::SIP
    }

    fn handle(&self, call: &mut Call<'_>) {
        let [address, number, third] = [1, 2, 3].map(|n| call.arg(n));
        let in_cp = address & !(CP_SIZE - 1) == CP;
        let result = match (call.id(), Lane::new(number).filter(|_| in_cp)) {
            (function::SIP_COMPHY_POWER_ON, Some(lane)) => {
                Mode::new(third as u32).and_then(|mode| lane.power_on(call.platform(), mode))
            }
            (function::SIP_COMPHY_POWER_OFF, Some(lane)) => {
                let kernel = third as u32 & BOOT_LOADER == 0;
                lane.power_off(call.platform(), kernel)
            }
            _ => Err(Error::NotSupported.into()),
        };
        call.answer(result);
    }
}

#[cfg(test)]
mod tests;
