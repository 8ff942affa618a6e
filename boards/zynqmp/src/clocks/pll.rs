// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Phase-locked loops: reference clock times feedback divider, and a fraction more.

use super::table;
use crate::api::{DONE, Reply, Status};

/// I/O, RPU, APU, DDR and video PLL.
pub const COUNT: usize = 5;

/// A feedback divider locks within these bounds.
const FEEDBACK: core::ops::RangeInclusive<u32> = 25..=125;
const FRACTION_MAX: u32 = 0xffff;

/// The state of one PLL.
#[derive(Clone, Copy, Debug)]
pub struct Pll {
    feedback: u8,
    fraction: u16,
    /// What it is to be, as the kernel says ahead of starting it.
    fractional: bool,
    runs: bool,
}

/// What the boot loader of a ZCU102 sets, with 33.33 MHz at the input: I/O 3000 MHz, RPU 2400,
/// APU 2400, DDR 2133, video 3000, all halved behind it.
pub(super) const BOOT: [Pll; COUNT] = [boot(90), boot(72), boot(72), boot(64), boot(90)];

const fn boot(feedback: u8) -> Pll {
    Pll {
        feedback,
        fraction: 0,
        fractional: false,
        runs: true,
    }
}

/// The number of the PLL whose loop is clock `id`.
pub fn of_clock(id: u32) -> Option<usize> {
    (0..COUNT).find(|&at| id == table::loop_id(at as u32))
}

/// The clock that PLL number `at` puts out.
pub fn output(at: usize) -> u32 {
    at as u32
}

/// Tells whether clock `id` is the last multiplexer of a PLL, which bypasses it.
pub fn is_bypass(id: u32) -> bool {
    (id as usize) < COUNT
}

impl Pll {
    /// Starts it in the mode that was asked for, or stops it.
    pub fn switch(&mut self, on: bool) {
        self.runs = on;
    }

    /// Tells whether it is locked.
    pub fn runs(&self) -> bool {
        self.runs
    }

    /// Sets the feedback divider.
    pub fn set_feedback(&mut self, divider: u32) -> Reply {
        if !FEEDBACK.contains(&divider) {
            return Err(Status::INVALID_PARAM);
        }
        self.feedback = divider as u8;
        DONE
    }

    /// The feedback divider.
    pub fn feedback(&self) -> u32 {
        u32::from(self.feedback)
    }

    /// Sets the mode for the next start: 0 integer, 1 fractional.
    pub fn set_mode(&mut self, mode: u32) -> Reply {
        if mode > 1 {
            return Err(Status::ARGS);
        }
        self.fractional = mode == 1;
        DONE
    }

    /// The mode that was set.
    pub fn mode(&self) -> u32 {
        u32::from(self.fractional)
    }

    /// Sets the fraction, in 65536ths.
    pub fn set_fraction(&mut self, fraction: u32) -> Reply {
        if fraction > FRACTION_MAX {
            return Err(Status::INVALID_PARAM);
        }
        self.fraction = fraction as u16;
        DONE
    }

    /// The fraction.
    pub fn fraction(&self) -> u32 {
        u32::from(self.fraction)
    }
}
