// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a log must show, or must not, with all kernels or with some.

use serde::Deserialize;

use crate::kernel::{KernelRange, KernelVersion};

/// A regular expression for the log: `'psci: v1'`, or for some kernels alone
/// `{ pattern = 'psci: v2', kernel = ">=7.1" }`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "Written")]
pub struct Pattern {
    /// The regular expression.
    pub text: String,
    /// The kernels for which it counts; all if none are named.
    pub kernel: Option<KernelRange>,
}

/// As it is in the file.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a pattern is a string, or { pattern = \"...\", kernel = \">=6.13\" } with a range of kernels"
)]
enum Written {
    Always(String),
    Ranged(Ranged),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ranged {
    pattern: String,
    kernel: KernelRange,
}

impl From<Written> for Pattern {
    fn from(written: Written) -> Self {
        match written {
            Written::Always(text) => Pattern { text, kernel: None },
            Written::Ranged(Ranged { pattern, kernel }) => Pattern {
                text: pattern,
                kernel: Some(kernel),
            },
        }
    }
}

impl Pattern {
    /// Tells whether it counts for this kernel.
    pub fn counts(&self, kernel: Option<KernelVersion>) -> bool {
        self.kernel.is_none_or(|range| range.holds(kernel))
    }
}
