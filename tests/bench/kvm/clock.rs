// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The generic timer's counter, which a program may read without a system call.

use std::arch::asm;

/// Ticks of the counter.
pub(crate) fn ticks() -> u64 {
    let ticks: u64;
    // SAFETY: Linux lets EL0 read CNTVCT_EL0; the barrier keeps the read from moving (Arm ARM
    // D12.1.3).
    unsafe { asm!("isb", "mrs {}, cntvct_el0", out(reg) ticks, options(nostack, preserves_flags)) };
    ticks
}

/// Nanoseconds of a number of ticks.
pub(crate) fn nanoseconds(ticks: u64) -> f64 {
    let frequency: u64;
    // SAFETY: as for the counter.
    unsafe { asm!("mrs {}, cntfrq_el0", out(reg) frequency, options(nomem, nostack)) };
    ticks as f64 * 1e9 / frequency as f64
}

/// The value in the middle.
pub(crate) fn median(mut samples: Vec<u64>) -> f64 {
    samples.sort_unstable();
    nanoseconds(samples[samples.len() / 2])
}
