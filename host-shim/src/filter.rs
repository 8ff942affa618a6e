// SPDX-License-Identifier: Apache-2.0 OR MIT
//! KVM's SMCCC filter: which calls of a VM exit to user space (Linux 6.4 or later).
//!
//! The filter sees only w0 or r0, treats SMC and HVC alike, and must be complete before any vCPU of
//! the VM has run (Documentation/virt/kvm/devices/vm.rst, 6). The Arm architecture calls 0x8000xxxx
//! and 0xc000xxxx stay KVM's own, unless the kernel has KVM_CAP_ARM_MONITOR. Such a kernel is told
//! how many registers the calls of a range pass, so that it can carry them by itself; a vCPU that it
//! carries nothing for forwards them.

use std::io;
use std::iter::repeat;

use fakemon_abi::note::Range;
use kvm_bindings::{
    KVM_ARM_VM_SMCCC_CTRL, KVM_ARM_VM_SMCCC_FILTER, kvm_smccc_filter,
    kvm_smccc_filter_action_KVM_SMCCC_FILTER_DENY as DENY,
    kvm_smccc_filter_action_KVM_SMCCC_FILTER_FWD_TO_USER as FORWARD,
};

use crate::blob::Blob;
use crate::claims::{self, ClaimError};
use crate::engine::{abi, binding};
use crate::fd::AsKvmFd;
use crate::fd::attribute;
use crate::policy::Policy;

/// All function IDs but those that KVM keeps, as first and last.
const EVERYTHING: [(u32, u32); 3] = [
    (0, 0x7fff_ffff),
    (0x8001_0000, 0xbfff_ffff),
    (0xc001_0000, 0xffff_ffff),
];

/// The filter could not be set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
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
    /// A blob is to answer, and there is none: the VMM's fault.
    #[error("the policy is that a blob answers, but there is no blob")]
    NoBlob,
    /// Two blobs want the same calls.
    #[error(transparent)]
    Overlap(Box<ClaimError>),
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
    Kvm(io::Error),
}

/// Sets the filter of a guest VM as `policy` says; for [`Policy::Blob`] each of `blobs` gets the
/// ranges that it claims, and is to be in the guest's [`World`](crate::World) at the same place.
///
/// ```no_run
/// use fakemon_host::{Policy, set_policy};
///
/// // A guest for which SMC and HVC are undefined instructions.
/// let vm = kvm_ioctls::Kvm::new()?.create_vm()?;
/// set_policy(&vm, Policy::Undef, &[])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`FilterError`]; the VM may then have a part of the filter and should be dropped.
pub fn set_policy(vm: &impl AsKvmFd, policy: Policy, blobs: &[&Blob]) -> Result<(), FilterError> {
    match policy {
        Policy::Kvm => Ok(()),
        Policy::Deny => set_everything(vm, DENY),
        Policy::Undef => set_everything(vm, FORWARD),
        Policy::Blob if blobs.is_empty() => Err(FilterError::NoBlob),
        Policy::Blob => {
            claims::check(blobs).map_err(|error| FilterError::Overlap(Box::new(error)))?;
            let kernel_engine = binding::supported(vm);
            // KVM carries the calls of one payload by itself.
            for (blob, bound) in blobs
                .iter()
                .zip([kernel_engine].into_iter().chain(repeat(false)))
            {
                for range in blob.ranges() {
                    match (bound, range.is_architecture()) {
                        (true, _) => carry(vm, range)?,
                        // KVM answers an architecture call that the blob would.
                        (false, true) => {}
                        (false, false) => {
                            set(vm, range.first, range.last, FORWARD as u8, [0; 2])?;
                        }
                    }
                }
            }
            Ok(())
        }
    }
}

/// Makes every call of the monitor VM exit: a blob has no firmware below it.
pub(crate) fn forward_everything(vm: &impl AsKvmFd) -> Result<(), FilterError> {
    set_everything(vm, FORWARD)
}

fn set_everything(vm: &impl AsKvmFd, action: u32) -> Result<(), FilterError> {
    EVERYTHING
        .iter()
        .try_for_each(|&(first, last)| set(vm, first, last, action as u8, [0; 2]))
}

/// Has the monitor serve a range, with as many registers each way as its note says.
fn carry(vm: &impl AsKvmFd, range: &Range) -> Result<(), FilterError> {
    let registers = [range.inputs as u8, range.outputs as u8];
    set(vm, range.first, range.last, abi::FILTER_MONITOR, registers)
}

/// Sets one range; `registers` is the number that go in and come out, for the monitor.
fn set(
    vm: &impl AsKvmFd,
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
    let set = unsafe { attribute::set(&vm.as_kvm_fd(), group, attr, &filter) };
    set.map_err(|error| match error.raw_os_error() {
        Some(libc::EBUSY) => FilterError::TooLate,
        Some(libc::EEXIST) => FilterError::Taken { first, last },
        _ if !attribute::has(&vm.as_kvm_fd(), group, attr) => FilterError::Unsupported,
        _ => FilterError::Kvm(error),
    })
}
