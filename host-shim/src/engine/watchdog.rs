// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The blob watchdog: no call may keep the blob running longer than the VMM allows.
//!
//! A vCPU's thread only increments and stores one word when a call enters and leaves the blob. One
//! thread per monitor VM wakes eight times per limit and looks at these words. It counts its own
//! ticks and reads no clock, so that a host which was suspended or starved does not make the
//! watchdog bite: it slept as well. A vCPU that was in the same call at eight ticks is kicked out
//! of KVM_RUN by a signal, which also ends a WFI. Of calls that KVM carries by itself, KVM tells the
//! same by words of its own.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::engine::standing::Standing;
use crate::policy::Config;

const TICKS: u32 = 8;
/// Bit of [`Slot::state`] that says that the blob has the CPU; the bits above count calls.
const IN_BLOB: u64 = 1;

thread_local! {
    /// The thread's number, asked for once.
    // SAFETY: gettid has no arguments and always succeeds.
    static THREAD: i32 = unsafe { libc::gettid() };
}

/// Bit of a call's number that says that KVM carries it and counts by itself.
const CARRIED: u64 = 1 << 63;

/// What other threads may know of a vCPU. Each has a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Slot {
    /// Number of the call shifted left by one, and [`IN_BLOB`].
    state: AtomicU64,
    /// Number of the last call that the watchdog ended.
    fired: AtomicU64,
    /// Thread that runs the vCPU, as gettid(2) numbers it.
    thread: AtomicI32,
    /// The vCPU's `immediate_exit` in its kvm_run page. The lock is for kicks alone, never for
    /// calls.
    immediate_exit: Mutex<Option<ExitFlag>>,
    /// Where KVM tells of the calls that it carries.
    standing: Mutex<Option<Standing>>,
    /// A carried call has been left, and the VMM does something else.
    paused: AtomicBool,
}

/// Address of an `immediate_exit` byte.
#[derive(Debug)]
struct ExitFlag(*mut u8);

// SAFETY: the byte is made for being written by other threads than the vCPU's (KVM API, 5:
// "immediate_exit").
unsafe impl Send for ExitFlag {}

impl Slot {
    /// The current thread is about to enter the blob; `new_call` unless it goes on with an
    /// interrupted call.
    pub(crate) fn enter(&self, new_call: bool) {
        self.thread.store(THREAD.with(|id| *id), Ordering::Relaxed);
        let call = (self.state.load(Ordering::Relaxed) >> 1) + u64::from(new_call);
        self.state.store(call << 1 | IN_BLOB, Ordering::Release);
    }

    /// The blob no longer has the CPU.
    pub(crate) fn leave(&self) {
        self.state.store(
            self.state.load(Ordering::Relaxed) & !IN_BLOB,
            Ordering::Release,
        );
    }

    /// A call that KVM carries has been left for something else than the blob's own affairs.
    pub(crate) fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Release);
    }

    /// Notes, or with [`None`] forgets, where KVM tells of the calls that it carries.
    pub(crate) fn set_standing(&self, standing: Option<Standing>) {
        let mut own = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        *own = standing;
    }

    /// The call that KVM carries: its number, and the thread that runs it or 0.
    fn carried(&self) -> Option<(u64, i32)> {
        let standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the vCPU takes its words back before it goes, which the lock makes wait for this.
        let (call, thread) = unsafe { (*standing)?.call() }?;
        Some((CARRIED | call, thread))
    }

    /// The number of the call for which the blob has a CPU right now, and the thread that runs it.
    fn running(&self) -> Option<(u64, i32)> {
        let state = self.state.load(Ordering::Acquire);
        if state & IN_BLOB != 0 {
            return Some((state >> 1, self.thread.load(Ordering::Relaxed)));
        }
        let runs = |&(_, thread): &(u64, i32)| thread != 0;
        let paused = self.paused.load(Ordering::Acquire);
        self.carried().filter(|call| runs(call) && !paused)
    }

    /// Tells whether the watchdog has ended the current call.
    pub(crate) fn fired(&self) -> bool {
        let own = self.state.load(Ordering::Relaxed);
        let call = match self.carried() {
            Some((call, _)) if own & IN_BLOB == 0 => call,
            _ => own >> 1,
        };
        self.fired.load(Ordering::Acquire) == call
    }

    /// Notes, or with [`None`] forgets, where the vCPU's `immediate_exit` is.
    ///
    /// # Safety
    /// The byte stays mapped until this is called with [`None`].
    pub(crate) unsafe fn set_immediate_exit(&self, at: Option<*mut u8>) {
        let mut flag = self
            .immediate_exit
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *flag = at.map(ExitFlag);
    }

    /// Makes the vCPU's next KVM_RUN return at once.
    pub(crate) fn kick(&self) {
        let flag = self
            .immediate_exit
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(ExitFlag(at)) = *flag {
            // SAFETY: whoever set the flag keeps the byte mapped until it has taken the flag back,
            // which the lock makes wait for this write.
            unsafe { at.write_volatile(1) };
        }
    }

    /// Ends a call that has run too long.
    fn fire(&self, call: u64, thread: i32, signal: i32) {
        self.fired.store(call, Ordering::Release);
        self.kick();
        // SAFETY: tgkill touches no memory; a thread that has ended meanwhile makes it fail, which
        // is as good.
        unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), thread, signal) };
    }
}

/// The thread and the slots that it looks at.
#[derive(Debug)]
pub(crate) struct Watchdog {
    slots: Arc<[Slot]>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Starts watching `cpus` vCPUs, unless the limit is zero.
    pub(crate) fn new(cpus: u32, config: &Config) -> io::Result<Self> {
        let slots: Arc<[Slot]> = (0..cpus).map(|_| Slot::default()).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let thread = if config.watchdog.is_zero() {
            None
        } else {
            install_handler(config.kick_signal)?;
            let (slots, stop, signal) = (slots.clone(), stop.clone(), config.kick_signal);
            let tick = config.watchdog / TICKS;
            let builder = std::thread::Builder::new().name("blob-watchdog".into());
            Some(builder.spawn(move || watch(&slots, &stop, tick, signal))?)
        };
        Ok(Watchdog {
            slots,
            stop,
            thread,
        })
    }

    pub(crate) fn slot(&self, cpu: u32) -> &Slot {
        &self.slots[cpu as usize]
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

fn watch(slots: &[Slot], stop: &AtomicBool, tick: Duration, signal: i32) {
    // The call seen last, and for how many ticks it has been the same.
    let mut seen = vec![(0, 0); slots.len()];
    while !stop.load(Ordering::Acquire) {
        std::thread::park_timeout(tick);
        for (slot, (last, ticks)) in slots.iter().zip(&mut seen) {
            let Some((call, thread)) = slot.running() else {
                continue;
            };
            if call != *last {
                (*last, *ticks) = (call, 0);
                continue;
            }
            *ticks += 1;
            if *ticks >= TICKS {
                // The thread may just have missed the signal of an earlier tick, so this repeats.
                slot.fire(call, thread, signal);
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
    if action.sa_sigaction != libc::SIG_DFL {
        return Ok(());
    }
    action.sa_sigaction = nothing as *const () as usize;
    // SAFETY: the handler does nothing, so it may run at any point of any thread.
    if unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
