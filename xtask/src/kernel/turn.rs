// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where a kernel is built: a directory in the cache that one run at a time has.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cache::remove_dir;

/// The directory in the cache, and what is locked for it.
const DIR: &str = "kernel-build";
const LOCK: &str = "kernel-build.lock";

/// An empty directory to build in; dropping it removes it, and lets the next run build.
#[derive(Debug)]
pub(crate) struct Turn {
    dir: PathBuf,
    _lock: File,
}

impl Turn {
    /// Waits until no other run builds a kernel in `cache`. That cache itself must be unlocked, as
    /// the other run needs it to put the result into place.
    pub(crate) fn take(cache: &Path) -> Result<Turn> {
        let lock = File::create(cache.join(LOCK)).context("cannot write to the cache")?;
        if lock.try_lock().is_err() {
            eprintln!("waiting for another run that is building the host VM's kernel");
            lock.lock().context("cannot lock the cache")?;
        }
        let dir = cache.join(DIR);
        remove_dir(&dir)?;
        fs::create_dir(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Turn { dir, _lock: lock })
    }

    /// Where to build.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Moves everything that was built to another directory of the cache.
    pub(crate) fn move_to(&self, to: &Path) -> Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            fs::rename(entry.path(), to.join(entry.file_name()))?;
        }
        Ok(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_moved_and_what_is_not_goes() {
        let cache = std::env::temp_dir().join(format!("fakemon-turn-{}", std::process::id()));
        let to = cache.join("own-kernel");
        fs::create_dir_all(&to).expect("a directory");
        let turn = Turn::take(&cache).expect("nobody builds");
        fs::write(turn.dir().join("Image"), "kernel").expect("a file");
        turn.move_to(&to).expect("movable");
        fs::write(turn.dir().join("rest"), "").expect("a file");
        let dir = turn.dir().to_owned();
        drop(turn);
        assert!(!dir.exists());
        assert_eq!(
            fs::read_to_string(to.join("Image")).expect("moved"),
            "kernel"
        );
        fs::remove_dir_all(&cache).expect("removable");
    }
}
