// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The reference VMM as a library, so that tests can use its parts.
//!
//! It is thin: what is particular to Fake Monitor is in `fakemon-host`, what a board is like is in
//! its `board.toml`. A run goes through the modules in this order:
//!
//! * [`cli`] says what is wanted, [`input`] reads and checks it ([`loader`], [`memory`], [`dt`]).
//! * `vm` (on an arm64 Linux) builds a VM from it with [`devices`] on its bus, and runs each vCPU
//!   in a thread. What the threads share is [`Cpus`](fakemon_host::Cpus), the power states,
//!   [`Timers`](fakemon_host::Timers), and [`control`], the reason to stop.
//! * [`events`] is the main thread's loop meanwhile: [`console`], [`terminal`] and [`signals`]; what is
//!   printed goes through an [`output`], so that nothing waits for who reads it.
//! * [`attach`](mod@attach) is apart from all this: it starts another VMM with `fakemon-preload` in it; and
//!   [`merge`](mod@merge) changes such a VMM's device tree.
//! * [`installed`] finds blobs and boards by name, for all of these; [`mod@boards`] lists them, and
//!   [`mod@check`] tells what this host can do for them.
//! * [`run`] boots again after a reset, or ends; [`trace`] and [`summary`] tell of the calls, [`reports`] of
//!   what the guest does otherwise.

pub mod attach;
pub mod boards;
pub mod check;
pub mod cli;
pub mod console;
pub mod control;
pub mod devices;
pub mod dt;
pub mod events;
pub mod input;
pub mod installed;
pub mod loader;
pub mod memory;
pub mod merge;
pub mod output;
pub mod reports;
pub mod run;
pub mod say;
pub mod signals;
pub mod summary;
pub mod terminal;
pub mod trace;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
pub mod vm;

#[cfg(test)]
mod testing;
