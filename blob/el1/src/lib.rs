// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The runtime of a blob: runs a board's firmware at EL1 of a monitor VM.
//!
//! The way of a call through a blob is a straight line, and each stop is one file:
//!
//! 1. `vectors`: the exception vectors, which save the caller's registers;
//! 2. [`entry`]: finds out who calls and how, and hands the call to the firmware's dispatcher;
//! 3. `platform`: what a service asks of the machine becomes a host call by number;
//! 4. `doorbell`: how a host call reaches the host; `regions`, where the guest has memory;
//! 5. and back the same way, until the vectors' ERET.
//!
//! A board's program is one line: [`blob!`] with the board's type.

#![cfg_attr(not(test), no_std)]

mod blob;
#[cfg(target_os = "none")]
mod doorbell;
pub mod entry;
#[cfg(target_os = "none")]
mod panic;
#[cfg(any(target_os = "none", test))]
mod platform;
#[cfg(any(target_os = "none", test))]
mod regions;
#[cfg(target_os = "none")]
mod vectors;

pub use fakemon_abi as abi;
pub use fakemon_firmware as firmware;
