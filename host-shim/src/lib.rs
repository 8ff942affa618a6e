// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Gives a KVM guest the secure firmware of its board.
//!
//! A guest kernel that was made for a board calls that board's firmware with SMC. This library
//! carries the call to a *blob*, the board's entry points built as a tiny EL1 program, in a second
//! VM that the guest cannot reach: the *monitor VM*. It is made for any VMM that has a KVM VM and
//! its vCPUs as file descriptors.
//!
//! The way of one SMC, one word a file: the guest traps, and its [`Lane`] finds the payload that
//! claims the call. The payload's vCPU in the monitor VM is entered, and what its coming back means is said
//! with the kind of payload (`payload/blob/cpu.rs`, `frame.rs`, `gate.S`). If it asks for something, the lane hands
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

// Elsewhere only the pure half is built, for its tests, and nobody calls some of it. `kvm` is an Arm
// Linux (build.rs).
#![cfg_attr(not(kvm), allow(dead_code))]

pub mod blob;
mod claims;
#[cfg(target_os = "linux")]
mod clock;
#[cfg(kvm)]
mod engine;
#[cfg(kvm)]
mod entropy;
#[cfg(kvm)]
mod error;
pub mod fault;
#[cfg(kvm)]
mod fd;
#[cfg(kvm)]
mod filter;
mod guest;
mod hostcall;
#[cfg(kvm)]
mod kvm_run;
#[cfg(kvm)]
mod lane;
mod layout;
mod limits;
#[cfg(kvm)]
mod monitor;
#[cfg(kvm)]
mod payload;
pub mod policy;
mod power;
#[cfg(kvm)]
mod record;
#[cfg(kvm)]
pub mod regs;
mod request;
#[cfg(kvm)]
mod serve;
#[cfg(kvm)]
mod step;
mod tables;
#[cfg(target_os = "linux")]
mod timers;
mod width;
#[cfg(kvm)]
mod world;

pub use blob::{Blob, BlobError};
pub use claims::ClaimError;
#[cfg(target_os = "linux")]
pub use clock::{boottime_ns, monotonic_ns};
#[cfg(kvm)]
pub use engine::binding::supported as has_kernel_engine;
#[cfg(kvm)]
pub use error::Error;
pub use fakemon_abi as abi;
pub use fault::{BlobFault, FaultReason};
#[cfg(kvm)]
pub use fd::AsKvmFd;
#[cfg(kvm)]
pub use filter::{FilterError, set_policy};
#[cfg(kvm)]
pub use guest::{inject::inject_undefined, ram::GuestMemory, stolen_time::keep_stolen_time};
#[cfg(kvm)]
pub use lane::{Lane, saved::SavedLane};
pub use limits::Limit;
#[cfg(kvm)]
pub use monitor::kick::KickHandle;
#[cfg(kvm)]
pub use payload::Payload;
pub use policy::{Config, Engine, Hvc, OnFault, Policy};
pub use power::{Cpus, Start};
#[cfg(kvm)]
pub use record::CallRecord;
#[cfg(kvm)]
pub use regs::RegisterError;
pub use request::{PowerEvent, Reply, Request};
#[cfg(kvm)]
pub use serve::{Host, Served};
#[cfg(kvm)]
pub use step::{Step, Trap};
#[cfg(target_os = "linux")]
pub use timers::Timers;
pub use width::{Conduit, Width};
#[cfg(kvm)]
pub use world::{World, saved::SavedWorld};
