// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Bare-metal guests and blobs of a few instructions in real KVM.

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod suite;

fn main() {
    let arguments = libtest_mimic::Arguments::from_args();
    #[cfg(all(target_arch = "aarch64", target_os = "linux"))]
    let tests = suite::tests();
    // Elsewhere there is no KVM for Arm guests.
    #[cfg(not(all(target_arch = "aarch64", target_os = "linux")))]
    let tests = Vec::new();
    libtest_mimic::run(&arguments, tests).exit();
}
