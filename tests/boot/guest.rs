// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest in the reference VMM, watched through its console.

use std::ops::{Deref, DerefMut};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fakemon_host::Policy;
use fakemon_launch::{Launch, assets as launch_assets, env};
use fakemon_manifest::{Arch, Board, TestKind};
pub(crate) use fakemon_tests::watched::TIMEOUT;
use fakemon_tests::watched::Watched;

use crate::assets::Assets;

/// Held by a 32-bit guest: an emulated host can run only one that has several CPUs
/// (docs/decisions/0005-emulated-32-bit.md).
static ONLY_32_BIT: Mutex<()> = Mutex::new(());

/// A running `fakemon`; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Guest {
    watched: Watched,
    // Last, so that the guest is gone when the next one starts.
    _only: Option<MutexGuard<'static, ()>>,
}

impl Guest {
    /// Boots the board's kernel, or what replays its calls, with its SMCs answered by `blobs`, or by
    /// nobody, more options for fakemon, and words for the kernel's command line.
    pub(crate) fn start(
        assets: &Assets,
        board: &Board,
        blobs: &[String],
        options: &[&str],
        words: &str,
    ) -> Result<Guest, String> {
        let alone = board.guest.arch == Arch::Armhf;
        let only = alone.then(|| ONLY_32_BIT.lock().unwrap_or_else(PoisonError::into_inner));
        let mut command = command(assets, board, blobs, options, words);
        Ok(Guest {
            watched: Watched::start(&mut command)?,
            _only: only,
        })
    }
}

impl Deref for Guest {
    type Target = Watched;

    fn deref(&self) -> &Watched {
        &self.watched
    }
}

impl DerefMut for Guest {
    fn deref_mut(&mut self) -> &mut Watched {
        &mut self.watched
    }
}

/// fakemon's command line for a boot of the board's kernel, or of what replays its calls, with its SMCs
/// answered by `blobs`, or by nobody, more options for fakemon, and words for the kernel's command line.
pub(crate) fn command(
    assets: &Assets,
    board: &Board,
    blobs: &[String],
    options: &[&str],
    words: &str,
) -> Command {
    let smc = if blobs.is_empty() {
        Policy::Deny
    } else {
        Policy::Blob
    };
    let path = |name: String| assets.path(name).display().to_string();
    let board_dir = path(launch_assets::board_dir(&board.name));
    let mut launch = Launch::new(board, board_dir, smc);
    launch.host_vm = assets.host_vm();
    // Which engine is to be tested; without a word it is fakemon's choice.
    launch.engine = env::engine().expect("a choice of engine");
    launch.words = words.split(' ').map(str::to_owned).collect();
    let mut file = |option, name| launch.files.push((option, path(name)));
    for blob in blobs {
        file("--blob", blob.clone());
    }
    if board.test == TestKind::Replay {
        file("--kernel", launch_assets::replay(&board.name));
    } else {
        file("--kernel", launch_assets::kernel(board));
        file("--initrd", launch_assets::initrd(&board.name));
    }
    if let Some(dtb) = launch_assets::dtb(board) {
        file("--dtb", dtb);
    }
    let mut command = Command::new(assets.path(launch_assets::FAKEMON));
    command.args(launch.arguments()).args(options);
    command
}
