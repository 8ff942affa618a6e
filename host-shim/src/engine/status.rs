// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What KVM tells of the calls that it carries, for any thread to look at.

use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use kvm_bindings::kvm_run;

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
pub(crate) struct Status(NonNull<kvm_run>);

// SAFETY: the words belong to no thread, and are atomic.
unsafe impl Send for Status {}

impl Status {
    /// Finds the words in a monitor vCPU's `kvm_run`.
    ///
    /// # Safety
    /// `run` is mapped as long as the result is used.
    pub(crate) unsafe fn of(run: NonNull<kvm_run>) -> Self {
        Status(run)
    }

    fn words(&self) -> &Words {
        const DEVICE_IRQ_LEVEL: usize = size_of::<u64>();
        const PLACE: usize = offset_of!(kvm_run, s) + DEVICE_IRQ_LEVEL;
        let words = self.0.as_ptr().wrapping_byte_add(PLACE).cast::<Words>();
        // SAFETY: `s` has room for 2 KiB, which begins with that and the words. Whoever made this keeps them
        // mapped, and KVM writes them as a whole each.
        unsafe { &*words }
    }

    /// Has KVM enter this vCPU of the monitor's no more.
    pub(crate) fn stop(&self) {
        let place = offset_of!(kvm_run, immediate_exit);
        let place = self.0.as_ptr().wrapping_byte_add(place).cast::<u8>();
        // SAFETY: the byte is mapped as the words are, and accessed as an atomic alone.
        unsafe { AtomicU8::from_ptr(place) }.store(1, Ordering::SeqCst);
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
