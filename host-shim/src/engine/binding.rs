// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kernel engine as user space sees it: a guest's vCPU bound to a monitor's, between which KVM
//! carries calls by itself.
//!
//! KVM tells how it stands by three words in the
//! monitor's `kvm_run`, and writes each call that is over into a log, if it has been given one.

use std::any::Any;
use std::cell::UnsafeCell;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use fakemon_abi::frame::REGS;
use kvm_ioctls::VcpuFd;
use vmm_sys_util::ioctl::ioctl_with_val;

use crate::engine::abi::{
    BIND, BIND_HVC, BIND_SMC, BIND_SMC_IMM, Bind, CHECK_EXTENSION, Entry, MONITOR_CTRL, NOBODY,
    STATE, STATE_REGISTER, State,
};
use crate::engine::status::Status;
use crate::fd::AsKvmFd;
use crate::fd::attribute;
use crate::policy::Engine;
use crate::record::CallRecord;
use crate::regs::{RegisterError, Registers};

/// Tells whether the KVM behind a VM or `/dev/kvm` can carry calls
/// ([`Engine::Kernel`]), and gives a blob the Arm architecture calls.
pub fn supported(kvm: &impl AsKvmFd) -> bool {
    // SAFETY: the ioctl takes a number and touches no memory.
    unsafe { ioctl_with_val(&kvm.as_kvm_fd(), CHECK_EXTENSION, Engine::CAPABILITY.into()) > 0 }
}

/// How a monitor's vCPU is entered.
#[derive(Debug)]
pub(crate) struct EntryPoints {
    /// The vector tables, for the conduits that are served.
    pub(crate) smc_vectors: Option<u64>,
    pub(crate) hvc_vectors: Option<u64>,
    /// SP_EL1 and TPIDR_EL1.
    pub(crate) sp: u64,
    pub(crate) tpidr: u64,
    /// Registers that an SMC with an immediate passes each way.
    pub(crate) with_immediate: (u8, u8),
}

/// A binding; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Binding {
    // Kept open, so that the end of the binding meets no other file of the same number.
    guest: OwnedFd,
    /// What the monitor's VM has of this library's.
    memory: Arc<dyn Any + Send + Sync>,
    status: Status,
    log: Box<[UnsafeCell<Entry>]>,
    read: u32,
}

impl Binding {
    /// Binds the guest's vCPU to the monitor's, which has run once, and whose VM has this memory; `log` is
    /// the number of calls that are kept.
    pub(crate) fn new(
        guest: &OwnedFd,
        monitor: &VcpuFd,
        status: Status,
        memory: Arc<dyn Any + Send + Sync>,
        entry_points: &EntryPoints,
        log: u32,
    ) -> io::Result<Binding> {
        let guest = guest.try_clone()?;
        const EMPTY: Entry = Entry {
            begin_ns: 0,
            end_ns: 0,
            x_in: [0; REGS],
            x_out: [0; REGS],
            esr: 0,
            nr_in: 0,
            nr_out: 0,
            pad: [0; 2],
        };
        let entries: Box<[_]> = (0..log).map(|_| UnsafeCell::new(EMPTY)).collect();
        let mut flags = 0;
        if entry_points.smc_vectors.is_some() {
            flags |= BIND_SMC | BIND_SMC_IMM;
        }
        if entry_points.hvc_vectors.is_some() {
            flags |= BIND_HVC;
        }
        let bind = Bind {
            fd: monitor.as_raw_fd() as u32,
            flags,
            smc_vectors: entry_points.smc_vectors.unwrap_or(0),
            hvc_vectors: entry_points.hvc_vectors.unwrap_or(0),
            sp: entry_points.sp,
            tpidr: entry_points.tpidr,
            imm_in: entry_points.with_immediate.0,
            imm_out: entry_points.with_immediate.1,
            log_entries: log,
            log: entries.as_ptr().expose_provenance() as u64,
            ..Bind::default()
        };
        // SAFETY: KVM reads one kvm_arm_monitor_bind. While the binding lasts it writes entries of
        // `log`, which are cells for that reason, and which `drop` frees only when it has ended.
        unsafe { attribute::set(&guest, MONITOR_CTRL, BIND, &bind) }?;
        Ok(Binding {
            guest,
            memory,
            status,
            log: entries,
            read: 0,
        })
    }

    /// Tells whether a call has been entered and has not returned.
    pub(crate) fn in_call(&self) -> bool {
        self.status.call().is_some()
    }

    /// The number of the call in progress, if there is one.
    pub(crate) fn call(&self) -> Option<u64> {
        self.status.call().map(|(number, _)| number)
    }

    /// Gives up the call in progress, if there is one.
    pub(crate) fn give_up(&self) -> io::Result<()> {
        self.set_state(State::default())
    }

    /// Has the monitor's vCPU, in which user space has put it, be in a call that gives back this many
    /// registers.
    pub(crate) fn begin(&self, outputs: u8) -> io::Result<()> {
        self.set_state(State {
            in_call: 1,
            nr_out: outputs,
            ..State::default()
        })
    }

    /// How many registers the call in progress gives back.
    pub(crate) fn outputs(&self) -> Result<usize, RegisterError> {
        Ok(REGS.min((self.saved_call()? >> 8 & 0xff) as usize))
    }

    /// What KVM knows of the call in progress, which is 0 without one.
    pub(crate) fn saved_call(&self) -> Result<u64, RegisterError> {
        Registers::of(&self.guest).get(STATE_REGISTER)
    }

    /// Has the monitor's vCPU be in the call that was in progress when this was [saved](Self::saved_call).
    pub(crate) fn restore_call(&self, call: u64) -> Result<(), RegisterError> {
        Registers::of(&self.guest).set(STATE_REGISTER, call)
    }

    fn set_state(&self, state: State) -> io::Result<()> {
        // SAFETY: KVM reads one kvm_arm_monitor_state.
        unsafe { attribute::set(&self.guest, MONITOR_CTRL, STATE, &state) }
    }

    /// Takes the oldest call of the log that has not been taken, if KVM has begun it.
    pub(crate) fn take(&mut self) -> Option<CallRecord> {
        loop {
            let entry = self.take_entry()?;
            // KVM reads at least one register of a caller.
            if entry.nr_in != 0 {
                return Some(entry.into());
            }
        }
    }

    fn take_entry(&mut self) -> Option<Entry> {
        let logged = self.status.logged();
        if self.log.is_empty() || logged == self.read {
            return None;
        }
        let entry = &self.log[self.read as usize % self.log.len()];
        // SAFETY: the place is one of `log`, to which nothing else refers. KVM can be writing it only if the
        // VMM has run the guest's vCPU on another thread past a full log; whatever is read then are
        // numbers.
        let entry = unsafe { entry.get().read_volatile() };
        self.read = self.read.wrapping_add(1);
        Some(entry)
    }
}

impl Drop for Binding {
    fn drop(&mut self) {
        let end = Bind {
            fd: NOBODY,
            ..Bind::default()
        };
        // SAFETY: KVM reads one kvm_arm_monitor_bind.
        let ended = unsafe { attribute::set(&self.guest, MONITOR_CTRL, BIND, &end) };
        if ended.is_err_and(|error| error.raw_os_error() != Some(libc::ENODEV)) {
            // KVM goes on with it. So the monitor's vCPU enters nothing any more, as the guest's memory may
            // go, and what a call may be using right now stays.
            self.status.stop();
            std::mem::forget(std::mem::take(&mut self.log));
            std::mem::forget(self.memory.clone());
        }
    }
}
