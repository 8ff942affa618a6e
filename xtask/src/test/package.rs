// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `test package`: what users install, used as they do.

use anyhow::Result;
use fakemon_host::Engine;

use super::{ATTACHED, Test};
use crate::machine::Cpu;
use crate::summary::Summary;

/// The test program that uses the package.
pub(crate) const PACKAGE: &str = "package";

impl Test {
    /// Uses the package.
    pub(crate) fn run_package(&self, engine: Engine, summary: &mut Summary) -> Result<()> {
        let test = Test {
            boards: vec![ATTACHED.to_owned()],
            host_kernel: self.host_kernel.clone(),
            kernel: self.kernel.clone(),
            newest: self.newest,
            ..Test::default()
        };
        let cpu = self.cpu.unwrap_or(Cpu::Max);
        test.run_in_kvm(PACKAGE, cpu, engine, &[], summary)
    }
}
