// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A board's data: `board.toml` as types, read and checked in one place.
//!
//! Everything that is known of a board without running it is in its `board.toml`: what its blob
//! claims, what the machine looks like, what the guest kernel must show. The blob's build script,
//! the VMM and the tests all read it through this crate, so a mistake in it is found once and with
//! the same words everywhere.
//!
//! * [`Board`]: the whole file.
//! * [`Note`]: what becomes the blob's ELF note.
//! * [`Machine`]: CPUs, memory, interrupt controller, console and data-described device pages.
//! * [`Guest`]: the kernel, its device tree changes and its expected log.
//! * [`Demo`]: what it shows with a kernel that is built for that.
//! * [`Replay`]: the calls of a board that no kernel makes, from `replay.toml`.
//! * [`memory`]: how much memory a guest can have.
//! * [`standard`]: the functions of Arm's standards.
//! * [`build_script`]: what a board's `build.rs` calls.

mod board;
pub mod build_script;
mod check;
mod demo;
mod dt;
mod error;
pub mod family;
mod guest;
mod kernel;
mod load;
mod machine;
pub mod memory;
mod note;
mod number;
mod pattern;
mod register;
mod replay;
pub mod standard;
mod text;

pub use board::{Board, FunctionIdRule, TestKind};
pub use demo::{BuiltKernel, Demo};
pub use dt::{Cell, DtChange, DtValue};
pub use error::ManifestError;
pub use guest::{Arch, Guest};
pub use kernel::{KernelRange, KernelVersion};
pub use machine::{GICV2_CPUS, Gic, Machine, Page, PageKind, PowerAction, PrimeCell, Size};
pub use note::{GuestMemory, Note, Range, Window};
pub use pattern::Pattern;
pub use register::Register;
pub use replay::{Replay, ReplayCall, Word};
