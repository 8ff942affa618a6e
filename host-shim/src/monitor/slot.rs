// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What other threads may know of a vCPU, and do to it: which call it is in, on which thread, and
//! how to get it out of there.
//!
//! A call of the userspace engine costs a store when it begins, when the blob gets the CPU, when the
//! blob loses it, and when it ends. The words are of the kind that KVM keeps for the calls that it carries by
//! itself: the number of the call, and the thread that runs it right now, or 0.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::engine::status::Status;
use crate::kvm_run::{Cause, RunPage};
use crate::limits::{Limit, Sample};

thread_local! {
    /// The thread's number, or 0 until it has been asked for.
    static THREAD: Cell<i32> = const { Cell::new(0) };
}

/// The number of the calling thread, as gettid(2) has it.
#[inline(always)]
pub(crate) fn this_thread() -> i32 {
    THREAD.with(|number| match number.get() {
        0 => first_asked(number),
        known => known,
    })
}

#[cold]
fn first_asked(number: &Cell<i32>) -> i32 {
    // SAFETY: gettid has no arguments and always succeeds.
    number.set(unsafe { libc::gettid() });
    number.get()
}

/// Bit of a call's number that says that KVM carries it.
const KVMS: u64 = 1 << 61;

/// Why a call is to end before it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It exceeds a limit of the watchdog's.
    Limit(Limit),
    /// The blob's data is to be made anew.
    Reload,
}

impl Verdict {
    /// As the low bits of a word, whose others are the number of the call.
    fn on(self, call: u64) -> u64 {
        call << 2
            | match self {
                Verdict::Limit(Limit::CpuTime) => 0,
                Verdict::Limit(Limit::WallTime) => 1,
                Verdict::Reload => 2,
            }
    }

    /// The verdict of such a word, if it is on this call.
    fn of(word: u64, call: u64) -> Option<Verdict> {
        let verdict = match word & 3 {
            0 => Verdict::Limit(Limit::CpuTime),
            1 => Verdict::Limit(Limit::WallTime),
            _ => Verdict::Reload,
        };
        (verdict.on(call) == word).then_some(verdict)
    }
}

/// Each has a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Slot {
    /// Number of the call, if KVM does not carry it: odd while it is in progress, left or not. Also counts
    /// what KVM carries and has not seen begin.
    call: AtomicU64,
    /// The thread that runs the blob, as gettid(2) numbers it, or 0.
    thread: AtomicI32,
    /// The last [`Verdict`], and the number of its call.
    fired: AtomicU64,
    /// A carried call has been left, and the VMM does something else.
    paused: AtomicBool,
    /// The payload is to be entered without a call.
    due: AtomicBool,
    /// The lock is for the watchdog and for kicks, never for calls.
    attached: Mutex<Option<Attached>>,
}

/// What there is of the vCPU in its `kvm_run` page.
#[derive(Debug)]
struct Attached {
    run: RunPage,
    /// If KVM may carry its calls.
    status: Option<Status>,
}

impl Slot {
    /// A call is about to begin. What this thread then reads was written no earlier than what a
    /// thread wrote that has not yet seen this.
    pub(crate) fn begin(&self) {
        let call = (self.call.load(Ordering::Relaxed) + 1) | 1;
        self.call.store(call, Ordering::SeqCst);
    }

    /// The call is over.
    pub(crate) fn end(&self) {
        let call = self.call.load(Ordering::Relaxed);
        self.call.store((call + 1) & !1, Ordering::Release);
    }

    /// What KVM is about to have in progress is none of the calls that it counts.
    pub(crate) fn count(&self) {
        let call = self.call.load(Ordering::Relaxed);
        self.call.store(call + 2, Ordering::Release);
    }

    /// Whether a call is in progress, whoever carries it.
    pub(crate) fn is_in_call(&self) -> bool {
        self.in_progress().is_some()
    }

    /// This thread, which is the current one, gives the blob its CPU.
    pub(crate) fn enter(&self, thread: i32) {
        self.thread.store(thread, Ordering::Release);
    }

    /// The blob no longer has the CPU.
    pub(crate) fn leave(&self) {
        self.thread.store(0, Ordering::Release);
    }

    /// A call that KVM carries has been left for something else than the blob's own affairs.
    pub(crate) fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Release);
    }

    /// Has the payload entered without a call, as soon as its CPU is not in one.
    pub(crate) fn raise(&self) {
        self.due.store(true, Ordering::Release);
    }

    /// Takes that back, and tells whether there was something to take back.
    pub(crate) fn lower(&self) -> bool {
        self.due.swap(false, Ordering::Acquire)
    }

    /// Whether the payload is to be entered without a call.
    pub(crate) fn is_raised(&self) -> bool {
        self.due.load(Ordering::Acquire)
    }

    /// Notes where the vCPU is, until [`detach`](Self::detach); `bound` if KVM carries its calls, or will.
    pub(crate) fn attach(&self, run: RunPage, bound: bool) {
        let status = bound.then(|| Status::of(run));
        *self.attached() = Some(Attached { run, status });
    }

    /// Forgets the vCPU, which is about to go, and with it the call that it may be in.
    pub(crate) fn detach(&self) {
        self.end();
        self.set_paused(false);
        self.lower();
        *self.attached() = None;
    }

    fn attached(&self) -> MutexGuard<'_, Option<Attached>> {
        self.attached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The call that KVM carries: its number, and the thread that runs it or 0. Each call makes one of two
    /// counts greater, KVM's or this library's, so their sum is no other call's.
    fn call_in_kvm(&self) -> Option<(u64, i32)> {
        let attached = self.attached();
        let (call, thread) = attached.as_ref()?.status.as_ref()?.call()?;
        let begun_here = self.call.load(Ordering::Acquire);
        Some((KVMS | (call + begun_here), thread))
    }

    /// The number of the call for which the blob has a CPU right now, and the thread that runs it.
    fn running(&self) -> Option<(u64, i32)> {
        let thread = self.thread.load(Ordering::Acquire);
        if thread != 0 {
            return Some((self.call.load(Ordering::Acquire), thread));
        }
        let paused = self.paused.load(Ordering::Acquire);
        self.call_in_kvm()
            .filter(|&(_, thread)| thread != 0 && !paused)
    }

    /// Whether the blob has a CPU right now.
    pub(crate) fn is_running(&self) -> bool {
        self.running().is_some()
    }

    /// What the blob is doing, if it is running. The thread ran the call before its clock was read
    /// and after, so it was there in between, and the clock is its own.
    pub(crate) fn sample(&self) -> Option<Sample> {
        let (call, thread) = self.running()?;
        // Without a clock there is still the wall.
        let cpu = cpu_time(thread).unwrap_or_default();
        (self.running() == Some((call, thread))).then_some(Sample { call, thread, cpu })
    }

    /// Makes the vCPU's next KVM_RUN return at once.
    pub(crate) fn kick(&self, cause: Cause) {
        if let Some(Attached { run, .. }) = *self.attached() {
            run.set(cause);
        }
    }

    /// Ends the call of a sample, because it exceeds this limit.
    pub(crate) fn fire(&self, sample: Sample, limit: Limit, signal: i32) {
        let fired = Verdict::Limit(limit).on(sample.call);
        self.fired.store(fired, Ordering::Release);
        self.kick(Cause::Verdict);
        interrupt(sample.thread, signal);
    }

    /// Ends the call in progress, because the blob's data is to be made anew. Tells whether that can be: true
    /// if there is no call, or if one that had its verdict when this was called last does not run. Ask again
    /// after a while otherwise.
    ///
    /// KVM_RUN returns at once from the verdict on, so a thread that enters it later runs nothing of the blob,
    /// and the while is for one that is on its way in.
    pub(crate) fn end_for_reload(&self, signal: i32) -> bool {
        let Some((call, thread)) = self.in_progress() else {
            return true;
        };
        let has_verdict = Verdict::of(self.fired.load(Ordering::Acquire), call).is_some();
        if !has_verdict {
            self.fired
                .store(Verdict::Reload.on(call), Ordering::Release);
        }
        // The watchdog may be about to do so.
        self.kick(Cause::Verdict);
        if thread != 0 {
            interrupt(thread, signal);
        }
        has_verdict && thread == 0
    }

    /// The call in progress, and the thread that runs it or 0.
    fn in_progress(&self) -> Option<(u64, i32)> {
        let call = self.call.load(Ordering::SeqCst);
        match call & 1 {
            0 => self.call_in_kvm(),
            _ => Some((call, self.thread.load(Ordering::SeqCst))),
        }
    }

    /// The verdict on the current call, if there is one.
    pub(crate) fn fired(&self) -> Option<Verdict> {
        let own = self.call.load(Ordering::Relaxed);
        let call = self.call_in_kvm().map_or(own, |(call, _)| call);
        Verdict::of(self.fired.load(Ordering::Acquire), call)
    }
}

/// Gets a thread out of KVM_RUN.
fn interrupt(thread: i32, signal: i32) {
    let process = std::process::id();
    // SAFETY: tgkill touches no memory; a thread that has ended meanwhile makes it fail, which is as good,
    // and one of the same number finds a handler that does nothing.
    unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal) };
}

/// CPU time that a thread of this process has used, that of its guests included.
fn cpu_time(thread: i32) -> Option<Duration> {
    // What pthread_getcpuclockid(3) makes of a thread: its number, inverted, and the bits for the
    // scheduler's count (2) of one thread (4). The kernel refuses threads of other processes.
    let clock = !thread << 3 | 4 | 2;
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for writing.
    let known = unsafe { libc::clock_gettime(clock, &mut time) } == 0;
    known.then(|| Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}
