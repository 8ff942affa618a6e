// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The userspace engine: switches between guest and blob with KVM as it is.
//!
//! This is the half of the library that only an arm64 Linux has. What it decides from plain values
//! it leaves to the pure modules beside it.

mod call;
mod error;
pub mod filter;
mod frame;
mod gate;
mod host;
mod hostcall;
mod inject;
mod memory;
mod monitor;
pub mod regs;
mod step;
mod stolen_time;
mod vcpu;
mod watchdog;

pub use error::Error;
pub use filter::{FilterError, set_policy};
pub use host::Host;
pub use inject::inject_undefined;
pub use monitor::{GuestMemory, Monitor};
pub use step::{Step, Trap};
pub use stolen_time::keep_stolen_time;
pub use vcpu::{CallRecord, KickHandle, MonitorVcpu};
