// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a board describes of its machine as data, as devices on a bus: for the reference VMM, and for
//! VMMs that lack them.
//!
//! A device is a plain state machine. It knows nothing of KVM, files or threads: what it wants of the
//! machine is in the value that a write returns.

pub mod bus;
pub mod pages;
pub mod pl310;

pub use bus::{Access, Bus, Device, Effect};
