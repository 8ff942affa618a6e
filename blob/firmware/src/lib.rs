// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What every blob is made of.
//!
//! A blob is the secure firmware of one board, as far as a guest kernel can tell. The way of a call
//! through it is a straight line, and each stop is one file:
//!
//! 1. `vectors`: the exception vectors, which save the caller's registers;
//! 2. `entry`: finds out who calls and how;
//! 3. [`dispatch`]: picks the service that owns the function;
//! 4. [`services`]: does the work, through [`Host`] where the machine must change;
//! 5. `hostcall`: how such a wish reaches the host;
//! 6. and back the same way, until the vectors' ERET.
//!
//! Four principles hold for all of it:
//!
//! * **Services are pure.** They see a [`Call`] and nothing else, so that they run in tests on any
//!   machine.
//! * **The caller is hostile.** No value of its makes a blob panic; what cannot be served is
//!   refused with a code.
//! * **No state here that the VMM has.** Which CPU is on is the VMM's to know; a blob asks. What
//!   only the firmware knows (a clock's rate, a domain's power) lies in the board's value.
//! * **Small.** No allocation, no formatting, no floating point.
//!
//! A board implements [`Board`] and hands itself to [`blob!`].

#![cfg_attr(not(any(test, feature = "fakes")), no_std)]

mod board;
mod call;
pub mod clocks;
pub mod dispatch;
pub mod entry;
#[cfg(any(test, feature = "fakes"))]
pub mod fake;
mod function_id;
mod host;
#[cfg(target_os = "none")]
mod hostcall;
mod immediate;
mod lock;
pub mod memory;
#[cfg(target_os = "none")]
mod panic;
mod service;
pub mod services;
#[cfg(target_os = "none")]
mod vectors;

pub use board::Board;
pub use call::{Call, Conduit, Resume, Trap, Width};
pub use fakemon_abi as abi;
pub use function_id::{FunctionId, owner};
pub use host::Host;
pub use lock::{Lock, PerCpu};
pub use service::Service;
