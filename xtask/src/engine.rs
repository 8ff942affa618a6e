// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which engine carries calls between guest and blob: the library in user space, or KVM with the
//! patches of host-shim/kernel.

use clap::ValueEnum;
use fakemon_host::Engine;

/// The engines of tests and measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engines {
    /// The library, with KVM as it is.
    Userspace,
    /// KVM itself, with the patches of host-shim/kernel.
    Kernel,
    /// One after the other.
    All,
}

impl Engines {
    /// The engines in the order in which they run.
    pub(crate) fn list(self) -> Vec<Engine> {
        match self {
            Engines::Userspace => vec![Engine::Userspace],
            Engines::Kernel => vec![Engine::Kernel],
            Engines::All => vec![Engine::Userspace, Engine::Kernel],
        }
    }
}
