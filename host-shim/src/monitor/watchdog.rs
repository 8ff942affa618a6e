// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The blob watchdog: no call may keep the blob running longer than the VMM allows.
//!
//! What counts is the CPU time of the thread that runs the monitor's vCPU, in which a guest's time is
//! included: a thread that the host gives no CPU does not become guilty of that. A blob that sleeps
//! uses none, so there is a limit on the wall as well, much longer. A stay with the VMM is no time of
//! the blob's, and counts for neither.
//!
//! One thread for all monitor VMs of a guest wakes at each tick, takes a sample of every vCPU (`slot.rs`) and judges
//! (`limits.rs`). A call that exceeds a limit is kicked out of KVM_RUN by a signal, which also ends
//! a WFI. Of calls that KVM carries by itself, KVM tells number and thread by words of its own; the
//! guest executes nothing until such a call is over, so what its thread uses is the blob's as well.
//!
//! A call can be left, go on in another thread, and its first thread can end and its number be given
//! away. None of this makes the time of another thread the blob's:
//! * a clock counts only if its thread was in the call before the clock was read and after;
//! * a difference counts only between two ticks that found the same call on a thread of the same
//!   number;
//! * if these are two threads, the second was born after the first tick, and its clock shows no more
//!   than what it has used since then;
//! * no tick counts for more than its length, and it takes several to exceed a limit.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::limits::{Account, Limits};
use crate::monitor::slot::Slot;
use crate::policy::Config;

/// The thread that looks at the slots.
#[derive(Debug)]
pub(crate) struct Watchdog {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Starts watching, unless the watchdog is switched off.
    pub(crate) fn new(slots: Vec<Arc<Slot>>, config: &Config) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = match Limits::of(config) {
            None => None,
            Some(limits) => {
                install_handler(config.kick_signal)?;
                let (stop, signal) = (stop.clone(), config.kick_signal);
                let builder = std::thread::Builder::new().name("blob-watchdog".into());
                Some(builder.spawn(move || watch(&slots, &stop, &limits, signal))?)
            }
        };
        Ok(Watchdog { stop, thread })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic of that thread has been printed; there is nothing else to do about it here.
            let _ = thread.join();
        }
    }
}

fn watch(slots: &[Arc<Slot>], stop: &AtomicBool, limits: &Limits, signal: i32) {
    let mut accounts: Vec<_> = slots.iter().map(|_| Account::default()).collect();
    let mut last = Instant::now();
    while !stop.load(Ordering::Acquire) {
        std::thread::park_timeout(limits.tick);
        let since = last.elapsed();
        last += since;
        for (slot, account) in slots.iter().zip(&mut accounts) {
            let sample = slot.sample();
            let limit = account.tick(sample, since, limits);
            if let (Some(sample), Some(limit)) = (sample, limit) {
                // The thread may just have missed the signal of an earlier tick, so this repeats.
                slot.fire(sample, limit, signal);
            }
        }
    }
}

/// Gives the kick signal a handler that does nothing, unless the VMM has given it one.
fn install_handler(signal: i32) -> io::Result<()> {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: all-zero bytes are a valid sigaction: the default action, no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: a null second argument only asks; `action` is valid for writing.
    if unsafe { libc::sigaction(signal, std::ptr::null(), &mut action) } != 0 {
        return Err(io::Error::last_os_error());
    }
    match action.sa_sigaction {
        libc::SIG_DFL => {}
        // As whoever started this program may have left it (execve(2)): KVM_RUN would go on.
        libc::SIG_IGN => {
            let why = format!(
                "signal {signal} is ignored: give it a handler, or name another one as kick_signal"
            );
            return Err(io::Error::other(why));
        }
        _ => return Ok(()),
    }
    action.sa_sigaction = nothing as *const () as usize;
    // SAFETY: the handler does nothing, so it may run at any point of any thread.
    if unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
