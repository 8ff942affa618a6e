// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board imx8mm: PSCI 1.1 and the DRAM's frequency.
//!
//! The clocks are the machine's: firmware changes those of the DRAM when the kernel asks for another
//! frequency, and the kernel reads the result there.

#![cfg_attr(not(test), no_std)]

use fakemon_firmware::services::imx8m_dram::{Config, Field, Imx8mDram};
use fakemon_firmware::services::psci::Psci;
use fakemon_firmware::{Board, Call, dispatch};

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// The board.
#[derive(Debug)]
pub struct Imx8mm {
    dram: Imx8mDram,
}

impl Board for Imx8mm {
    const NEW: Self = Imx8mm {
        dram: Imx8mDram::new(function::SIP_DDR_DVFS, DRAM),
    };

    fn call(&self, call: &mut Call<'_>) {
        self.dram.start(call.platform());
        dispatch::smccc(&[&Psci::new(), &self.dram], call);
    }
}

/// The PLLs (anatop).
const ANATOP: u64 = 0x3036_0000;
/// In a PLL's first word: it is locked, it gives its clock out, it is out of reset.
const LOCKED: u32 = 1 << 31;
const GIVES: u32 = 1 << 13;
const RUNS: u32 = 1 << 9;
/// The DRAM's PLL, and its dividers in the word after that: 24 MHz by 250, through 8, is 750 MHz. The last
/// word would add a fraction.
const DRAM_PLL: u64 = 0x50;
const DIVIDERS_750M: u32 = 250 << 12 | 8 << 4;

const DRAM: Config = Config {
    fastest: 3000,
    plls: &[
        // Audio 1 and 2, video, GPU, VPU, CPUs, system 3. They stand still, but the kernel waits for
        // their lock when it starts them.
        locked(0x00),
        locked(0x14),
        locked(0x28),
        locked(0x64),
        locked(0x74),
        locked(0x84),
        locked(0x114),
        Field::ones(ANATOP + DRAM_PLL, LOCKED | GIVES | RUNS),
        Field::whole(ANATOP + DRAM_PLL + 4, DIVIDERS_750M),
        Field::whole(ANATOP + DRAM_PLL + 8, 0),
    ],
};

const fn locked(offset: u64) -> Field {
    Field::ones(ANATOP + offset, LOCKED)
}

#[cfg(test)]
mod tests;
