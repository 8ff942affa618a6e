// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the tests in real KVM share: programs in assembly, blobs made of them, and a machine to run
//! them on; and the comparison of a boot's calls, which works anywhere.

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
pub mod assets;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod cpu;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
pub mod elf;
pub mod golden;
pub mod host;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod log;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
pub mod machine;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod only_one_32bit;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
pub mod peers;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
pub mod program;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod ram;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
pub mod sched;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod stop;
pub mod watched;
