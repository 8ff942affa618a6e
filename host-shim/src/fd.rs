// SPDX-License-Identifier: Apache-2.0 OR MIT
//! KVM's file descriptors, as a VMM hands them over.

pub(crate) mod attribute;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use kvm_ioctls::{Kvm, VcpuFd, VmFd};

/// Something that holds an open KVM file: `/dev/kvm`, a VM or a vCPU.
///
/// It is [`AsFd`] for a type that kvm-ioctls makes, which owns a file and does not say so. A type of
/// the VMM's own implements this by its [`AsFd`]. A file that is not the one that is asked for
/// makes the request fail with the error of ioctl(2).
pub trait AsKvmFd {
    /// Borrows the file.
    fn as_kvm_fd(&self) -> BorrowedFd<'_>;
}

impl AsKvmFd for OwnedFd {
    fn as_kvm_fd(&self) -> BorrowedFd<'_> {
        self.as_fd()
    }
}

impl AsKvmFd for BorrowedFd<'_> {
    fn as_kvm_fd(&self) -> BorrowedFd<'_> {
        self.as_fd()
    }
}

impl AsKvmFd for Kvm {
    fn as_kvm_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: a `Kvm` owns its file, which is open as long as `self` is borrowed.
        unsafe { BorrowedFd::borrow_raw(self.as_raw_fd()) }
    }
}

impl AsKvmFd for VmFd {
    fn as_kvm_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: a `VmFd` owns its file, which is open as long as `self` is borrowed.
        unsafe { BorrowedFd::borrow_raw(self.as_raw_fd()) }
    }
}

impl AsKvmFd for VcpuFd {
    fn as_kvm_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: a `VcpuFd` owns its file, which is open as long as `self` is borrowed.
        unsafe { BorrowedFd::borrow_raw(self.as_raw_fd()) }
    }
}

/// Takes a file for as long as this library needs it, whatever the VMM does with its own.
pub(crate) fn keep(file: &impl AsKvmFd) -> io::Result<OwnedFd> {
    file.as_kvm_fd().try_clone_to_owned()
}
