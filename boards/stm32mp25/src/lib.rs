// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board stm32mp25: PSCI, and OP-TEE with its random numbers and watchdog.

#![cfg_attr(not(test), no_std)]

use fakemon_firmware::services::optee::apps::{Devices, Random};
use fakemon_firmware::services::optee::{Config, OpTee};
use fakemon_firmware::services::psci::Psci;
use fakemon_firmware::services::smc_watchdog::SmcWatchdog;
use fakemon_firmware::{Board, Call, dispatch};

/// The board.
#[derive(Debug)]
pub struct Stm32mp25 {
    optee: OpTee,
    watchdog: SmcWatchdog,
}

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// What the watchdog counts: the 32 kHz of an oscillator, divided by 1024, from 12 bits down.
const WATCHDOG_HZ: u32 = 32_000;
const WATCHDOG_DIVIDER: u32 = 1024;
const WATCHDOG_COUNTS: u32 = 1 << 12;

/// The generator is as good as they get, and faster than anybody asks.
const RANDOM: Random = Random {
    rate: 0,
    quality: 1024,
};

const OPTEE: Config = Config {
    // The page "optee-shm" of board.toml.
    pool: 0x83e0_0000,
    pool_size: 0x20_0000,
    revision: (4, 0),
    threads: 5,
    apps: &[&Devices(&[Random::UUID]), &RANDOM],
};

impl Board for Stm32mp25 {
    const NEW: Self = Stm32mp25 {
        optee: OpTee::new(OPTEE),
        watchdog: SmcWatchdog::new(
            // What `arm,smc-id` of ST's device tree names. It lies among OP-TEE's own.
            function::WATCHDOG,
            1,
            WATCHDOG_COUNTS * WATCHDOG_DIVIDER / WATCHDOG_HZ,
        ),
    };

    fn call(&self, call: &mut Call<'_>) {
        dispatch::smccc(&[&Psci::new(), &self.watchdog, &self.optee], call);
    }
}

#[cfg(test)]
mod tests;
