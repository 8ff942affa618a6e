// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kick signal on a thread that blocks it, as some VMMs do with the signals that they let through
//! only while a vCPU runs: the monitor's vCPU lets it through likewise.
//!
//! KVM keeps such a mask for each vCPU (KVM_SET_SIGNAL_MASK), and it replaces the thread's, so it is
//! made of that. A signal that has ended KVM_RUN so stays pending until somebody takes it.

use std::io;

use kvm_bindings::KVMIO;
use kvm_ioctls::VcpuFd;
use rustix::ioctl::{Opcode, Setter, ioctl, opcode};

use crate::error::Error;
use crate::fd::AsKvmFd;
use crate::monitor::slot::this_thread;

/// `struct kvm_signal_mask` ends with an array that has no length.
const SET_SIGNAL_MASK: Opcode = opcode::write::<u32>(KVMIO as u8, 0x8b);
/// No mask of the vCPU's own.
const CLEAR_SIGNAL_MASK: usize = 0;

/// `struct kvm_signal_mask` with a set of the kernel's size.
#[repr(C)]
struct Mask {
    len: u32,
    set: [u8; SET],
}

/// Bytes of the kernel's set of signals.
const SET: usize = size_of::<u64>();

/// Lets the kick signal through to one vCPU.
#[derive(Debug)]
pub(crate) struct KickSignal {
    /// [`None`] if nobody sends it.
    number: Option<i32>,
    /// The thread whose mask has been looked at.
    thread: i32,
    /// The vCPU has a mask of its own, because that thread blocks the signal.
    masked: bool,
}

impl KickSignal {
    pub(crate) fn new(number: Option<i32>) -> Self {
        KickSignal {
            number,
            thread: 0,
            masked: false,
        }
    }

    /// Lets the signal through on the thread that is about to run the vCPU.
    #[inline(always)]
    pub(crate) fn follow(&mut self, vcpu: &VcpuFd) -> Result<(), Error> {
        match self.thread == this_thread() {
            true => Ok(()),
            false => self.move_here(vcpu),
        }
    }

    #[cold]
    fn move_here(&mut self, vcpu: &VcpuFd) -> Result<(), Error> {
        if let Some(bit) = self.bit() {
            let failed = |cause| Error::Kvm {
                what: "let the kick signal through",
                cause,
            };
            let blocked = blocked().map_err(failed)?;
            let mask = (blocked & bit != 0).then_some(blocked & !bit);
            if mask.is_some() || self.masked {
                set_mask(vcpu, mask).map_err(failed)?;
            }
            self.masked = mask.is_some();
        }
        self.thread = this_thread();
        Ok(())
    }

    /// The thread that runs the vCPU, as gettid(2) numbers it.
    pub(crate) fn thread(&self) -> i32 {
        self.thread
    }

    /// Takes the signal if it is pending because this thread blocks it, and tells whether it was: else
    /// KVM_RUN would end at once for ever.
    pub(crate) fn take(&self) -> bool {
        let Some(bit) = self.bit().filter(|_| self.masked) else {
            return false;
        };
        let at_once = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut taken = false;
        // SAFETY: the kernel reads a set of SET bytes and the time; it has nowhere to write.
        while unsafe {
            let nowhere = std::ptr::null_mut::<libc::siginfo_t>();
            libc::syscall(libc::SYS_rt_sigtimedwait, &bit, nowhere, &at_once, SET) > 0
        } {
            taken = true;
        }
        taken
    }

    /// Has the signal pending again that was [taken](Self::take).
    pub(crate) fn give_back(&self) {
        if let Some(number) = self.number {
            let (process, thread) = (std::process::id(), this_thread());
            // SAFETY: tgkill touches no memory, and this thread blocks the signal.
            unsafe { libc::syscall(libc::SYS_tgkill, process, thread, number) };
        }
    }

    fn bit(&self) -> Option<u64> {
        let shift = u32::try_from(self.number?.checked_sub(1)?).ok()?;
        1_u64.checked_shl(shift)
    }
}

/// The signals that this thread blocks. The C library would leave out some that it has for itself.
fn blocked() -> io::Result<u64> {
    let mut set = 0_u64;
    let nothing = std::ptr::null::<u64>();
    let (call, how) = (libc::SYS_rt_sigprocmask, libc::SIG_BLOCK);
    // SAFETY: without a new set the kernel only writes SET bytes to `set`.
    match unsafe { libc::syscall(call, how, nothing, &raw mut set, SET) } {
        0 => Ok(set),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Gives the vCPU a mask of its own, or none.
fn set_mask(vcpu: &VcpuFd, mask: Option<u64>) -> io::Result<()> {
    let result = match mask {
        Some(mask) => {
            let mask = Mask {
                len: SET as u32,
                set: mask.to_ne_bytes(),
            };
            // SAFETY: KVM reads a length and as many bytes as that says, all of which `mask` has.
            let request = unsafe { Setter::<SET_SIGNAL_MASK, Mask>::new(mask) };
            // SAFETY: as above.
            unsafe { ioctl(vcpu.as_kvm_fd(), request) }
        }
        None => {
            // SAFETY: without an address KVM reads nothing.
            let request = unsafe {
                rustix::ioctl::IntegerSetter::<SET_SIGNAL_MASK>::new_usize(CLEAR_SIGNAL_MASK)
            };
            // SAFETY: as above.
            unsafe { ioctl(vcpu.as_kvm_fd(), request) }
        }
    };
    Ok(result?)
}
