// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the runner has put beside the tests: the VMM, blobs, boards, kernels, initramfs.

use std::path::{Path, PathBuf};

use fakemon_launch::{HostVm, assets, env};
use fakemon_manifest::{Board, Replay};
use fakemon_tests::host;

/// The directory of the assets, if there is one.
#[derive(Clone, Debug)]
pub(crate) struct Assets(Option<PathBuf>);

impl Assets {
    /// Takes the place that the runner names in the environment.
    pub(crate) fn find() -> Assets {
        Assets(std::env::var_os(env::ASSETS).map(PathBuf::from))
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
        let entries =
            std::fs::read_dir(root.join(assets::BOARDS)).expect("the runner ships the boards");
        let mut boards: Vec<Board> = entries
            .map(|entry| Board::load(&entry.expect("a directory entry").path()).expect("a board"))
            .collect();
        boards.sort_by(|a, b| a.name.cmp(&b.name));
        boards
    }

    /// Tells whether this board is booted here: on a host with the interrupt controller that it
    /// prefers. So each board boots once although there are two kinds of host VM. Where there is one,
    /// any that the board can have will do.
    pub(crate) fn is_host_of(&self, board: &Board) -> bool {
        let versions = &board.machine.gic.versions;
        let wanted = match self.is_only_host() {
            true => versions.as_slice(),
            false => &versions[..versions.len().min(1)],
        };
        self.host_vm().is_none_or(|host| wanted.contains(&host.gic))
    }

    /// Tells whether no other host has another interrupt controller.
    pub(crate) fn is_only_host(&self) -> bool {
        env::is_on(env::ANY_GIC)
    }

    /// Why the board's kernel does not boot here, if that is so.
    pub(crate) fn cannot_boot(&self, board: &Board) -> Option<String> {
        if env::is_on(env::QUICK) {
            return Some("--quick leaves real kernels out".to_owned());
        }
        let (host, gic) = (self.host_vm(), &board.machine.gic);
        if host.is_some_and(|host| !gic.versions.contains(&host.gic)) {
            return Some("no host with its interrupt controller has this kernel".to_owned());
        }
        let cpu_interface = gic.cpu.unwrap_or(0);
        if host.is_some_and(|host| host.gic == 2)
            && !cpu_interface.is_multiple_of(host::page_size())
        {
            return Some("its GICv2 lies inside a page of this host's".to_owned());
        }
        // The kernel that the user chose has not what this board is about.
        std::fs::read_to_string(self.path(assets::skip(&board.name))).ok()
    }

    /// The host VM that this runs in, if it does.
    pub(crate) fn host_vm(&self) -> Option<HostVm> {
        let gic = std::env::var(env::GIC).ok()?.parse().ok()?;
        Some(HostVm { gic })
    }

    /// How many calls the board's replay makes.
    pub(crate) fn replayed(&self, board: &Board) -> Result<usize, String> {
        let replay = Replay::load(&self.path(assets::board_dir(&board.name)));
        replay
            .map(|replay| replay.calls.len())
            .map_err(|error| error.to_string())
    }

    /// The stored calls of a board's boot.
    pub(crate) fn golden(&self, board: &Board) -> Result<String, String> {
        let name = format!("{}/golden.trace", assets::board_dir(&board.name));
        std::fs::read_to_string(self.path(&name))
            .map_err(|error| format!("cannot read {name}: {error}"))
    }
}
