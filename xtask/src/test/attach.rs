// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `test attach`: guests of other VMMs, with `fakemon attach` and without.

use anyhow::Result;
use fakemon_host::Engine;

use super::Test;
use crate::machine::Cpu;
use crate::summary::Summary;

/// The test program that attaches to other VMMs.
pub(crate) const ATTACH: &str = "attach";
/// The board that it attaches.
pub(crate) const ATTACHED: &str = "virt";
/// The board whose pages are served on another's machine.
pub(crate) const PAGED: &str = "zynqmp";

impl Test {
    /// Attaches to other VMMs.
    pub(crate) fn run_attach(&self, engine: Engine, summary: &mut Summary) -> Result<()> {
        let test = Test {
            boards: vec![ATTACHED.to_owned()],
            host_kernel: self.host_kernel.clone(),
            kernel: self.kernel.clone(),
            newest: self.newest,
            ..Test::default()
        };
        // What is particular to a processor the boots of the boards show.
        let cpu = self.cpu.unwrap_or(Cpu::Max);
        test.run_in_kvm(ATTACH, cpu, engine, &[], summary)
    }
}
