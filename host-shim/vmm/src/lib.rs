// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The reference VMM as a library, so that tests can use its parts.

pub mod cli;
pub mod console;
pub mod control;
pub mod cpus;
pub mod devices;
pub mod dt;
pub mod loader;
pub mod memory;
pub mod say;
pub mod summary;
pub mod terminal;
pub mod trace;

#[cfg(test)]
mod testing;
