// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a guest's program speaks to its test, and how it stops.

use fakemon_host::{Error, Served};

/// A store here is recorded by the machine; nothing else happens.
pub const REPORT: u64 = 0x0900_0000;
/// A store here ends the vCPU's program.
pub const END: u64 = 0x0900_1000;

/// What a vCPU's program did until it ended or the test has to act.
#[derive(Debug)]
pub enum Stop {
    /// It stored to [`END`].
    Ended,
    /// A call ended in a step that the machine does not carry out by itself.
    Step(Served),
    /// The engine failed.
    Error(Error),
    /// KVM stopped the vCPU.
    Exit(String),
}
