// SPDX-License-Identifier: Apache-2.0 OR MIT
//! When payloads are to be entered without a call, for VMMs that answer [`Request::Timer`]: one timer of
//! the host's, set to the earliest time.
//!
//! The clock is CLOCK_BOOTTIME, the one of which [`Reply::of_host`] tells payloads.
//!
//! [`Request::Timer`]: crate::Request::Timer
//! [`Reply::of_host`]: crate::Reply::of_host

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::boottime_ns;

/// A CPU's number, and a payload's.
type Place = (u32, usize);

/// The times at which payloads are to be entered without a call, as [`Request::Timer`] asks for it: one for
/// each CPU and payload. The file that this is becomes readable when a time has come.
///
/// [`Request::Timer`]: crate::Request::Timer
#[derive(Debug)]
pub struct Timers {
    due: Mutex<BTreeMap<Place, u64>>,
    fd: OwnedFd,
}

impl Timers {
    /// Begins without any.
    ///
    /// # Errors
    /// When the system has no timer.
    pub fn new() -> io::Result<Timers> {
        let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
        // SAFETY: timerfd_create takes two numbers.
        let fd = unsafe { libc::timerfd_create(libc::CLOCK_BOOTTIME, flags) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Timers {
            due: Mutex::default(),
            // SAFETY: the descriptor is new, and nobody else's.
            fd: unsafe { OwnedFd::from_raw_fd(fd) },
        })
    }

    /// Sets the time for a place, in nanoseconds, or takes it back by 0.
    ///
    /// # Errors
    /// When the system refuses to set its timer.
    pub fn set(&self, place: Place, deadline: u64) -> io::Result<()> {
        let mut due = self.lock();
        match deadline {
            0 => due.remove(&place),
            deadline => due.insert(place, deadline),
        };
        self.arm(&due)
    }

    /// Takes back the times of a CPU.
    ///
    /// # Errors
    /// When the system refuses to set its timer.
    pub fn forget(&self, cpu: u32) -> io::Result<()> {
        let mut due = self.lock();
        due.retain(|&(own, _), _| own != cpu);
        self.arm(&due)
    }

    /// Takes all times back.
    ///
    /// # Errors
    /// When the system refuses to set its timer.
    pub fn clear(&self) -> io::Result<()> {
        let mut due = self.lock();
        due.clear();
        self.arm(&due)
    }

    /// Takes the places whose time has come. The file is readable no more, until another one's has.
    ///
    /// # Errors
    /// When the system refuses to set its timer.
    pub fn take(&self) -> io::Result<Vec<Place>> {
        let mut due = self.lock();
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let now = boottime_ns();
        let mut come = Vec::new();
        due.retain(|&place, &mut deadline| {
            let is_over = deadline <= now;
            come.extend(is_over.then_some(place));
            !is_over
        });
        if !come.is_empty() {
            self.arm(&due)?;
        }
        Ok(come)
    }

    /// The times that have not been taken, for a VMM that saves its guest.
    pub fn pending(&self) -> Vec<(Place, u64)> {
        let due = self.lock();
        due.iter()
            .map(|(&place, &deadline)| (place, deadline))
            .collect()
    }

    /// Has the timer go off at the earliest time, or never.
    fn arm(&self, due: &BTreeMap<Place, u64>) -> io::Result<()> {
        const SECOND: u64 = 1_000_000_000;
        // Zero is never, and no deadline.
        let earliest = due.values().min().copied().unwrap_or(0);
        let value = libc::timespec {
            tv_sec: (earliest / SECOND) as _,
            tv_nsec: (earliest % SECOND) as _,
        };
        let once = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let time = libc::itimerspec {
            it_interval: once,
            it_value: value,
        };
        let (fd, at) = (self.fd.as_raw_fd(), libc::TFD_TIMER_ABSTIME);
        // SAFETY: the kernel reads one itimerspec, and has nowhere to write the old one.
        match unsafe { libc::timerfd_settime(fd, at, &raw const time, std::ptr::null_mut()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Place, u64>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Timers {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000_000_000;
    const MILLISECOND: u64 = 1_000_000;

    fn timers() -> Timers {
        Timers::new().expect("a timer")
    }

    fn soon() -> u64 {
        boottime_ns() + 20 * MILLISECOND
    }

    /// Waits for the timer; -1 is for ever.
    fn goes_off(timers: &Timers, milliseconds: i32) -> bool {
        let mut poll = libc::pollfd {
            fd: timers.as_fd().as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: poll reads and writes one entry.
        unsafe { libc::poll(&raw mut poll, 1, milliseconds) > 0 }
    }

    #[test]
    fn a_timer_goes_off_when_its_time_has_come_and_not_before() {
        let timers = timers();
        let deadline = soon();
        timers.set((3, 1), deadline).expect("a time");
        timers.set((4, 0), deadline + HOUR).expect("a time");
        assert!(goes_off(&timers, -1));
        assert!(boottime_ns() >= deadline);
        assert_eq!(timers.take().expect("a time"), [(3, 1)]);
        assert!(!goes_off(&timers, 0), "the other one is an hour away");
        assert!(timers.take().expect("none").is_empty());
    }

    #[test]
    fn an_earlier_time_wakes_who_waits_for_a_later_one() {
        let timers = timers();
        timers.set((0, 0), u64::MAX).expect("a time");
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| goes_off(&timers, -1));
            timers.set((1, 0), soon()).expect("a time");
            assert!(waits.join().expect("no panic"));
        });
        assert_eq!(timers.take().expect("a time"), [(1, 0)]);
    }

    #[test]
    fn the_last_time_of_a_place_counts_and_zero_takes_it_back() {
        let timers = timers();
        for last in [HOUR * 1_000_000, 0] {
            timers.set((0, 0), 1).expect("a time");
            assert!(goes_off(&timers, -1), "a time that is long over");
            timers.set((0, 0), last).expect("a time");
            assert!(!goes_off(&timers, 0));
            assert!(timers.take().expect("none").is_empty());
        }
    }

    #[test]
    fn a_cpu_that_goes_off_takes_its_times_along() {
        let timers = timers();
        for place in [(0, 0), (0, 1), (1, 0)] {
            timers.set(place, 1).expect("a time");
        }
        timers.forget(0).expect("a time");
        assert_eq!(timers.take().expect("a time"), [(1, 0)]);
        timers.set((0, 0), 1).expect("a time");
        timers.forget(0).expect("no time");
        assert!(!goes_off(&timers, 0));
    }

    #[test]
    fn what_is_cleared_never_comes() {
        let timers = timers();
        timers.set((0, 0), 1).expect("a time");
        timers.set((1, 1), 1).expect("a time");
        timers.clear().expect("no time");
        assert!(!goes_off(&timers, 0) && timers.pending().is_empty());
    }

    #[test]
    fn all_whose_time_has_come_are_taken_at_once() {
        let timers = timers();
        for place in [(2, 0), (0, 1), (0, 0)] {
            timers.set(place, 1 + u64::from(place.0)).expect("a time");
        }
        assert!(goes_off(&timers, -1));
        assert_eq!(timers.take().expect("times"), [(0, 0), (0, 1), (2, 0)]);
        assert!(!goes_off(&timers, 0));
    }
}
