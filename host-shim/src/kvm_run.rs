// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A vCPU's `kvm_run`: a page that its thread shares with KVM and, for one byte, with every thread that
//! wants it out of KVM_RUN. So nothing here makes a reference to the page.

use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, Ordering};

use kvm_bindings::kvm_run;

/// Why KVM_RUN is to return at once: a bit of `immediate_exit`, of which KVM only looks whether it is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Cause {
    /// The VMM wants that.
    Kick = 1 << 0,
    /// The call is to end.
    Verdict = 1 << 1,
    /// All that is wanted is what KVM_RUN does first.
    Completion = 1 << 2,
    /// KVM could not be told to enter the vCPU no more by itself.
    End = 1 << 3,
}

/// A load or store for which the vCPU has left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mmio {
    pub(crate) address: u64,
    pub(crate) size: usize,
    pub(crate) is_write: bool,
}

/// The page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunPage(NonNull<kvm_run>);

// SAFETY: of what it lets other threads do, only the atomic byte is of use to them; the rest is numbers that
// KVM writes, whatever they are.
unsafe impl Send for RunPage {}

impl RunPage {
    /// # Safety
    /// `run` is a vCPU's `kvm_run`, mapped as long as the result or a copy of it is used, and nobody has a
    /// reference to it meanwhile.
    pub(crate) unsafe fn new(run: NonNull<kvm_run>) -> Self {
        RunPage(run)
    }

    /// Makes the next KVM_RUN return at once.
    pub(crate) fn set(self, cause: Cause) {
        self.immediate_exit()
            .fetch_or(cause as u8, Ordering::SeqCst);
    }

    /// Takes that back, and tells whether there was something to take back.
    pub(crate) fn clear(self, cause: Cause) -> bool {
        let before = self
            .immediate_exit()
            .fetch_and(!(cause as u8), Ordering::SeqCst);
        before & cause as u8 != 0
    }

    fn immediate_exit(&self) -> &AtomicU8 {
        // SAFETY: the byte is in the page, and in this process only accessed here.
        unsafe { AtomicU8::from_ptr(self.place(offset_of!(kvm_run, immediate_exit))) }
    }

    pub(crate) fn exit_reason(self) -> u32 {
        self.get(offset_of!(kvm_run, exit_reason))
    }

    /// What it has left for, if that is KVM_EXIT_MMIO.
    pub(crate) fn mmio(self) -> Mmio {
        const SIZE: usize = size_of::<u64>();
        let size: u32 = self.get(offset_of!(kvm_run, __bindgen_anon_1.mmio.len));
        let is_write: u8 = self.get(offset_of!(kvm_run, __bindgen_anon_1.mmio.is_write));
        Mmio {
            address: self.get(offset_of!(kvm_run, __bindgen_anon_1.mmio.phys_addr)),
            size: SIZE.min(size as usize),
            is_write: is_write != 0,
        }
    }

    /// The bytes of a store.
    pub(crate) fn stored(self) -> u64 {
        u64::from_le_bytes(self.get(DATA))
    }

    /// The bytes for a load, of which KVM takes as many as that has.
    pub(crate) fn set_loaded(self, value: u64) {
        let place = self.place::<[u8; 8]>(DATA);
        // SAFETY: the bytes are in the page, and KVM reads them in KVM_RUN alone.
        unsafe { place.write_volatile(value.to_le_bytes()) };
    }

    /// The function ID of a call of its own, if it has left for KVM_EXIT_HYPERCALL.
    pub(crate) fn called(self) -> u64 {
        self.get(offset_of!(kvm_run, __bindgen_anon_1.hypercall.nr))
    }

    /// The reason, if that of the exit is KVM_EXIT_UNKNOWN.
    pub(crate) fn hardware_exit_reason(self) -> u64 {
        self.get(offset_of!(
            kvm_run,
            __bindgen_anon_1.hw.hardware_exit_reason
        ))
    }

    /// Where something is in the page, all of which is inside.
    pub(crate) fn place<T>(self, offset: usize) -> *mut T {
        assert!(offset + size_of::<T>() <= size_of::<kvm_run>());
        self.0.as_ptr().wrapping_byte_add(offset).cast()
    }

    /// `T` is a number or an array of such.
    fn get<T: Copy>(self, offset: usize) -> T {
        // SAFETY: the place is in the page, and has any bytes. The fields of `kvm_run` are aligned.
        unsafe { self.place::<T>(offset).read_volatile() }
    }
}

const DATA: usize = offset_of!(kvm_run, __bindgen_anon_1.mmio.data);
