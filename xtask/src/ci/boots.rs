// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which boots of boards CI leaves out, and those that it adds.

use anyhow::Result;
use fakemon_host::Engine;
use fakemon_manifest::Board;

use crate::inputs::GuestKernel;
use crate::stages::Stages;
use crate::summary::Summary;
use crate::test::{BOOTS, Test};
use crate::{this_machine, workspace};

/// Boards that boot Debian's newer kernel, too: the standards, the largest golden trace, and the drivers
/// that change most.
const ON_NEWER_KERNEL: [&str; 3] = ["virt", "zynqmp", "x13s"];
/// That kernel.
const NEWER_KERNEL: &str = "7.3";
/// What such a boot can show that one of the boards' own kernel does not.
const SERVES: &str = "from_its_blob";
/// Boards whose counter-proofs stand for those of all: one on each kind of host. That a kernel fails
/// without its firmware is told by that kernel, which is locked, and hardly ever by a change here.
const COUNTERED: [&str; 2] = ["gs101", "msm8916"];
/// What such a boot's name ends in.
const COUNTER_PROOF: &str = "_fails_without_its_blob";

/// Boots [`ON_NEWER_KERNEL`], each board on the kind of host that it wants.
pub(super) fn on_newer_kernel(
    full: bool,
    summary: &mut Summary,
    stages: &mut Stages,
) -> Result<()> {
    let engine = this_machine::engine()?.unwrap_or(Engine::Userspace);
    let filter = [SERVES.to_owned()];
    let filter = if full { &[] } else { filter.as_slice() };
    for cpu in Test::default().cpus()? {
        let mut names = Vec::new();
        for name in ON_NEWER_KERNEL {
            let board = workspace::board(name)?;
            if this_machine::is_native()? || cpu.is_host_of(&board) {
                names.push(name);
            }
        }
        if names.is_empty() {
            continue;
        }
        let test = Test::boots(&names, GuestKernel::Named(NEWER_KERNEL));
        let name = format!(
            "Linux {NEWER_KERNEL} on {}: {}",
            cpu.name(),
            names.join(", ")
        );
        stages.run(&name, || {
            test.run_in_kvm(BOOTS, cpu, engine, filter, summary)
        })?;
    }
    Ok(())
}

/// What leaves out all counter-proofs but those of [`COUNTERED`].
pub(super) fn fewer() -> Result<Vec<String>> {
    let boards = workspace::boards()?;
    let others = boards
        .iter()
        .filter(|board| !COUNTERED.contains(&board.name.as_str()));
    let skip = |board: &Board| {
        [
            "--skip".to_owned(),
            format!("{}{COUNTER_PROOF}", board.name),
        ]
    };
    Ok(others.flat_map(skip).collect())
}
