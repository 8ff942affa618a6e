// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Has KVM keep a guest vCPU's stolen time, for a blob with PV time (Arm DEN 0057).

use std::io;

use kvm_bindings::{KVM_ARM_VCPU_PVTIME_CTRL, KVM_ARM_VCPU_PVTIME_IPA};

use crate::fd::AsKvmFd;
use crate::fd::attribute;

/// Tells KVM to keep the stolen time structure of a guest's vCPU at guest physical `address`.
///
/// The address is a multiple of 64 in memory that the guest has already been given, and zero there.
/// Call this once for each vCPU, before it runs; the address is then what
/// [`Host::stolen_time`](crate::Host::stolen_time) tells.
///
/// # Errors
/// What KVM says (Documentation/virt/kvm/devices/vcpu.rst, 3): ENXIO if the host kernel keeps no
/// such time, EINVAL for a bad address, EEXIST the second time.
pub fn keep_stolen_time(vcpu: &impl AsKvmFd, address: u64) -> io::Result<()> {
    // SAFETY: KVM reads 64 bits for this attribute.
    unsafe {
        attribute::set(
            &vcpu.as_kvm_fd(),
            KVM_ARM_VCPU_PVTIME_CTRL,
            KVM_ARM_VCPU_PVTIME_IPA,
            &address,
        )
    }
}
