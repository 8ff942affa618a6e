// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the tests in real KVM share: programs in assembly, blobs made of them, and a machine to run
//! them on.

#![cfg(all(target_arch = "aarch64", target_os = "linux"))]

pub mod assets;
pub mod elf;
mod log;
pub mod machine;
pub mod program;
mod ram;
mod turn;
