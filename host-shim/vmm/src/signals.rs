// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Signals that ask this process to end: noted by the handler, acted on by the main loop.

use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicI32, Ordering};

use libc::{c_int, c_void, siginfo_t};
use vmm_sys_util::eventfd::{EFD_CLOEXEC, EFD_NONBLOCK, EventFd};
use vmm_sys_util::signal::register_signal_handler;

static SIGNAL: AtomicI32 = AtomicI32::new(0);
static EVENT: AtomicI32 = AtomicI32::new(-1);

/// Catches the signals for as long as this process lives.
#[derive(Debug)]
pub struct Signals {
    event: EventFd,
}

impl Signals {
    /// Installs the handlers.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn catch() -> std::io::Result<Signals> {
        let event = EventFd::new(EFD_CLOEXEC | EFD_NONBLOCK)?;
        EVENT.store(event.as_raw_fd(), Ordering::Relaxed);
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT] {
            register_signal_handler(signal, note)?;
        }
        Ok(Signals { event })
    }

    /// The signal that came, if one did.
    pub fn caught(&self) -> Option<i32> {
        let signal = SIGNAL.load(Ordering::Relaxed);
        is_caught().then_some(signal)
    }

    /// Becomes readable when a signal comes.
    pub fn fd(&self) -> c_int {
        self.event.as_raw_fd()
    }
}

/// Tells whether a signal that was to be caught has told this process to end.
pub fn is_caught() -> bool {
    SIGNAL.load(Ordering::Relaxed) != 0
}

extern "C" fn note(signal: c_int, _: *mut siginfo_t, _: *mut c_void) {
    SIGNAL.store(signal, Ordering::Relaxed);
    let one = 1_u64.to_ne_bytes();
    // SAFETY: write(2) is async-signal-safe and reads eight bytes from an array of eight. A number
    // that is no eventfd any more makes it fail, which changes nothing.
    unsafe {
        libc::write(
            EVENT.load(Ordering::Relaxed),
            one.as_ptr().cast(),
            one.len(),
        )
    };
}
