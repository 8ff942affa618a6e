// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a run of the guest ends, and the pause of a suspended one.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Why the vCPUs stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The guest powered itself off.
    Off,
    /// The guest asked for a reset.
    Reset,
    /// The guest did something after which it cannot go on.
    Guest(String),
    /// KVM or the blob failed.
    Host(String),
    /// The user ended it, with a key.
    Quit,
    /// This process was told to end, by a signal.
    Signal(i32),
}

/// A suspended guest.
#[derive(Clone, Copy, Debug)]
struct Sleep {
    /// When it wakes up by itself.
    until: Option<Instant>,
}

#[derive(Debug, Default)]
struct State {
    outcome: Option<Outcome>,
    /// Set while the guest is suspended.
    sleep: Option<Sleep>,
    /// When the guest is reset unless its firmware says otherwise before.
    deadline: Option<Instant>,
}

/// Shared by all threads of a run.
#[derive(Debug, Default)]
pub struct Control {
    state: Mutex<State>,
}

impl Control {
    /// Ends the run; the first reason counts.
    pub fn stop(&self, outcome: Outcome) {
        self.lock().outcome.get_or_insert(outcome);
    }

    /// The reason for which the run ends, if it does.
    pub fn outcome(&self) -> Option<Outcome> {
        self.lock().outcome.clone()
    }

    /// Tells whether the run ends.
    pub fn stopped(&self) -> bool {
        self.lock().outcome.is_some()
    }

    /// Has the guest reset after `limit`, or never: what was said before counts no more.
    pub fn watchdog(&self, limit: Option<Duration>) {
        // A time that no clock reaches is as good as never.
        self.lock().deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
    }

    /// Tells whether the time of [`Control::watchdog`] is over.
    pub fn watchdog_is_over(&self) -> bool {
        self.lock()
            .deadline
            .is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Notes that the guest is suspended from now, for `limit` or until somebody wakes it.
    pub fn suspend(&self, limit: Option<Duration>) {
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        self.lock().sleep = Some(Sleep { until });
    }

    /// Tells whether the guest is suspended.
    pub fn is_suspended(&self) -> bool {
        self.lock().sleep.is_some()
    }

    /// Tells whether the guest is suspended and has slept as long as it would.
    pub fn has_slept(&self) -> bool {
        let until = self.lock().sleep.and_then(|sleep| sleep.until);
        until.is_some_and(|until| until <= Instant::now())
    }

    /// Wakes the guest, if it is suspended; its vCPU must be kicked to notice.
    pub fn wake(&self) {
        self.lock().sleep = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOREVER: Duration = Duration::from_secs(3600);

    #[test]
    fn the_first_reason_to_stop_counts() {
        let control = Control::default();
        assert!(!control.stopped());
        control.stop(Outcome::Off);
        control.stop(Outcome::Reset);
        assert_eq!(control.outcome(), Some(Outcome::Off));
    }

    #[test]
    fn the_watchdogs_last_limit_counts() {
        let control = Control::default();
        assert!(!control.watchdog_is_over());
        control.watchdog(Some(Duration::ZERO));
        assert!(control.watchdog_is_over());
        for later in [Some(FOREVER), Some(Duration::MAX), None] {
            control.watchdog(Some(Duration::ZERO));
            control.watchdog(later);
            assert!(!control.watchdog_is_over());
        }
    }

    #[test]
    fn a_suspended_guest_wakes_when_its_time_is_over_or_somebody_says_so() {
        let control = Control::default();
        assert!(!control.is_suspended() && !control.has_slept());
        control.suspend(Some(Duration::ZERO));
        assert!(control.is_suspended() && control.has_slept());
        control.wake();
        assert!(!control.is_suspended() && !control.has_slept());
        for limit in [Some(FOREVER), Some(Duration::MAX), None] {
            control.suspend(limit);
            assert!(control.is_suspended() && !control.has_slept());
        }
    }
}
