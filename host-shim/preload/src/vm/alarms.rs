// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is due at a time: entries of payloads without a call, and the reset by a watchdog that the guest has
//! not fed. A thread waits for it, from the first time on that a payload asks for.
//!
//! The payloads' clock is the host's CLOCK_BOOTTIME, but for a guest that comes from another host and goes on
//! from the time that it had there.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;

use fakemon_host::{Timers, boottime_ns};

use super::{Vm, lock};
use crate::state::{Place, WATCHDOG};
use crate::{say, signals};

/// A VM's clock and what is due by it.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    timers: Mutex<Option<Arc<Timers>>>,
    /// The payloads' clock is so far ahead of the host's.
    ahead: AtomicI64,
    /// The guest is to be reset.
    has_bitten: AtomicBool,
}

impl Vm {
    /// Nanoseconds of the payloads' clock.
    pub(crate) fn now(&self) -> u64 {
        boottime_ns().wrapping_add_signed(self.alarms.ahead.load(Ordering::Relaxed))
    }

    /// Has the payloads' clock go on from this time.
    pub(super) fn set_clock(&self, now: u64) {
        let ahead = now.wrapping_sub(boottime_ns()).cast_signed();
        self.alarms.ahead.store(ahead, Ordering::Relaxed);
    }

    /// Has the guest reset in so many nanoseconds unless this is called again before, or not at all at 0.
    pub(crate) fn set_watchdog(self: &Arc<Self>, ns: u64) -> io::Result<()> {
        let deadline = match ns {
            0 => 0,
            _ => self.now().saturating_add(ns),
        };
        self.set_alarm(WATCHDOG, deadline)
    }

    /// Has this be due at a time, or not at all at 0.
    pub(crate) fn set_alarm(self: &Arc<Self>, place: Place, deadline: u64) -> io::Result<()> {
        let mut timers = lock(&self.alarms.timers);
        let timers = match &mut *timers {
            // What was never set needs no taking back.
            None if deadline == 0 => return Ok(()),
            Some(timers) => timers,
            none => none.insert(start(self)?),
        };
        timers.set(place, self.by_host(deadline))
    }

    /// The host's time of a deadline, which is not 0 unless that is.
    fn by_host(&self, deadline: u64) -> u64 {
        if deadline == 0 {
            return 0;
        }
        let ahead = self.alarms.ahead.load(Ordering::Relaxed);
        let time = i128::from(deadline) - i128::from(ahead);
        time.clamp(1, i128::from(u64::MAX)) as u64
    }

    /// A CPU goes off, and its timers with it.
    pub(crate) fn forget_timers(&self, cpu: u32) {
        self.change_timers(|timers| timers.forget(cpu));
    }

    /// The guest is reset: nothing is due any more.
    pub(super) fn forget_alarms(&self) {
        self.alarms.has_bitten.store(false, Ordering::SeqCst);
        self.change_timers(Timers::clear);
    }

    fn change_timers(&self, change: impl FnOnce(&Timers) -> io::Result<()>) {
        if let Some(Err(error)) = lock(&self.alarms.timers).as_deref().map(change) {
            say!("a timer of the blob's cannot be taken back: {error}");
        }
    }

    /// What is due when, by the payloads' clock.
    pub(super) fn pending_alarms(&self) -> Vec<(Place, u64)> {
        let ahead = self.alarms.ahead.load(Ordering::Relaxed);
        let timers = lock(&self.alarms.timers);
        let pending = timers.iter().flat_map(|timers| timers.pending());
        pending
            .map(|(place, time)| (place, time.saturating_add_signed(ahead)))
            .collect()
    }

    /// Has this be due.
    pub(super) fn restore_alarms(self: &Arc<Self>, pending: &[(Place, u64)]) -> io::Result<()> {
        let mut pending = pending.iter();
        pending.try_for_each(|&(place, time)| self.set_alarm(place, time))
    }

    /// Whether the guest is to be reset, which this tells once.
    pub(crate) fn takes_reset(&self) -> bool {
        // This is asked at every run.
        let has_bitten = &self.alarms.has_bitten;
        has_bitten.load(Ordering::SeqCst) && has_bitten.swap(false, Ordering::SeqCst)
    }

    /// The time for this has come.
    fn ring(&self, place: Place) {
        if place != WATCHDOG {
            return self.interrupt(place.0, place.1);
        }
        say!("the guest has let its firmware's watchdog run out, which resets it");
        self.alarms.has_bitten.store(true, Ordering::SeqCst);
        for vcpu in self.vcpus() {
            vcpu.kick(self.settings.config.kick_signal);
        }
    }
}

/// Nobody waits for anything of a VM that is gone.
impl Drop for Alarms {
    fn drop(&mut self) {
        // It wakes the thread, which finds that out.
        self.timers
            .get_mut()
            .ok()
            .and_then(|timers| timers.as_ref()?.set(WATCHDOG, 1).ok());
    }
}

/// Starts the thread.
fn start(vm: &Arc<Vm>) -> io::Result<Arc<Timers>> {
    let timers = Arc::new(Timers::new()?);
    let (own, vm) = (timers.clone(), Arc::downgrade(vm));
    let thread = thread::Builder::new().name("fakemon-alarms".to_owned());
    signals::without(|| thread.spawn(move || wait(&own, &vm)))?;
    Ok(timers)
}

fn wait(timers: &Timers, vm: &Weak<Vm>) {
    loop {
        let mut poll = libc::pollfd {
            fd: timers.as_fd().as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: poll reads and writes one entry.
        unsafe { libc::poll(&raw mut poll, 1, -1) };
        let Some(vm) = vm.upgrade() else {
            return;
        };
        match timers.take() {
            Ok(places) => places.into_iter().for_each(|place| vm.ring(place)),
            Err(error) => return say!("the blob's timers have stopped: {error}"),
        }
    }
}
