// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The engines: the userspace engine switches between guest and blob with KVM as it is; with the
//! kernel engine KVM does, and this library sets it up and serves what it leaves.
//!
//! This is the half of the library that only an arm64 Linux has. What it decides from plain values
//! it leaves to the pure modules beside it.

mod attribute;
mod binding;
mod blob_cpu;
mod blob_fault;
mod error;
mod fd;
mod filter;
mod frame;
mod gate;
mod guest;
mod image;
mod inject;
mod kick;
mod lane;
mod memory;
mod monitor;
mod payload;
mod ram;
mod record;
pub mod regs;
mod serve;
mod signal;
mod slot;
mod sources;
mod status;
mod step;
mod stolen_time;
mod vcpu;
mod watchdog;
mod world;

pub use binding::supported as has_kernel_engine;
pub use error::Error;
pub use fd::AsKvmFd;
pub use filter::{FilterError, set_policy};
pub use inject::inject_undefined;
pub use kick::KickHandle;
pub use lane::Lane;
pub use payload::Payload;
pub use ram::GuestMemory;
pub use record::{CallRecord, boottime_ns, monotonic_ns};
pub use regs::RegisterError;
pub use serve::{Host, Served};
pub use step::{Step, Trap};
pub use stolen_time::keep_stolen_time;
pub use world::World;
