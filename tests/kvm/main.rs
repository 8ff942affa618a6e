// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Bare-metal guests and blobs of a few instructions in real KVM.

fn main() {
    #[cfg(all(target_arch = "aarch64", target_os = "linux"))]
    let tests = [
        aarch32::tests(),
        calls::tests(),
        conduit::tests(),
        contract::tests(),
        example::tests(),
        faults::tests(),
        hostcalls::tests(),
        isolation::tests(),
        kick::tests(),
        memory::tests(),
        policy::tests(),
        returns::tests(),
        smp::tests(),
        undefined::tests(),
    ]
    .into_iter()
    .flatten()
    .collect();
    #[cfg(not(all(target_arch = "aarch64", target_os = "linux")))]
    let tests = Vec::new();
    libtest_mimic::run(&libtest_mimic::Arguments::from_args(), tests).exit();
}

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod aarch32;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod calls;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod conduit;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod contract;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod example;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod faults;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod hostcalls;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod isolation;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod kick;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod memory;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod policy;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod returns;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod smp;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod undefined;
