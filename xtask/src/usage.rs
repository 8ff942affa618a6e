// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Mistakes of the user's, which have an exit code of their own.

use std::fmt;

/// An error in what the user asked for, as opposed to one on the way.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}
