// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Gives a KVM guest the secure firmware of its board.
//!
//! A guest kernel that was made for a board calls that board's firmware with SMC. This library
//! carries the call to a *blob*, the board's entry points built as a tiny EL1 program, in a second
//! VM that the guest cannot reach: the *monitor VM*. It is made for any VMM that has a KVM VM and
//! its vCPUs as file descriptors.
//!
//! The way of one SMC, one word a file: the guest traps, and its [`Lane`] finds the payload that
//! claims the call. The payload's vCPU in the monitor VM is entered (`blob_cpu.rs`, `frame.rs`,
//! `gate.S`), and what its coming back means is said there. If it asks for something, the lane hands
//! out a [`Request`] and takes a [`Reply`], now or later (`hostcall.rs`, `request.rs`). When it has
//! returned, the guest gets what changed. `serve.rs` is a loop over that, for VMMs which answer on the
//! spot; `world.rs` holds the payloads and the guest's memory.
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
mod claims;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod engine;
pub mod fault;
mod hostcall;
mod limits;
pub mod policy;
mod request;
mod tables;
mod translate;
mod undefined;
mod width;
mod workaround;

pub use blob::{Blob, BlobError};
pub use claims::ClaimError;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
pub use engine::{
    AsKvmFd, CallRecord, Error, FilterError, GuestMemory, Host, KickHandle, Lane, Payload,
    RegisterError, Served, Step, Trap, World, boottime_ns, has_kernel_engine, inject_undefined,
    keep_stolen_time, monotonic_ns, regs, set_policy,
};
pub use fakemon_abi as abi;
pub use fault::{BlobFault, FaultReason};
pub use limits::Limit;
pub use policy::{Config, Engine, OnFault, Policy};
pub use request::{PowerEvent, Reply, Request};
pub use width::{Conduit, Width};
