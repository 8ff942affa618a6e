// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What goes where. Programs and data lie as [`assets`] says, so that tests run what is installed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fakemon_launch::assets;

use super::crates::Crates;
use super::programs::Programs;
use super::tree::Tree;
use super::{notices, pages};
use crate::{blob, cargo, workspace};

/// Where documents go.
const DOC: &str = "share/doc/fakemon";
/// What of a board's directory its users need: its description, which replayed calls belong to.
const OF_BOARD: [&str; 3] = ["board.toml", "replay.toml", "README.md"];
/// Documents of the checkout's root.
const DOCUMENTS: [&str; 5] = [
    "README.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
];
/// The notices of the standard library, as the compiler brings them.
const STANDARD: &str = "share/doc/rust/COPYRIGHT-library.html";

/// All files.
pub(super) fn tree(programs: &Programs, crates: &Crates, sbom: &[u8]) -> Result<Tree> {
    let mut tree = Tree::default();
    tree.add_program_copy(assets::FAKEMON, &programs.fakemon)?;
    tree.add_copy(assets::PRELOAD, &programs.preload)?;
    for blob in &programs.blobs {
        tree.add_copy(&assets::blob(&blob.board), &blob.path)?;
    }
    for board in workspace::boards()? {
        let dir = workspace::board_dir(&board.name);
        for file in OF_BOARD.iter().filter(|file| dir.join(file).is_file()) {
            tree.add_copy(
                &format!("{}/{file}", assets::board_dir(&board.name)),
                &dir.join(file),
            )?;
        }
    }
    pages::add(&mut tree)?;
    add_documents(&mut tree)?;
    tree.add(&format!("{DOC}/THIRD-PARTY.txt"), notices::text(crates)?);
    let sysroot = cargo::rustc(&["--print", "sysroot"])?;
    let standard = Path::new(sysroot.trim()).join(STANDARD);
    tree.add_copy(&format!("{DOC}/rust-library.html"), &standard)?;
    tree.add(&format!("{DOC}/fakemon.cdx.json"), sbom);
    tree.refuse(&of_this_machine()?)?;
    Ok(tree)
}

/// The documents, as the checkout has them, so that links between them hold.
fn add_documents(tree: &mut Tree) -> Result<()> {
    let root = workspace::root();
    for name in DOCUMENTS {
        tree.add_copy(&format!("{DOC}/{name}"), &root.join(name))?;
    }
    for dir in ["docs", "examples"] {
        let from = root.join(dir);
        for entry in
            fs::read_dir(&from).with_context(|| format!("cannot read {}", from.display()))?
        {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_file() {
                tree.add_copy(&format!("{DOC}/{dir}/{name}"), &path)?;
            }
        }
    }
    Ok(())
}

/// What nothing in a package may have in it.
fn of_this_machine() -> Result<Vec<String>> {
    let places = blob::places()?.into_iter().map(|(place, _)| place);
    // Theirs have more below them than is replaced.
    let variables = ["CARGO_HOME", "RUSTUP_HOME"].into_iter();
    let variables = variables.filter_map(std::env::var_os).map(Into::into);
    let all = places.chain(variables);
    Ok(all
        .map(|place: PathBuf| place.display().to_string())
        .collect())
}
