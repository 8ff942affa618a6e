// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the tests of `fakemon attach` need: its library, another VMM, and something for that to boot.

use anyhow::Result;
use fakemon_launch::assets;
use fakemon_manifest::Board;

use crate::machine::Stage;
use crate::supplies::{Kernel, Supplies};
use crate::test::{ATTACHED, PAGED};
use crate::{blob, c_programs, cargo, guest, setup, workspace};

/// The blobs: those that serve, and one of the other width.
const BLOBS: [&str; 3] = [ATTACHED, PAGED, "midway"];

/// Puts it on the stage. On an Arm machine with KVM the VMM is that machine's own.
pub(crate) fn add_assets(stage: &mut Stage, supplies: &Supplies) -> Result<()> {
    setup::rust_target(cargo::GNU)?;
    stage.add(assets::FAKEMON, cargo::build_vmm()?);
    for blob in blob::build(&BLOBS.map(str::to_owned))? {
        stage.add(&assets::blob(&blob.board), blob.path);
    }
    let link = supplies.vmm()?.link();
    stage.add(assets::PRELOAD, cargo::build_preload(&link)?);
    let (_, kernel) = add_vmm(stage, supplies)?;
    match c_programs::build_vmm(&workspace::target().join("c/vmm/scenarios"))? {
        Ok(program) => drop(stage.add(assets::VMM_IN_C, program)),
        Err(reason) => drop(stage.add_text(assets::VMM_IN_C_SKIP, &reason)?),
    }
    let paged = workspace::board(PAGED)?;
    let initrd = guest::initramfs(supplies, &paged, &kernel)?;
    stage.add(&assets::initrd(PAGED), initrd);
    for board in [ATTACHED, PAGED] {
        stage.add_dir(&assets::board_dir(board), &workspace::board_dir(board))?;
    }
    Ok(())
}

/// Puts another VMM on the stage, unless this machine has its own, and what it boots: returns the board and
/// the kernel.
pub(crate) fn add_vmm(stage: &mut Stage, supplies: &Supplies) -> Result<(Board, Kernel)> {
    if !stage.is_native() {
        let vmm = supplies.vmm()?;
        stage.add(assets::VMM, vmm.program());
        stage.add_dir(assets::VMM_LIBRARIES, &vmm.libraries())?;
    }
    let board = workspace::board(ATTACHED)?;
    let kernel = supplies.guest_kernel(&board)?;
    let initrd = guest::attach_initramfs(supplies, &board, &kernel)?;
    stage.add(assets::VMM_INITRD, initrd);
    stage.add(&assets::kernel(&board), kernel.image());
    Ok((board, kernel))
}
