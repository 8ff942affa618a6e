// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Makes a package a second time, from a copy of the checkout in another place, in another time zone and
//! another language, and with nothing built before.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::release::Release;
use crate::scratch::Scratch;
use crate::{cargo, workspace};

/// What must make no difference.
const ELSEWHERE: [(&str, &str); 2] = [("TZ", "Pacific/Kiritimati"), ("LC_ALL", "C")];

/// The names of those files that differ from what is made again.
pub(super) fn differences(release: &Release, made: &[PathBuf]) -> Result<Vec<String>> {
    let scratch = Scratch::new(&std::env::temp_dir())?;
    let copy = scratch.path().join("a-copy");
    copy_to(&copy)?;
    let out = scratch.path().join("out");
    let mut command = cargo::cargo(&[
        "run",
        "--quiet",
        "--package",
        "xtask",
        "--",
        "dist",
        "--out",
    ]);
    command.arg(&out).current_dir(&copy);
    command.env_remove("CARGO_TARGET_DIR");
    command.envs(release.variables()).envs(ELSEWHERE);
    cargo::run("it again, in another place", &mut command)?;
    differing(made, &out)
}

/// The names of those of `files` that are not the same in the directory `other`.
fn differing(files: &[PathBuf], other: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for file in files {
        let name = file.file_name().unwrap_or_default();
        let read = |path: &Path| fs::read(path).with_context(|| path.display().to_string());
        if read(file)? != read(&other.join(name))? {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// Copies what git knows of this checkout, as it is, and what it would not ignore.
fn copy_to(copy: &Path) -> Result<()> {
    let root = workspace::root();
    let mut git = Command::new("git");
    git.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let output = git
        .current_dir(&root)
        .output()
        .context("cannot start git")?;
    ensure!(
        output.status.success(),
        "git does not list the files of this checkout"
    );
    for name in output.stdout.split(|&byte| byte == 0) {
        let name = String::from_utf8_lossy(name);
        let (from, to) = (root.join(&*name), copy.join(&*name));
        // One that was removed and not yet committed is still listed.
        if name.is_empty() || !from.is_file() {
            continue;
        }
        fs::create_dir_all(to.parent().unwrap_or(copy))?;
        fs::copy(&from, &to).with_context(|| format!("cannot copy {name}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_the_same_is_named() {
        let scratch = Scratch::new(&std::env::temp_dir()).expect("a directory");
        let write = |name: &str, text: &str| {
            let path = scratch.path().join(name);
            fs::create_dir_all(path.parent().expect("a directory")).expect("made");
            fs::write(&path, text).expect("written");
            path
        };
        let made = [write("one/a", "same"), write("one/b", "first")];
        write("two/a", "same");
        write("two/b", "second");
        let two = scratch.path().join("two");
        assert_eq!(differing(&made, &two).expect("compared"), ["b"]);
        assert!(
            differing(&[write("one/c", "")], &two).is_err(),
            "it was not made"
        );
    }

    #[test]
    fn a_copy_has_what_builds_and_not_what_was_built() {
        let scratch = Scratch::new(&std::env::temp_dir()).expect("a directory");
        copy_to(scratch.path()).expect("copied");
        let there = |name: &str| scratch.path().join(name).exists();
        assert!(there("Cargo.lock") && there("boards/virt/board.toml"));
        assert!(!there("target") && !there(".git"));
    }
}
