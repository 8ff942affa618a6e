// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a run of the guest ends, and the pause of a suspended one.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
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

#[derive(Debug, Default)]
struct State {
    outcome: Option<Outcome>,
    wake_ups: u64,
    /// When the guest is reset unless its firmware says otherwise before.
    deadline: Option<Instant>,
}

/// Shared by all threads of a run.
#[derive(Debug, Default)]
pub struct Control {
    state: Mutex<State>,
    changed: Condvar,
}

impl Control {
    /// Ends the run; the first reason counts.
    pub fn stop(&self, outcome: Outcome) {
        self.lock().outcome.get_or_insert(outcome);
        self.changed.notify_all();
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

    /// Wakes a suspended guest.
    pub fn wake(&self) {
        self.lock().wake_ups += 1;
        self.changed.notify_all();
    }

    /// Sleeps until somebody wakes the guest, the run ends or `limit` is over.
    pub fn suspend(&self, limit: Duration) {
        let end = Instant::now() + limit;
        let mut state = self.lock();
        let before = state.wake_ups;
        while state.outcome.is_none() && state.wake_ups == before {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
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
    fn a_suspended_guest_wakes_for_a_key_and_for_the_end() {
        let control = Control::default();
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| control.suspend(FOREVER));
            while !sleeper.is_finished() {
                control.wake();
                std::thread::yield_now();
            }
        });
        control.stop(Outcome::Quit);
        control.suspend(FOREVER);
        assert!(control.stopped());
    }
}
