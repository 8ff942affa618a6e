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

/// What takes minutes of an emulated host, and of which another test shows the better half.
const LONG: [&str; 3] = [
    "a_board_without_its_pages_lacks_registers",
    "a_board_without_attach_lacks_firmware",
    "a_saved_guest_is_refused_without_its_blob",
];

impl Test {
    /// Attaches to other VMMs; without what is [`LONG`], if this is to be short.
    pub(crate) fn run_attach(&self, engine: Engine, summary: &mut Summary) -> Result<()> {
        let long = LONG.iter().filter(|_| self.short);
        let skip: Vec<_> = long
            .flat_map(|name| ["--skip".to_owned(), (*name).to_owned()])
            .collect();
        self.run_with_vmm(ATTACH, engine, &skip, summary)
    }

    /// Runs a test program in which another VMM serves the guest of board virt.
    pub(super) fn run_with_vmm(
        &self,
        program: &str,
        engine: Engine,
        filter: &[String],
        summary: &mut Summary,
    ) -> Result<()> {
        let test = Test {
            boards: vec![ATTACHED.to_owned()],
            host_kernel: self.host_kernel.clone(),
            kernel: self.kernel.clone(),
            newest: self.newest,
            ..Test::default()
        };
        // What is particular to a processor the boots of the boards show.
        let cpu = self.cpu.unwrap_or(Cpu::Max);
        test.run_in_kvm(program, cpu, engine, filter, summary)
    }
}
