// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The patches of host-shim/kernel, and whether they apply to a source.
//!
//! They must apply to a range of sources, as Debian's stable kernel gets fixes every few weeks. To
//! find out, the files that they touch are enough.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::workspace;

/// The patches, in the order in which they apply.
#[derive(Debug, Default)]
pub(crate) struct Series {
    patches: Vec<PathBuf>,
}

impl Series {
    /// The one of this checkout.
    pub(crate) fn of_workspace() -> Result<Series> {
        Series::of_dir(&workspace::root().join("host-shim/kernel"))
    }

    fn of_dir(dir: &Path) -> Result<Series> {
        let entries =
            fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
        let mut patches = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|name| name == "patch") {
                patches.push(path);
            }
        }
        patches.sort();
        Ok(Series { patches })
    }

    /// The files.
    pub(crate) fn patches(&self) -> &[PathBuf] {
        &self.patches
    }

    /// The files of the kernel that are changed, and not made, by the patches.
    pub(crate) fn touched(&self) -> Result<BTreeSet<String>> {
        let mut made = BTreeSet::new();
        let mut touched = BTreeSet::new();
        for patch in &self.patches {
            let text = fs::read_to_string(patch)
                .with_context(|| format!("cannot read {}", patch.display()))?;
            let mut before = "";
            for line in text.lines() {
                if let Some(name) = line.strip_prefix("--- ") {
                    before = name;
                } else if let Some(name) = line.strip_prefix("+++ b/") {
                    if before == "/dev/null" {
                        made.insert(name.to_owned());
                    } else if !made.contains(name) {
                        touched.insert(name.to_owned());
                    }
                }
            }
        }
        Ok(touched)
    }

    /// Applies them to a source tree, which must hold at least the touched files. What does not fit
    /// exactly is an error that names it.
    pub(crate) fn apply(&self, tree: &Path) -> Result<()> {
        for patch in &self.patches {
            let name = patch.file_name().unwrap_or_default().to_string_lossy();
            // Fuzz would put a hunk where it seems to fit.
            let output = Command::new("patch")
                .args(["--strip=1", "--forward", "--batch", "--fuzz=0"])
                .arg("--directory")
                .arg(tree)
                .arg("--input")
                .arg(patch)
                .env("LC_ALL", "C")
                .stdin(Stdio::null())
                .output()
                .context("cannot start patch: apt install patch")?;
            if !output.status.success() {
                let text = String::from_utf8_lossy(&output.stdout);
                bail!("{name}: {}", complaint(&text));
            }
        }
        Ok(())
    }
}

/// Takes files out of a package of the kernel's source.
pub(crate) fn extract(files: &BTreeSet<String>, package: &Path, to: &Path) -> Result<()> {
    let source = package.file_name().unwrap_or_default().to_string_lossy();
    let source = source.split('_').next().unwrap_or_default();
    let members = files.iter().map(|file| format!("{source}/{file}"));
    let mut dpkg = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(package)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start dpkg-deb")?;
    let mut outer = Command::new("tar")
        .args(["--extract", "--to-stdout", "--file=-"])
        .arg(format!("./usr/src/{source}.tar.xz"))
        .stdin(dpkg.stdout.take().context("no pipe")?)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start tar")?;
    // Decompression is most of the work, and xz can share it among all processors.
    let inner = Command::new("tar")
        .args(["--extract", "--xz", "--strip-components=1", "--file=-"])
        .arg("--directory")
        .arg(to)
        .args(members)
        .env("XZ_DEFAULTS", "--threads=0")
        .env("LC_ALL", "C")
        .stdin(outer.stdout.take().context("no pipe")?)
        .output()
        .context("cannot start tar")?;
    dpkg.wait()?;
    outer.wait()?;
    let messages = String::from_utf8_lossy(&inner.stderr);
    // A file that is not there is for the patch to miss.
    let is_other = |line: &&str| !line.contains("Not found") && !line.contains("previous errors");
    let problem = messages.lines().find(is_other);
    ensure!(
        inner.status.success() || problem.is_none(),
        "cannot unpack {}: {}",
        package.display(),
        problem.unwrap_or_default()
    );
    Ok(())
}

/// What patch could not do, in one line: the file and the hunks.
fn complaint(output: &str) -> String {
    let mut file = "";
    let mut found: Vec<String> = Vec::new();
    for line in output.lines() {
        if let Some(name) = line.strip_prefix("patching file ") {
            file = name;
        } else if line.starts_with("Hunk")
            && let Some((hunk, _)) = line.split_once(" FAILED")
        {
            found.push(format!("{} of {file}", hunk.to_lowercase()));
        } else if line.contains("can't find file") || line.contains("already exists") {
            found.push(line.trim().to_owned());
        }
    }
    if found.is_empty() {
        return output.trim().to_owned();
    }
    found.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_apply_in_the_order_of_their_names() {
        let dir = std::env::temp_dir().join(format!("fakemon-patches-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory");
        for name in [
            "0002-b.patch",
            "0010-c.patch",
            "0001-a.patch",
            "kvm-host.config",
        ] {
            fs::write(dir.join(name), "").expect("a file");
        }
        let found = Series::of_dir(&dir).expect("readable");
        let names: Vec<_> = found
            .patches()
            .iter()
            .filter_map(|path| path.file_name())
            .collect();
        assert_eq!(names, ["0001-a.patch", "0002-b.patch", "0010-c.patch"]);
        fs::remove_dir_all(&dir).expect("removable");
    }

    #[test]
    fn the_files_that_patches_touch_are_those_that_they_do_not_make() {
        let dir = std::env::temp_dir().join(format!("fakemon-touched-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory");
        let first = "--- a/x.c\n+++ b/x.c\n--- /dev/null\n+++ b/new.c\n";
        fs::write(dir.join("1.patch"), first).expect("a file");
        fs::write(dir.join("2.patch"), "--- a/new.c\n+++ b/new.c\n").expect("a file");
        let series = Series::of_dir(&dir).expect("readable");
        let touched: Vec<_> = series.touched().expect("readable").into_iter().collect();
        assert_eq!(touched, ["x.c"]);
        fs::remove_dir_all(&dir).expect("removable");
    }

    #[test]
    fn what_does_not_apply_is_named() {
        let output = "patching file a.c\nHunk #1 succeeded at 3.\npatching file b.c\n\
                      Hunk #8 FAILED at 1221.\n1 out of 9 hunks FAILED -- saving rejects to file";
        let text = complaint(output);
        assert!(text.starts_with("hunk #8 of b.c"), "{text}");
        assert_eq!(complaint("patch: no memory\n"), "patch: no memory");
    }
}
