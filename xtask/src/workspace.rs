// SPDX-License-Identifier: Apache-2.0 OR MIT
//! This checkout: where it is, where builds go, and which boards it has.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fakemon_manifest::Board;

use crate::names::nearest;
use crate::usage::Usage;

/// The root of the checkout that this xtask was built from.
pub(crate) fn root() -> PathBuf {
    // `cargo xtask` builds before it runs, so the manifest is where it was then.
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    root().join(target)
}

/// The directory of the board called `name`.
pub(crate) fn board_dir(name: &str) -> PathBuf {
    root().join("boards").join(name)
}

/// All boards, by name: every directory in boards/ that has a board.toml.
pub(crate) fn boards() -> Result<Vec<Board>> {
    names()?
        .iter()
        .map(|name| {
            Board::load(&board_dir(name)).with_context(|| format!("board {name} is broken"))
        })
        .collect()
}

/// The board called `name`.
pub(crate) fn board(name: &str) -> Result<Board> {
    let names = names()?;
    if !names.iter().any(|known| known == name) {
        let near = nearest(name, &names).join(", ");
        let hint = if near.is_empty() {
            String::new()
        } else {
            format!("did you mean {near}? ")
        };
        let message = format!("there is no board {name}: {hint}`cargo xtask boards` lists them");
        return Err(Usage(message).into());
    }
    Board::load(&board_dir(name)).with_context(|| format!("board {name} is broken"))
}

fn names() -> Result<Vec<String>> {
    let dir = root().join("boards");
    let entries = fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.path().join("board.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}
