// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What this host's KVM can do, and what its user wants of it.

use fakemon_launch::env;

/// Tells whether drift is a failure, too: `cargo xtask test --strict`.
pub fn is_strict() -> bool {
    env::is_on(env::STRICT)
}

/// Bytes of the host's pages, of which all memory of a VM is made.
pub fn page_size() -> u64 {
    rustix::param::page_size() as u64
}

/// Tells whether KVM gives a blob the Arm architecture calls that it claims, which takes the
/// monitor capability.
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
pub fn gives_architecture_calls() -> bool {
    kvm_ioctls::Kvm::new().is_ok_and(|kvm| fakemon_host::has_kernel_engine(&kvm))
}

/// Tells that there is no KVM for Arm here.
#[cfg(not(all(target_arch = "aarch64", target_os = "linux")))]
pub fn gives_architecture_calls() -> bool {
    false
}
