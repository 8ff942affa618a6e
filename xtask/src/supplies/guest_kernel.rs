// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest's kernel: what boards want of it, and the files that are kept of its packages.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::cache::files_below;
use crate::debian::Want;
use crate::lacks::Lacks;
use crate::{inputs, modules, workspace};

/// A guest kernel's files.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    pub(super) image: PathBuf,
    dir: PathBuf,
    name: String,
}

impl Kernel {
    /// One in a directory with `vmlinuz`, `dtbs/` and `modules/`.
    pub(super) fn in_dir(dir: PathBuf, name: &str) -> Kernel {
        Kernel {
            image: dir.join("vmlinuz"),
            dir,
            name: name.to_owned(),
        }
    }

    /// Which one it is, as a directory's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The kernel itself.
    pub(crate) fn image(&self) -> PathBuf {
        self.image.clone()
    }

    /// Its device tree of this name.
    pub(crate) fn dtb(&self, name: &str) -> Result<PathBuf> {
        let path = self.dir.join("dtbs").join(name);
        if !path.exists() {
            return Err(Lacks(format!(
                "the kernel {} has no {name}: correct `dtb` in board.toml",
                self.name
            ))
            .into());
        }
        Ok(path)
    }

    /// Its modules.
    pub(crate) fn modules(&self) -> PathBuf {
        self.dir.join("modules")
    }
}

/// What is wanted of a kernel package besides the kernel.
#[derive(Debug, Default)]
pub(super) struct Parts {
    dtbs: BTreeSet<String>,
    modules: BTreeSet<String>,
}

impl Parts {
    /// What all boards want that boot `want` for the kernel `name`.
    pub(super) fn of_boards(name: &str, want: &Want) -> Result<Parts> {
        let mut parts = Parts::default();
        for board in workspace::boards()? {
            if inputs::kernel_want(&board, name).is_ok_and(|other| other == *want) {
                parts.dtbs.extend(board.guest.dtb);
                parts.modules.extend(board.guest.modules);
            }
        }
        Ok(parts)
    }

    /// Takes the wanted files out of an unpacked package: `vmlinuz`, `dtbs/` and `modules/`. What it
    /// has not is missed by the boards that want it.
    pub(super) fn take(&self, package: &Path, to: &Path) -> Result<()> {
        let files = files_below(package)?;
        let image = files.iter().find(|file| {
            file.file_name().is_some_and(|name| {
                name == "vmlinuz" || name.to_string_lossy().starts_with("vmlinuz-")
            })
        });
        let image = image.context("the kernel package has no vmlinuz")?;
        fs::copy(image, to.join("vmlinuz"))?;
        for name in &self.dtbs {
            if let Some(dtb) = files.iter().find(|file| file.ends_with(name)) {
                let to = to.join("dtbs").join(name);
                fs::create_dir_all(to.parent().unwrap_or(&to))?;
                fs::copy(dtb, to)?;
            }
        }
        fs::create_dir(to.join("modules"))?;
        if let Some(builtin) = files.iter().find(|file| file.ends_with(modules::BUILTIN)) {
            fs::copy(builtin, to.join("modules").join(modules::BUILTIN))?;
        }
        for name in &self.modules {
            let found = match modules::load(package, std::slice::from_ref(name)) {
                Err(error) if error.is::<Lacks>() => continue,
                found => found?,
            };
            for module in found {
                let file = format!("{}.ko", module.name);
                fs::write(to.join("modules").join(file), module.content)?;
            }
        }
        Ok(())
    }
}

/// A kernel that the user gives as a directory.
pub(super) fn given_kernel(dir: PathBuf, name: &str) -> Result<Kernel> {
    ensure!(
        dir.join("vmlinuz").is_file(),
        "{} has no vmlinuz",
        dir.display()
    );
    Ok(Kernel::in_dir(dir, name))
}
