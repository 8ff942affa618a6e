// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where tests run: with which engines, and on host VMs with which processors.

use anyhow::{Result, bail};
use fakemon_host::Engine;
use fakemon_manifest::Board;

use super::Test;
use crate::cache::Check;
use crate::engine::Engines;
use crate::machine::Cpu;
use crate::own_kernel::NoSource;
use crate::summary::Summary;
use crate::supplies::Supplies;
use crate::this_machine;

/// Why the kernel engine is not tested on a machine.
const NO_KERNEL_ENGINE: &str =
    "kernel engine: this machine's kernel has not the patches of host-shim/kernel";

impl Test {
    /// The engines to test for which this machine has what they need, or gets it now.
    pub(super) fn ready_engines(&self, summary: &mut Summary) -> Result<Vec<Engine>> {
        let mut engines = self.engines(summary)?;
        if !engines.contains(&Engine::Kernel) || this_machine::is_native()? {
            return Ok(engines);
        }
        // What is missing for it shows now rather than after the other tests.
        let mut supplies = Supplies::open(Check::Quick)?;
        if self.newest {
            supplies.take_newest();
        }
        let cpu = self.cpus()?[0];
        supplies.choose_host_kernel(self.host_kernel.as_ref(), Engine::Kernel, cpu)?;
        match supplies.host_kernel() {
            // It is the archive's doing, and the other engine has no part in it.
            Err(error) if error.is::<NoSource>() => {
                summary.skip(format!("kernel engine: {error:#}"));
                engines.retain(|engine| *engine != Engine::Kernel);
            }
            found => drop(found?),
        }
        Ok(engines)
    }

    /// The engines to test.
    pub(crate) fn engines(&self, summary: &mut Summary) -> Result<Vec<Engine>> {
        let here = this_machine::engine()?;
        Ok(match (self.engine, here) {
            (None, here) => vec![here.unwrap_or(Engine::Userspace)],
            (Some(Engines::All), Some(Engine::Userspace)) => {
                summary.skip(NO_KERNEL_ENGINE.to_owned());
                vec![Engine::Userspace]
            }
            (Some(Engines::Kernel), Some(Engine::Userspace)) => bail!(NO_KERNEL_ENGINE),
            (Some(engines), _) => engines.list(),
        })
    }

    /// The processors of host VMs.
    pub(crate) fn cpus(&self) -> Result<Vec<Cpu>> {
        let kernel = self.host_kernel.clone().unwrap_or_default();
        let all = match self.cpu {
            Some(cpu) => {
                kernel.check(cpu)?;
                return Ok(vec![cpu]);
            }
            // A real machine has the processor that it has.
            None if self.quick || this_machine::is_native()? => &[Cpu::Max][..],
            None => &[Cpu::Max, Cpu::CortexA57],
        };
        let fitting = all.iter().filter(|cpu| kernel.runs_on(**cpu));
        Ok(fitting.copied().collect())
    }

    /// The processor of the host VM for a board by itself: what the user names, or what it prefers.
    pub(super) fn host_of(&self, board: &Board) -> Result<Cpu> {
        let cpus = self.cpus()?;
        let fitting = cpus.iter().find(|cpu| cpu.is_host_of(board));
        Ok(*fitting.unwrap_or(&cpus[0]))
    }
}
