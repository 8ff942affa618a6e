// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kernel engine as user space sees it: a guest's vCPU bound to a monitor's, between which KVM
//! carries calls by itself.
//!
//! The interface is that of the patches in `host-shim/kernel`
//! (Documentation/virt/kvm/arm/monitor.rst there). KVM tells how it stands by three words in the
//! monitor's `kvm_run`, and writes each call that is over into a log, if it has been given one.

use std::any::Any;
use std::cell::UnsafeCell;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use fakemon_abi::frame::REGS;
use kvm_bindings::KVMIO;
use kvm_ioctls::VcpuFd;
use libc::c_ulong;
use vmm_sys_util::ioctl::{_IOC_NONE, ioctl_expr, ioctl_with_val};

use crate::engine::status::Status;
use crate::fd::AsKvmFd;
use crate::fd::attribute;
use crate::policy::Engine;
use crate::record::CallRecord;
use crate::regs::{Register, RegisterError, Registers};
use crate::width::Conduit;

const CHECK_EXTENSION: c_ulong = ioctl_expr(_IOC_NONE, KVMIO, 0x03, 0);
/// Action of the SMCCC filter: the monitor's vCPU serves the call.
pub(crate) const FILTER_MONITOR: u8 = 3;
/// The instruction with which the gate's vectors hand a return to KVM: `hvc #0x4d56`.
pub(crate) const RETURN: u32 = 0xd400_0002 | 0x4d56 << 5;

/// Group of vCPU attributes, and its attributes.
const MONITOR_CTRL: u32 = 3;
const BIND: u32 = 0;
const STATE: u32 = 1;

const BIND_HVC: u32 = 1 << 0;
const BIND_SMC_IMM: u32 = 1 << 1;
const BIND_SMC: u32 = 1 << 2;
/// A file descriptor that ends a binding.
const NOBODY: u32 = u32::MAX;

/// `struct kvm_arm_monitor_bind`.
#[repr(C)]
#[derive(Debug, Default)]
struct Bind {
    fd: u32,
    flags: u32,
    smc_vectors: u64,
    hvc_vectors: u64,
    sp: u64,
    tpidr: u64,
    imm_in: u8,
    imm_out: u8,
    pad: [u8; 6],
    log: u64,
    log_entries: u32,
    pad2: [u8; 4],
}

/// `struct kvm_arm_monitor_state`.
#[repr(C)]
#[derive(Debug, Default)]
struct State {
    in_call: u8,
    nr_out: u8,
    pad: [u8; 6],
}

/// `struct kvm_arm_monitor_log`: a call that has returned.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Entry {
    begin_ns: u64,
    end_ns: u64,
    x_in: [u64; REGS],
    x_out: [u64; REGS],
    esr: u32,
    nr_in: u8,
    nr_out: u8,
    pad: [u8; 2],
}

const _: () = assert!(size_of::<Bind>() == 64 && size_of::<Entry>() == 312);

/// Tells whether the KVM behind a VM or `/dev/kvm` can carry calls
/// ([`Engine::Kernel`]), and gives a blob the Arm architecture calls.
pub fn supported(kvm: &impl AsKvmFd) -> bool {
    // SAFETY: the ioctl takes a number and touches no memory.
    unsafe { ioctl_with_val(&kvm.as_kvm_fd(), CHECK_EXTENSION, Engine::CAPABILITY.into()) > 0 }
}

/// KVM_REG_ARM_MONITOR_STATE: bits 15:8 are the number of registers that the call in progress gives
/// back.
const STATE_REGISTER: Register = match Register::new(0x6030_0000_0017_0000) {
    Some(register) => register,
    None => unreachable!(),
};

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
        let state = Registers::of(&self.guest).get(STATE_REGISTER)?;
        Ok(REGS.min((state >> 8 & 0xff) as usize))
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

impl From<Entry> for CallRecord {
    fn from(entry: Entry) -> Self {
        let class = entry.esr >> 26;
        CallRecord {
            function: entry.x_in[0] as u32,
            conduit: if matches!(class, 0x12 | 0x16) {
                Conduit::Hvc
            } else {
                Conduit::Smc
            },
            inputs: entry.nr_in.into(),
            outputs: entry.nr_out.into(),
            before: entry.x_in,
            after: entry.x_out,
            returned: true,
            begin_ns: entry.begin_ns,
            end_ns: entry.end_ns,
            ..CallRecord::NONE
        }
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
