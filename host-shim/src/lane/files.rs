// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The files that a lane keeps open, for who wants to know more of a vCPU than the library says.

use std::os::fd::{AsFd, BorrowedFd};

use super::Lane;
use crate::fd::AsKvmFd;

impl Lane {
    /// The file of the guest's vCPU, which is a duplicate of the one that it was made with.
    pub fn guest_vcpu(&self) -> BorrowedFd<'_> {
        self.guest.fd().as_fd()
    }

    /// The vCPU that a payload has here, in the order of the world's: for statistics (KVM_GET_STATS_FD) and
    /// debuggers. Who changes its state changes the payload's.
    pub fn payload_vcpu(&self, payload: usize) -> Option<BorrowedFd<'_>> {
        let seat = self.seats.get(payload)?;
        Some(seat.blob.vcpu.fd().as_kvm_fd())
    }
}
