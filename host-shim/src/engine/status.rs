// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What KVM tells of the calls that it carries, for any thread to look at.

use std::mem::offset_of;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use kvm_bindings::kvm_run;

use crate::kvm_run::{Cause, RunPage};

/// What KVM tells of a binding, in `struct kvm_sync_regs` after `device_irq_level`.
#[repr(C)]
#[derive(Debug)]
struct Words {
    /// Bit 0: a call is in progress. Above: how many calls there have been.
    call: AtomicU64,
    /// The thread that is in KVM_RUN of the guest's vCPU, or 0.
    thread: AtomicU32,
    /// Calls that have been written to the log; wraps around.
    logged: AtomicU32,
}

/// Where KVM tells the status of a binding, for any thread to look.
#[derive(Debug)]
pub(crate) struct Status(RunPage);

impl Status {
    /// Finds the words in a monitor vCPU's `kvm_run`.
    pub(crate) fn of(run: RunPage) -> Self {
        Status(run)
    }

    fn words(&self) -> &Words {
        const DEVICE_IRQ_LEVEL: usize = size_of::<u64>();
        const PLACE: usize = offset_of!(kvm_run, s) + DEVICE_IRQ_LEVEL;
        // SAFETY: the page is mapped as long as this is used. `s` has room for 2 KiB, which begins with
        // that and the words, and KVM writes them as a whole each.
        unsafe { &*self.0.place::<Words>(PLACE) }
    }

    /// Has KVM enter this vCPU of the monitor's no more.
    pub(crate) fn stop(&self) {
        self.0.set(Cause::End);
    }

    /// The number of the call in progress, if there is one, and the thread that runs it, or 0 if
    /// none does.
    pub(crate) fn call(&self) -> Option<(u64, i32)> {
        let words = self.words();
        let call = words.call.load(Ordering::Acquire);
        let thread = words.thread.load(Ordering::Acquire);
        (call & 1 != 0).then_some((call >> 1, thread as i32))
    }

    /// How many calls have been written to the log; wraps around.
    pub(crate) fn logged(&self) -> u32 {
        self.words().logged.load(Ordering::Acquire)
    }
}
