// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Takes a package apart.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

/// Unpacks a Debian package into a directory.
pub(crate) fn unpack(package: &Path, to: &Path) -> Result<()> {
    let sh = Shell::new()?;
    fs::create_dir_all(to)?;
    cmd!(sh, "dpkg-deb --extract {package} {to}")
        .quiet()
        .run()
        .with_context(|| {
            format!(
                "cannot unpack {} (is there room in {}?)",
                package.display(),
                to.display()
            )
        })
}
