// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Gives a KVM guest the secure firmware of its board.
//!
//! A guest kernel that was made for a board calls that board's firmware with SMC. This library
//! carries the call to a *blob*, the board's entry points built as a tiny EL1 program, in a second
//! VM that the guest cannot reach: the *monitor VM*. It is made for any VMM that has a KVM VM and
//! its vCPUs as file descriptors.
//!
//! The way of one SMC is a straight line through the files of `engine/`: the guest's exit arrives in
//! `call.rs`, which reads the caller's registers into the frame (`frame.rs`) and runs the monitor's
//! vCPU (`vcpu.rs`); the gate (`gate.S`) enters the blob and catches its return; `call.rs` writes
//! back what changed. What the blob asks of the host on the way is served in `hostcall.rs`.
//! `blob.rs`, `tables.rs`, `memory.rs` and `monitor.rs` set all this up.
//!
//! Four principles:
//! * The guest is hostile to both sides, and the blob may be broken or hostile too: whatever either
//!   makes the host do is checked here, and can at worst break that guest.
//! * The hot path does what the call needs and nothing else.
//! * What can be decided from plain values is decided by pure functions, tested on any machine.
//! * The library owns the monitor VM alone. The guest's VM stays the VMM's.
//!
//! `examples/minimal.rs` is a whole VMM in under 100 lines.

// Elsewhere only the pure half is built, for its tests, and nobody calls some of it.
#![cfg_attr(
    not(all(target_arch = "aarch64", target_os = "linux")),
    allow(dead_code)
)]

pub mod blob;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod engine;
pub mod fault;
mod limits;
pub mod policy;
mod tables;
pub mod translate;
pub mod undefined;
pub mod width;
mod workaround;

pub use blob::{Blob, BlobError};
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
pub use engine::*;
pub use fault::{BlobFault, FaultReason};
pub use limits::Limit;
pub use policy::{Config, Engine, OnFault, Policy};
pub use width::{Conduit, Width};
