// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Linux's clocks that a VMM and its payloads go by.

/// Nanoseconds of CLOCK_MONOTONIC, the clock of a record's times.
pub fn monotonic_ns() -> u64 {
    clock_ns(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds of CLOCK_BOOTTIME, the monotonic clock that [`Reply::of_host`](crate::Reply::of_host)
/// tells payloads of.
pub fn boottime_ns() -> u64 {
    clock_ns(libc::CLOCK_BOOTTIME)
}

/// Nanoseconds of one of Linux's clocks.
fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is valid for writing, and callers name clocks that always exist on Linux.
    unsafe { libc::clock_gettime(clock, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
