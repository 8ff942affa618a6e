// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every device tree that Linux has for real machines can be given as `--dtb`.
//!
//! The trees are those of whole kernel packages, in directories that `FAKEMON_DEVICE_TREES` names as
//! PATH does; `cargo xtask test` fetches them. Without it there is nothing to read.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use fakemon::dt;
use fakemon_launch::env;
use libtest_mimic::{Arguments, Completion, Trial};

/// Fewer trees than any of Debian's packages for Arm has; one with less was not unpacked whole.
const FEWEST: usize = 300;

fn main() {
    let trials = match std::env::var_os(env::DEVICE_TREES) {
        None => vec![Trial::ignorable_test("device_trees_are_read", || {
            let name = env::DEVICE_TREES;
            let reason = format!("{name} names no directory of them; `cargo xtask test` does");
            Ok(Completion::ignored_with(reason))
        })],
        Some(dirs) => std::env::split_paths(&dirs).map(package).collect(),
    };
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// The trial of one package.
fn package(dir: PathBuf) -> Trial {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let name = format!("device_trees_of_{name}_are_read");
    Trial::test(name, move || Ok(all_are_read(&dir)?))
}

/// Reads each tree, and reads what is written of it once more.
fn all_are_read(dir: &Path) -> Result<(), String> {
    let mut files = Vec::new();
    trees(dir, &mut files).map_err(|error| error.to_string())?;
    if files.len() < FEWEST {
        return Err(format!(
            "there are {} trees, not {FEWEST} or more",
            files.len()
        ));
    }
    let mut refused = Vec::new();
    for file in &files {
        let name = file.display().to_string();
        let bytes = fs::read(file).map_err(|error| format!("{name}: {error}"))?;
        match dt::read(&name, &bytes) {
            Err(error) => refused.push(error.to_string()),
            Ok(tree) => {
                let again = dt::read(&name, &tree.to_dtb()).map_err(|error| error.to_string())?;
                if again != tree {
                    refused.push(format!("{name} is not what it was when it is written"));
                }
            }
        }
    }
    match refused.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "{} of {} are refused:\n{}",
            refused.len(),
            files.len(),
            refused.join("\n")
        )),
    }
}

/// All device tree blobs below a directory.
fn trees(dir: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            trees(&path, files)?;
        } else if path.extension() == Some(OsStr::new("dtb")) {
            files.push(path);
        }
    }
    Ok(())
}
