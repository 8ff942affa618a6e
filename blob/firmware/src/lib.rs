// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Secure firmware as Arm kernels see it, on any machine.
//!
//! Firmware here is what answers a kernel's SMCs. The way of a call through it is a straight line,
//! and each stop is one file:
//!
//! 1. a runtime, another crate, has been entered: it makes a [`Call`] of the caller's registers;
//! 2. [`dispatch`]: picks the service that owns the function;
//! 3. [`services`]: does the work, through [`Platform`] where the machine must change;
//! 4. and back the same way.
//!
//! How a call comes in, and how the machine below is reached, are the runtime's: fakemon-blob runs
//! a board at EL1 of a monitor VM and reaches the host by a doorbell.
//!
//! Four principles hold for all of it:
//!
//! * **Services are pure.** They see a [`Call`] and nothing else, so that they run in tests on any
//!   machine.
//! * **The caller is hostile.** No value of its makes the firmware panic; what cannot be served is
//!   refused with a code.
//! * **No state here that the machine has.** Which CPU is on is the platform's to know; a service
//!   asks. What only the firmware knows (a clock's rate, a domain's power) lies in the board's value.
//! * **Small.** No allocation, no formatting, no floating point.
//!
//! A board implements [`Board`]; its program hands it to a runtime.

#![cfg_attr(not(any(test, feature = "fakes")), no_std)]

mod board;
mod call;
pub mod clocks;
mod context;
pub mod dispatch;
mod error;
#[cfg(any(test, feature = "fakes"))]
pub mod fake;
mod function_id;
mod immediate;
mod lock;
pub mod memory;
mod platform;
mod power;
mod service;
pub mod services;

pub use board::Board;
pub use call::{Call, Trap};
pub use context::{Context, Resume};
pub use error::{Code, Error};
pub use fakemon_abi as abi;
pub use fakemon_abi::{Conduit, Width};
pub use function_id::{Effect, FunctionId, StandardFunction, owner};
pub use lock::{Lock, PerCpu};
pub use platform::{Platform, PowerState};
pub use power::PowerChange;
pub use service::Service;
