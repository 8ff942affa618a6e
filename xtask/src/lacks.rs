// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The error of a kernel that is not made for a board.

use std::fmt;

/// A kernel has not what a board wants of it.
#[derive(Debug)]
pub(crate) struct Lacks(pub(crate) String);

impl fmt::Display for Lacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Lacks {}
