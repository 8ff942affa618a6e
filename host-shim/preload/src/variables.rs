// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Names of the environment variables that ask this library for something. `fakemon attach`, which sets
//! them, takes this very file.

/// Files of blobs, with colons between them.
pub const BLOB: &str = "FAKEMON_BLOB";
/// Who answers the guest's calls; a blob, if one is named.
pub const POLICY: &str = "FAKEMON_POLICY";
/// Who carries calls to the blob and back.
pub const ENGINE: &str = "FAKEMON_ENGINE";
/// Which of the blob's entry points calls by HVC come to: `smc` or `note`.
pub const HVC: &str = "FAKEMON_HVC";
/// What device trees are to say: `smc`.
pub const DT: &str = "FAKEMON_DT";
/// For how many vCPUs there is room; for as many as there are when the guest begins to run, at least.
pub const CPUS: &str = "FAKEMON_MAX_CPUS";
/// Milliseconds of CPU time that a blob may use in one call.
pub const WATCHDOG: &str = "FAKEMON_WATCHDOG";
/// The file for a trace.
pub const TRACE: &str = "FAKEMON_TRACE";
/// The board's directory, which has the names of its functions for the trace, and its pages.
pub const BOARD: &str = "FAKEMON_BOARD";
/// Who has the board's pages, if not the VMM: `board`, which is this library.
pub const PAGES: &str = "FAKEMON_PAGES";
