// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What xtask and the test programs that it runs agree on.
//!
//! * [`Launch`]: how the reference VMM is started for a board.
//! * [`mod@env`]: the variables by which a user or xtask chooses what test programs do.
//! * [`assets`]: where test programs find blobs, kernels and the like.
//! * [`log`]: what a guest's log must show.

pub mod assets;
pub mod env;
mod launch;
pub mod log;

pub use launch::{HostVm, Launch};
