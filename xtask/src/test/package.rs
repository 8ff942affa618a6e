// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `test package`: what users install, used as they do.

use anyhow::Result;
use fakemon_host::Engine;

use super::Test;
use crate::summary::Summary;

/// The test program that uses the package.
pub(crate) const PACKAGE: &str = "package";

impl Test {
    /// Uses the package.
    pub(crate) fn run_package(&self, engine: Engine, summary: &mut Summary) -> Result<()> {
        self.run_with_vmm(PACKAGE, engine, &[], summary)
    }
}
