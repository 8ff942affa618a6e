// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the runner has put beside the tests: the VMM, blobs, boards, kernels, initramfs.

use std::path::{Path, PathBuf};

use fakemon_manifest::Board;

/// The directory of the assets, if there is one.
#[derive(Clone, Debug)]
pub(crate) struct Assets(Option<PathBuf>);

impl Assets {
    /// Takes the place that the runner names in the environment.
    pub(crate) fn find() -> Assets {
        Assets(std::env::var_os("FAKEMON_ASSETS").map(PathBuf::from))
    }

    /// A path among the assets.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.clone().unwrap_or_default().join(name)
    }

    /// All boards, by name.
    ///
    /// # Panics
    /// When a board.toml is not valid: the tests cannot say anything then.
    pub(crate) fn boards(&self) -> Vec<Board> {
        let Some(root) = &self.0 else {
            return Vec::new();
        };
        let entries = std::fs::read_dir(root.join("boards")).expect("the runner ships the boards");
        let mut boards: Vec<Board> = entries
            .map(|entry| Board::load(&entry.expect("a directory entry").path()).expect("a board"))
            .collect();
        boards.sort_by(|a, b| a.name.cmp(&b.name));
        boards
    }

    /// Why this board's kernel cannot boot here, if it cannot.
    pub(crate) fn cannot_boot(&self, board: &Board) -> Option<String> {
        if std::env::var("FAKEMON_QUICK").is_ok_and(|value| value == "1") {
            return Some("--quick leaves real kernels out".to_owned());
        }
        let gic = self.gic()?;
        let versions = &board.machine.gic.versions;
        if versions.iter().any(|version| u32::from(*version) == gic) {
            return None;
        }
        Some(format!(
            "board {} needs GICv{:?}, this host has GICv{gic}",
            board.name, versions
        ))
    }

    /// Version of the host's interrupt controller, where the runner knows it.
    pub(crate) fn gic(&self) -> Option<u32> {
        std::env::var("FAKEMON_GIC").ok()?.parse().ok()
    }

    /// The stored calls of a board's boot.
    pub(crate) fn golden(&self, board: &Board) -> Result<String, String> {
        let path = self.path(format!("boards/{}/golden.trace", board.name));
        std::fs::read_to_string(&path)
            .map_err(|error| format!("cannot read boards/{}/golden.trace: {error}", board.name))
    }
}
