// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What KVM tells of the calls that it carries, for any thread to look at.

use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use kvm_bindings::kvm_run;
use kvm_ioctls::VcpuFd;

/// What KVM tells of a binding, in `struct kvm_sync_regs` behind `device_irq_level`.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Words {
    /// Bit 0: a call is in progress. Above: how many calls there have been.
    call: AtomicU64,
    /// The thread that is in KVM_RUN of the guest's vCPU, or 0.
    thread: AtomicU32,
    /// Calls that have been written to the log; wraps around.
    pub(crate) logged: AtomicU32,
}

/// Where KVM tells how a binding stands, for any thread to look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing(NonNull<Words>);

// SAFETY: the words belong to no thread, and are atomic.
unsafe impl Send for Standing {}

impl Standing {
    /// Finds the words in a monitor vCPU's `kvm_run`.
    pub(crate) fn of(monitor: &mut VcpuFd) -> Self {
        let run = NonNull::from(monitor.get_kvm_run());
        const DEVICE_IRQ_LEVEL: usize = size_of::<u64>();
        // SAFETY: `s` has room for 2 KiB, which begins with that and the words.
        let words = unsafe { run.byte_add(offset_of!(kvm_run, s) + DEVICE_IRQ_LEVEL) };
        Standing(words.cast())
    }

    /// The words.
    ///
    /// # Safety
    /// The monitor's vCPU is there as long as the result is used.
    pub(crate) unsafe fn words<'a>(self) -> &'a Words {
        // SAFETY: the words are mapped as long as the vCPU is there (the caller), and atomic, since
        // KVM writes them.
        unsafe { self.0.as_ref() }
    }

    /// The number of the call in progress, if there is one, and the thread that runs it, or 0 if
    /// none does.
    ///
    /// # Safety
    /// The monitor's vCPU is still there.
    pub(crate) unsafe fn call(self) -> Option<(u64, i32)> {
        // SAFETY: the caller's promise.
        let words = unsafe { self.words() };
        let call = words.call.load(Ordering::Acquire);
        let thread = words.thread.load(Ordering::Relaxed);
        (call & 1 != 0).then_some((call >> 1, thread as i32))
    }
}
