// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Builds what runs: the program, the library, and the blobs.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::glibc::Needs;
use crate::blob::{self, Built, remap_flags};
use crate::supplies::Supplies;
use crate::{cargo, setup, workspace};

/// The profile of what users install.
const PROFILE: &str = "dist";

/// What was built.
#[derive(Debug)]
pub(super) struct Programs {
    /// The reference VMM.
    pub(super) fakemon: PathBuf,
    /// The library for other VMMs.
    pub(super) preload: PathBuf,
    /// What that needs of the system's libraries.
    pub(super) needs: Needs,
    /// The blobs of all boards.
    pub(super) blobs: Vec<Built>,
}

/// Builds all of it, without a path of this machine.
pub(super) fn build(supplies: &Supplies) -> Result<Programs> {
    setup::rust_target(cargo::GNU)?;
    let blobs = blob::build(&[])?;

    let mut fakemon = of_profile(&["build", "--bin", "fakemon"], "fakemon", cargo::LINUX)?;
    let fakemon = cargo::one(cargo::build("fakemon", &mut fakemon)?)?;

    let link = supplies.vmm()?.link();
    let mut preload = of_profile(&["rustc"], "fakemon-preload", cargo::GNU)?;
    cargo::link_with(&mut preload, &link);
    cargo::run("the library for other VMMs", &mut preload)?;
    let preload = workspace::target().join(cargo::GNU);
    let preload = preload.join(PROFILE).join("libfakemon_preload.so");
    Ok(Programs {
        needs: Needs::of_library(&preload)?,
        fakemon,
        preload,
        blobs,
    })
}

/// A build of one package for users.
fn of_profile(verb: &[&str], package: &str, target: &str) -> Result<Command> {
    let mut command = cargo::cargo(verb);
    command.args(["--locked", "--profile", PROFILE, "--target", target]);
    command.args(["--package", package]);
    command.env("CARGO_ENCODED_RUSTFLAGS", remap_flags()?.join("\x1f"));
    Ok(command)
}
