// SPDX-License-Identifier: Apache-2.0 OR MIT
//! KVM's SMCCC filter: which calls of a VM exit to user space (Linux 6.4 or later).
//!
//! The filter sees only w0 or r0, treats SMC and HVC alike, and must be complete before any vCPU of
//! the VM has run (Documentation/virt/kvm/devices/vm.rst, 6). The Arm architecture calls 0x8000xxxx
//! and 0xc000xxxx stay KVM's own, unless the kernel has KVM_CAP_ARM_MONITOR. Such a kernel is told
//! how many registers the calls of a range pass, so that it can carry them by itself; a vCPU that it
//! carries nothing for forwards them.

use std::io;
use std::os::fd::AsRawFd;

use fakemon_abi::note::Range;
use kvm_bindings::{
    KVM_ARM_VM_SMCCC_CTRL, KVM_ARM_VM_SMCCC_FILTER, kvm_smccc_filter,
    kvm_smccc_filter_action_KVM_SMCCC_FILTER_DENY as DENY,
    kvm_smccc_filter_action_KVM_SMCCC_FILTER_FWD_TO_USER as FORWARD,
};

use crate::blob::Blob;
use crate::engine::{attribute, carrier};
use crate::policy::Policy;

/// All function IDs but those that KVM keeps, as first and last.
const EVERYTHING: [(u32, u32); 3] = [
    (0, 0x7fff_ffff),
    (0x8001_0000, 0xbfff_ffff),
    (0xc001_0000, 0xffff_ffff),
];

/// The filter could not be set.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// The kernel is older than the filter: the host's fault.
    #[error(
        "this kernel cannot forward SMC to user space: KVM's SMCCC filter needs Linux 6.4 or later on the host"
    )]
    Unsupported,
    /// The VMM was too late.
    #[error(
        "the SMCCC filter must be set before any vCPU of the guest has run: set the policy right after creating the VM"
    )]
    TooLate,
    /// The VM has a filter of the VMM's own for some of the blob's IDs.
    #[error("function IDs {first:#010x} to {last:#010x} are filtered already: one VM, one policy")]
    Taken {
        /// First function ID of the refused range.
        first: u32,
        /// Last function ID of the refused range.
        last: u32,
    },
    /// Any other answer of the kernel.
    #[error("cannot set KVM's SMCCC filter: {0}")]
    Kvm(#[source] io::Error),
}

/// Sets the filter of a guest VM as `policy` says; `blob` gives the ranges for [`Policy::Blob`].
///
/// # Errors
/// [`FilterError`]; the VM may then have a part of the filter and should be dropped.
pub fn set_policy(
    vm: &impl AsRawFd,
    policy: Policy,
    blob: Option<&Blob>,
) -> Result<(), FilterError> {
    match policy {
        Policy::Kvm => Ok(()),
        Policy::Deny => set_everything(vm, DENY),
        Policy::Undef => set_everything(vm, FORWARD),
        Policy::Blob => {
            let ranges = blob.map(Blob::ranges).unwrap_or_default();
            let carried = carrier::supported(vm);
            ranges
                .iter()
                // Without the capability KVM answers an architecture call that the blob would.
                .filter(|range| carried || !range.is_architecture())
                .try_for_each(|range| match carried {
                    true => carry(vm, range),
                    false => set(vm, range.first, range.last, FORWARD as u8, [0; 2]),
                })
        }
    }
}

/// Makes every call of the monitor VM exit: a blob has no firmware below it.
pub(crate) fn forward_everything(vm: &impl AsRawFd) -> Result<(), FilterError> {
    set_everything(vm, FORWARD)
}

fn set_everything(vm: &impl AsRawFd, action: u32) -> Result<(), FilterError> {
    EVERYTHING
        .iter()
        .try_for_each(|&(first, last)| set(vm, first, last, action as u8, [0; 2]))
}

/// Has the monitor serve a range, with as many registers each way as its note says.
fn carry(vm: &impl AsRawFd, range: &Range) -> Result<(), FilterError> {
    let registers = [range.inputs as u8, range.outputs as u8];
    set(
        vm,
        range.first,
        range.last,
        carrier::FILTER_MONITOR,
        registers,
    )
}

/// Sets one range; `registers` is the number that go in and come out, for the monitor.
fn set(
    vm: &impl AsRawFd,
    first: u32,
    last: u32,
    action: u8,
    registers: [u8; 2],
) -> Result<(), FilterError> {
    let mut filter = kvm_smccc_filter {
        base: first,
        nr_functions: last - first + 1,
        action,
        pad: [0; 15],
    };
    // Where kernels with the monitor have `nr_in` and `nr_out`.
    filter.pad[..2].copy_from_slice(&registers);
    let (group, attr) = (KVM_ARM_VM_SMCCC_CTRL, KVM_ARM_VM_SMCCC_FILTER);
    // SAFETY: KVM reads one kvm_smccc_filter for this attribute.
    let set = unsafe { attribute::set(vm, group, attr, &filter) };
    set.map_err(|error| match error.raw_os_error() {
        Some(libc::EBUSY) => FilterError::TooLate,
        Some(libc::EEXIST) => FilterError::Taken { first, last },
        _ if !attribute::has(vm, group, attr) => FilterError::Unsupported,
        _ => FilterError::Kvm(error),
    })
}
