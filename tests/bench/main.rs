// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Measures what each path of a call costs; `cargo xtask bench` runs this where KVM is and makes
//! the figures that people read.
//!
//! `bench paths ENGINE,... BLOB.elf OUT.json` times every path with those of the engines that the
//! kernel has, with the blob of a real board for the monitor's memory. `bench boot OUT.json PROGRAM
//! ARGUMENT...` runs a program and notes its processor time.
//! All times are nanoseconds of the host's counter, which are instructions where QEMU counts them.

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod kvm;

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    kvm::main()
}

#[cfg(not(all(target_arch = "aarch64", target_os = "linux")))]
fn main() {
    eprintln!("this program needs KVM on arm64 Linux; `cargo xtask bench` runs it in one");
}
