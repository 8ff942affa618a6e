// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Replays the calls of a kernel that nobody ships: makes each, and looks at all that it changed.
//!
//! Some firmware interfaces have no caller in any kernel that a distribution builds. What such a
//! kernel would do is in its source, though, so a board's `replay.toml` lists the calls with the
//! registers and the memory of each, and this guest makes them. `cargo xtask` turns the list into a
//! [table](table::Table) after the program; the program is as much of a kernel as that takes: it
//! switches the MMU on, calls, prints, and powers off.
//!
//! This library is all of it that needs no Arm processor: the table, and what is checked.

#![no_std]
#![deny(clippy::undocumented_unsafe_blocks)]

pub mod check;
pub mod table;

/// General-purpose registers that a call can carry: r0 to r12.
pub const REGISTERS: usize = 13;
/// Where the scratch buffer is that calls may point to, in bytes from the start of RAM.
pub const SCRATCH: u32 = 33 << 20;
/// Bytes of the scratch buffer.
pub const SCRATCH_SIZE: u32 = 1 << 20;
/// The virtual address of the image, as replay.ld links it.
pub const IMAGE: u32 = 0xc200_0000;
/// The most bytes that the image and the table after it can have.
pub const IMAGE_SIZE: u32 = 0x8_0000;
