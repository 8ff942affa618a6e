// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The interface of the kernel engine, as `Documentation/virt/kvm/arm/monitor.rst` of the patches in
//! `host-shim/kernel` has it.

use fakemon_abi::frame::REGS;
use kvm_bindings::KVMIO;
use libc::c_ulong;
use vmm_sys_util::ioctl::{_IOC_NONE, ioctl_expr};

use crate::record::CallRecord;
use crate::regs::Register;
use crate::width::Conduit;

pub(super) const CHECK_EXTENSION: c_ulong = ioctl_expr(_IOC_NONE, KVMIO, 0x03, 0);
/// Action of the SMCCC filter: the monitor's vCPU serves the call.
pub(crate) const FILTER_MONITOR: u8 = 3;
/// The instruction with which the gate's vectors hand a return to KVM: `hvc #0x4d56`.
pub(crate) const RETURN: u32 = 0xd400_0002 | 0x4d56 << 5;

/// Group of vCPU attributes, and its attributes.
pub(super) const MONITOR_CTRL: u32 = 3;
pub(super) const BIND: u32 = 0;
pub(super) const STATE: u32 = 1;

pub(super) const BIND_HVC: u32 = 1 << 0;
pub(super) const BIND_SMC_IMM: u32 = 1 << 1;
pub(super) const BIND_SMC: u32 = 1 << 2;
/// A file descriptor that ends a binding.
pub(super) const NOBODY: u32 = u32::MAX;

/// `struct kvm_arm_monitor_bind`.
#[repr(C)]
#[derive(Debug, Default)]
pub(super) struct Bind {
    pub(super) fd: u32,
    pub(super) flags: u32,
    pub(super) smc_vectors: u64,
    pub(super) hvc_vectors: u64,
    pub(super) sp: u64,
    pub(super) tpidr: u64,
    pub(super) imm_in: u8,
    pub(super) imm_out: u8,
    pub(super) pad: [u8; 6],
    pub(super) log: u64,
    pub(super) log_entries: u32,
    pub(super) pad2: [u8; 4],
}

/// `struct kvm_arm_monitor_state`.
#[repr(C)]
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) in_call: u8,
    pub(super) nr_out: u8,
    pub(super) pad: [u8; 6],
}

/// `struct kvm_arm_monitor_log`: a call that has returned.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) begin_ns: u64,
    pub(super) end_ns: u64,
    pub(super) x_in: [u64; REGS],
    pub(super) x_out: [u64; REGS],
    pub(super) esr: u32,
    pub(super) nr_in: u8,
    pub(super) nr_out: u8,
    pub(super) pad: [u8; 2],
}

const _: () = assert!(size_of::<Bind>() == 64 && size_of::<Entry>() == 312);

/// KVM_REG_ARM_MONITOR_STATE: bits 15:8 are the number of registers that the call in progress gives
/// back.
pub(super) const STATE_REGISTER: Register = match Register::new(0x6030_0000_0017_0000) {
    Some(register) => register,
    None => unreachable!(),
};

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
