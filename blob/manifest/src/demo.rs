// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The `[[demo]]` tables: what a board shows with a kernel that is built for it, because no packaged
//! one has the driver.

use serde::Deserialize;

use crate::pattern::Pattern;

/// A demonstration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Demo {
    /// Its name.
    pub name: String,
    /// One line on what it shows.
    pub description: String,
    /// The kernel that it boots.
    pub kernel: BuiltKernel,
    /// The board's file with the script that the initramfs runs as its check `board`.
    pub script: String,
    /// What the log must match.
    pub expect: Vec<Pattern>,
    /// What the log must not match.
    #[serde(default)]
    pub unexpected: Vec<Pattern>,
    /// What the log matches when KVM answers the guest's calls instead of the blob: nothing is shown
    /// then.
    pub counter: Vec<Pattern>,
}

/// A guest's kernel that is built from Debian's source, for the architecture of the board's guest.
/// What it has is built in, so there are no modules.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BuiltKernel {
    /// The version in the name of the source's package, such as `7.3`.
    pub source: String,
    /// The board's file with what `make allnoconfig` is to switch on.
    pub config: String,
}

impl Demo {
    /// All patterns, of whatever kind.
    pub fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        [&self.expect, &self.unexpected, &self.counter]
            .into_iter()
            .flatten()
    }
}
