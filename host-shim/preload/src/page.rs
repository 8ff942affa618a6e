// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A vCPU's `struct kvm_run`, which this library shares with KVM and the VMM: a mapping of its own of
//! the same page, in which every word is read and written by itself.

use std::io;
use std::mem::offset_of;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, Ordering};

use fakemon_host::Trap;
use kvm_bindings::{
    KVM_EXIT_DEBUG, KVM_EXIT_HYPERCALL, KVM_EXIT_INTERNAL_ERROR, KVM_EXIT_INTR, KVM_EXIT_MMIO,
    KVM_EXIT_SYSTEM_EVENT, KVM_INTERNAL_ERROR_EMULATION, kvm_run,
};

/// Why KVM_RUN is to return at once, as far as this library wants it to: a bit of `immediate_exit`, of
/// which KVM only looks whether it is zero. VMMs have 1 and 0 there for what they want, which stays theirs.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum Return {
    /// Another thread has something for this vCPU.
    Kicked = 1 << 1,
    /// KVM_RUN is to complete what it has exited for, and nothing else.
    Completing = 1 << 2,
}

/// An access to the bus.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    pub(crate) address: u64,
    pub(crate) size: usize,
    /// The value of a store, in its lowest bytes.
    pub(crate) write: Option<u64>,
}

/// The mapping. Only the vCPU's thread uses it, but for what is atomic: `immediate_exit`.
#[derive(Debug)]
pub(crate) struct Page(NonNull<kvm_run>);

// SAFETY: the page belongs to no thread, and all accesses are volatile ones of plain numbers.
unsafe impl Send for Page {}
// SAFETY: as above; nothing makes a reference into the page but to an atomic number.
unsafe impl Sync for Page {}

/// Bytes of it; KVM has a page.
const SIZE: usize = size_of::<kvm_run>();
/// Offsets of members that every exit reason has.
const EXIT_REASON: usize = offset_of!(kvm_run, exit_reason);
const IMMEDIATE_EXIT: usize = offset_of!(kvm_run, immediate_exit);
/// Offsets of members that are there for one exit reason.
const CALL_NR: usize = offset_of!(kvm_run, __bindgen_anon_1.hypercall.nr);
const CALL_FLAGS: usize = offset_of!(kvm_run, __bindgen_anon_1.hypercall.__bindgen_anon_1.flags);
const EVENT_TYPE: usize = offset_of!(kvm_run, __bindgen_anon_1.system_event.type_);
const EVENT_NDATA: usize = offset_of!(kvm_run, __bindgen_anon_1.system_event.ndata);
const EVENT_DATA: usize = offset_of!(kvm_run, __bindgen_anon_1.system_event.__bindgen_anon_1.data);
const MMIO_ADDRESS: usize = offset_of!(kvm_run, __bindgen_anon_1.mmio.phys_addr);
const MMIO_DATA: usize = offset_of!(kvm_run, __bindgen_anon_1.mmio.data);
const MMIO_LENGTH: usize = offset_of!(kvm_run, __bindgen_anon_1.mmio.len);
const MMIO_IS_WRITE: usize = offset_of!(kvm_run, __bindgen_anon_1.mmio.is_write);
const SUBERROR: usize = offset_of!(kvm_run, __bindgen_anon_1.internal.suberror);
const DEBUG_ESR: usize = offset_of!(kvm_run, __bindgen_anon_1.debug.arch.hsr);
/// ESR_ELx of a software step from a lower level: its class, and that the instruction had 32 bits.
const STEP: u32 = 0x32 << 26 | 1 << 25;
const ERROR_NDATA: usize = offset_of!(kvm_run, __bindgen_anon_1.internal.ndata);

/// Numbers, of which any bits are one.
trait Number: Copy {}
impl Number for u8 {}
impl Number for u32 {}
impl Number for u64 {}

impl Page {
    /// Maps the page of a vCPU.
    pub(crate) fn new(vcpu: &OwnedFd) -> io::Result<Page> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let fd = vcpu.as_raw_fd();
        // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
        let page =
            unsafe { libc::mmap(std::ptr::null_mut(), SIZE, access, libc::MAP_SHARED, fd, 0) };
        match NonNull::new(page) {
            Some(page) if page.as_ptr() != libc::MAP_FAILED => Ok(Page(page.cast())),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Why KVM_RUN has ended.
    pub(crate) fn exit_reason(&self) -> u32 {
        self.get(EXIT_REASON)
    }

    /// The call for which KVM_RUN has ended, if that is why.
    pub(crate) fn trap(&self) -> Option<Trap> {
        let is_call = self.exit_reason() == KVM_EXIT_HYPERCALL;
        is_call.then(|| Trap::from_exit(self.get(CALL_NR), self.get(CALL_FLAGS)))
    }

    /// Tells the VMM that the guest has executed one instruction.
    pub(crate) fn tell_step(&self) {
        self.set(DEBUG_ESR, STEP);
        self.set(EXIT_REASON, KVM_EXIT_DEBUG);
    }

    /// The kind of system event for which KVM_RUN has ended, if that is why.
    pub(crate) fn system_event(&self) -> Option<u32> {
        (self.exit_reason() == KVM_EXIT_SYSTEM_EVENT).then(|| self.get(EVENT_TYPE))
    }

    /// Has KVM_RUN return at once; any thread may do that (KVM API, 5).
    pub(crate) fn want_return(&self, why: Return) {
        self.immediate_exit().fetch_or(why as u8, Ordering::SeqCst);
    }

    /// Takes that back, unless the VMM or somebody else wants it, too.
    pub(crate) fn take_back_return(&self, why: Return) {
        self.immediate_exit()
            .fetch_and(!(why as u8), Ordering::SeqCst);
    }

    /// Has KVM_RUN go on, whoever wants it to return.
    pub(crate) fn forget_returns(&self) {
        self.immediate_exit().store(0, Ordering::SeqCst);
    }

    /// Tells the VMM that it was interrupted: some look here and not at errno.
    pub(crate) fn tell_interrupted(&self) {
        self.set(EXIT_REASON, KVM_EXIT_INTR);
    }

    /// The access for which KVM_RUN has ended, if that is why.
    pub(crate) fn access(&self) -> Option<Access> {
        let is_write = self.get::<u8>(MMIO_IS_WRITE) != 0;
        (self.exit_reason() == KVM_EXIT_MMIO).then(|| Access {
            address: self.get(MMIO_ADDRESS),
            size: self.get::<u32>(MMIO_LENGTH) as usize,
            write: is_write.then(|| self.access_value()),
        })
    }

    /// Answers to it; KVM takes that when the vCPU runs.
    pub(crate) fn answer_access(&self, value: u64) {
        self.set(MMIO_DATA, value.to_le());
    }

    /// Tells the VMM that the guest has accessed its bus.
    pub(crate) fn tell_access(&self, access: &Access) {
        self.set(MMIO_ADDRESS, access.address);
        self.set(MMIO_DATA, access.write.unwrap_or(0).to_le());
        self.set(MMIO_LENGTH, access.size as u32);
        self.set(MMIO_IS_WRITE, u8::from(access.write.is_some()));
        self.set(EXIT_REASON, KVM_EXIT_MMIO);
    }

    /// The value of a store, or what the VMM has answered to a load.
    pub(crate) fn access_value(&self) -> u64 {
        u64::from_le(self.get(MMIO_DATA))
    }

    /// Tells the VMM of a system event with one word, as KVM does for its own PSCI.
    pub(crate) fn tell_system_event(&self, kind: u32, flags: u64) {
        self.set(EVENT_TYPE, kind);
        self.set(EVENT_NDATA, 1_u32);
        self.set(EVENT_DATA, flags);
        self.set(EXIT_REASON, KVM_EXIT_SYSTEM_EVENT);
    }

    /// Tells the VMM that the vCPU cannot go on.
    pub(crate) fn tell_internal_error(&self) {
        self.set(SUBERROR, KVM_INTERNAL_ERROR_EMULATION);
        self.set(ERROR_NDATA, 0_u32);
        self.set(EXIT_REASON, KVM_EXIT_INTERNAL_ERROR);
    }

    fn immediate_exit(&self) -> &AtomicU8 {
        let byte = self.place(IMMEDIATE_EXIT);
        // SAFETY: `place` is mapped as long as the mapping is borrowed, and KVM and the VMM access this
        // member as one byte.
        unsafe { AtomicU8::from_ptr(byte.as_ptr()) }
    }

    fn get<T: Number>(&self, offset: usize) -> T {
        // SAFETY: `place` is mapped and aligned, and any bits are a number.
        unsafe { self.place::<T>(offset).read_volatile() }
    }

    fn set<T: Number>(&self, offset: usize, value: T) {
        // SAFETY: `place` is mapped and aligned, and no reference points there.
        unsafe { self.place::<T>(offset).write_volatile(value) };
    }

    fn place<T>(&self, offset: usize) -> NonNull<T> {
        assert!(offset.is_multiple_of(align_of::<T>()) && offset + size_of::<T>() <= SIZE);
        // SAFETY: the assertion keeps it within the mapping.
        unsafe { self.0.byte_add(offset) }.cast()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `new` made, and nothing borrows from it.
        unsafe { libc::munmap(self.0.as_ptr().cast(), SIZE) };
    }
}
