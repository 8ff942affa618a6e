// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The main thread's loop while the guest runs: keys, signals, and a look at how the guest is
//! doing.

use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};

use crate::console::{Console, Keys};
use crate::control::{Control, Outcome};
use crate::devices::pl011::Pl011;
use crate::say;
use crate::signals::Signals;

/// How long output without a line end, or the end of the run, may go unnoticed.
const TICK_MS: i32 = 20;

/// The guest as this loop sees it.
#[allow(missing_debug_implementations, reason = "functions have none")]
pub struct Guest<'a> {
    /// How it ends and sleeps.
    pub control: &'a Control,
    /// Its console.
    pub uart: &'a Mutex<Pl011>,
    /// Makes its vCPUs look at what has changed.
    pub kick: &'a dyn Fn(),
    /// Carries out what it has sent to its console without an exit.
    pub drain: &'a dyn Fn(),
    /// Readable when a time has come at which a payload is to be entered.
    pub timer: BorrowedFd<'a>,
    /// Has such payloads entered.
    pub look_at_timers: &'a dyn Fn(),
    /// Has its clock look at its alarm, which is for a second and may be a tick late.
    pub tick: &'a dyn Fn(),
}

/// What the loop needs, and keeps over a reset of the guest.
#[derive(Debug)]
pub struct Events {
    signals: Signals,
    keys: Keys,
    stdin_is_open: bool,
}

impl Events {
    /// Starts with standard input open.
    pub fn new(signals: Signals) -> Self {
        Events {
            signals,
            keys: Keys::default(),
            stdin_is_open: true,
        }
    }

    /// Serves the guest's console until the run ends, and wakes the guest when it is suspended.
    pub fn run_until_stopped(&mut self, guest: &Guest<'_>, console: &Mutex<Console>) {
        let control = guest.control;
        let uart = || guest.uart.lock().unwrap_or_else(PoisonError::into_inner);
        while !control.stopped() {
            let typed = self.wait(guest.timer);
            (guest.look_at_timers)();
            (guest.tick)();
            if let Some(signal) = self.signals.caught() {
                control.stop(Outcome::Signal(signal));
            }
            if control.watchdog_is_over() {
                say!("the guest has let its firmware's watchdog run out, which resets it");
                control.stop(Outcome::Reset);
            }
            match typed.map(|typed| self.keys.filter(&typed)) {
                Some(None) => control.stop(Outcome::Quit),
                Some(Some(bytes)) => {
                    uart().receive(&bytes);
                    if control.is_suspended() {
                        control.wake();
                        (guest.kick)();
                    }
                }
                None => {}
            }
            if control.has_slept() {
                control.wake();
                (guest.kick)();
            }
            (guest.drain)();
            uart().resume();
            let mut console = console.lock().unwrap_or_else(PoisonError::into_inner);
            console.flush();
            if let Some(words) = console.failure()
                && console.halted()
            {
                control.stop(Outcome::Guest(format!(
                    "the guest's kernel gave up: {words}"
                )));
            }
        }
        console
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .flush();
    }

    /// Waits a tick for a key, a signal or a timer; what was typed, if anything.
    fn wait(&mut self, timer: BorrowedFd<'_>) -> Option<Vec<u8>> {
        let poll = |fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        let stdin = if self.stdin_is_open {
            libc::STDIN_FILENO
        } else {
            -1
        };
        let mut fds = [
            poll(stdin),
            poll(self.signals.fd()),
            poll(timer.as_raw_fd()),
        ];
        // SAFETY: poll reads and writes as many entries as the array has; negative numbers are
        // skipped.
        unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, TICK_MS) };
        if fds[0].revents == 0 {
            return None;
        }
        let mut typed = [0; 256];
        match io::stdin().lock().read(&mut typed) {
            Ok(0) | Err(_) => {
                self.stdin_is_open = false;
                None
            }
            Ok(count) => Some(typed[..count].to_vec()),
        }
    }
}
