// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Device attributes of VMs and vCPUs (Documentation/virt/kvm/api.rst, 4.80).

use std::io;
use std::os::fd::AsRawFd;

use kvm_bindings::{KVMIO, kvm_device_attr};
use libc::c_ulong;
use vmm_sys_util::ioctl::{_IOC_WRITE, ioctl_expr, ioctl_with_ref};

const SET_DEVICE_ATTR: c_ulong =
    ioctl_expr(_IOC_WRITE, KVMIO, 0xe1, size_of::<kvm_device_attr>() as u32);
const HAS_DEVICE_ATTR: c_ulong =
    ioctl_expr(_IOC_WRITE, KVMIO, 0xe3, size_of::<kvm_device_attr>() as u32);

/// Tells whether the VM or vCPU `fd` has an attribute.
pub(crate) fn has(fd: &impl AsRawFd, group: u32, attr: u32) -> bool {
    let attribute = kvm_device_attr {
        group,
        attr: attr.into(),
        ..Default::default()
    };
    // SAFETY: the kernel reads one kvm_device_attr, which outlives the call, and nothing else.
    unsafe { ioctl_with_ref(fd, HAS_DEVICE_ATTR, &attribute) == 0 }
}

/// Sets an attribute of the VM or vCPU `fd`.
///
/// # Errors
/// What the kernel says.
///
/// # Safety
/// `T` is what the kernel reads for this attribute, or longer.
pub(crate) unsafe fn set<T>(fd: &impl AsRawFd, group: u32, attr: u32, value: &T) -> io::Result<()> {
    let attribute = kvm_device_attr {
        group,
        attr: attr.into(),
        addr: std::ptr::from_ref(value).expose_provenance() as u64,
        flags: 0,
    };
    // SAFETY: the kernel reads one kvm_device_attr, and at its `addr` what the caller says `value`
    // has; both outlive the call.
    match unsafe { ioctl_with_ref(fd, SET_DEVICE_ATTR, &attribute) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
