// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Kicks: makes another thread's vCPU come out of KVM_RUN.
//!
//! A signal alone is lost when it arrives just before KVM_RUN, so the kick first sets the vCPU's
//! `immediate_exit`, with which KVM_RUN returns EINTR at once (Documentation/virt/kvm/api.rst,
//! struct kvm_run). The vCPU's thread clears it and only then looks for what it was kicked for, so
//! no kick is lost.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use fakemon_host::{KickHandle, Lane};
use kvm_ioctls::VcpuFd;
use libc::{c_int, c_void, siginfo_t};
use vmm_sys_util::signal::register_signal_handler;

/// Gives the kick signal a handler that does nothing but interrupt KVM_RUN.
pub(super) fn install_handler(signal: c_int) -> std::io::Result<()> {
    extern "C" fn nothing(_: c_int, _: *mut siginfo_t, _: *mut c_void) {}
    register_signal_handler(signal, nothing).map_err(Into::into)
}

/// A vCPU that runs, and its thread.
#[derive(Debug)]
struct Target {
    immediate_exit: NonNull<u8>,
    lane: Option<KickHandle>,
    thread: libc::pthread_t,
}

// SAFETY: the pointer is only used while the slot that holds it is locked, and `Running` empties
// the slot before the vCPU, whose memory it points to, can be dropped.
unsafe impl Send for Target {}

/// Where others find a vCPU; empty while its thread does not run it.
#[derive(Debug, Default)]
pub(super) struct Slot(Mutex<Option<Target>>);

impl Slot {
    /// Kicks the vCPU, if it runs.
    pub(super) fn kick(&self, signal: c_int) {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(target) = &*slot else { return };
        // SAFETY: the slot is not empty and locked, so the vCPU's kvm_run is mapped. The kernel
        // reads the byte and the owner writes it through a pointer, so nobody holds a reference
        // that this would alias.
        let immediate_exit = unsafe { AtomicU8::from_ptr(target.immediate_exit.as_ptr()) };
        immediate_exit.store(1, Ordering::SeqCst);
        if let Some(lane) = &target.lane {
            lane.kick();
        }
        // SAFETY: the thread emptied no slot yet, so it has not ended.
        unsafe { libc::pthread_kill(target.thread, signal) };
    }
}

/// Holds the calling thread's vCPU in a slot.
#[derive(Debug)]
pub(super) struct Running<'a>(&'a Slot);

impl<'a> Running<'a> {
    /// Announces that this thread runs `vcpu`, which must outlive the result.
    pub(super) fn announce(slot: &'a Slot, vcpu: &mut VcpuFd, lane: Option<&Lane>) -> Self {
        // SAFETY: pthread_self has no arguments and always succeeds.
        let thread = unsafe { libc::pthread_self() };
        let target = Target {
            immediate_exit: NonNull::from(&mut vcpu.get_kvm_run().immediate_exit),
            lane: lane.map(Lane::kick_handle),
            thread,
        };
        *slot.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(target);
        Running(slot)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
