// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The engines: the userspace engine switches between guest and blob with KVM as it is; with the
//! kernel engine KVM does, and this library sets it up and serves what it leaves.
//!
//! This is the half of the library that only an arm64 Linux has. What it decides from plain values
//! it leaves to the pure modules beside it.

mod attribute;
mod call;
mod carried;
mod carrier;
mod error;
mod exit;
pub mod filter;
mod frame;
mod gate;
mod host;
mod hostcall;
mod inject;
mod memory;
mod monitor;
mod record;
pub mod regs;
mod slot;
mod standing;
mod step;
mod stolen_time;
mod vcpu;
mod watchdog;

pub use carrier::supported as has_kernel_engine;
pub use error::Error;
pub use filter::{FilterError, set_policy};
pub use host::Host;
pub use inject::inject_undefined;
pub use monitor::{GuestMemory, Monitor};
pub use record::{CallRecord, monotonic_ns};
pub use step::{Step, Trap};
pub use stolen_time::keep_stolen_time;
pub use vcpu::{KickHandle, MonitorVcpu};
