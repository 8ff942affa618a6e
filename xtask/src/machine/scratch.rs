// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A directory for the files of one run, gone when the run is over, also by Ctrl-C.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::interrupt;

/// The directory; dropping it removes it.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes a directory in `parent` that only this process uses.
    pub(crate) fn new(parent: &Path) -> Result<Scratch> {
        let path = parent.join(format!("run-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let doomed = path.clone();
        interrupt::at_exit(move || {
            let _ = fs::remove_dir_all(&doomed);
        });
        Ok(Scratch { path })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
