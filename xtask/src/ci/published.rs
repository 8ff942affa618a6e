// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is checked of the packages that others can depend on: that cargo makes packages of them, and
//! that the oldest compiler which they promise takes them.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::{cargo, workspace};

/// The packages and their directories.
const PUBLISHED: [(&str, &str); 4] = [
    ("fakemon-abi", "blob/abi"),
    ("fakemon-firmware", "blob/firmware"),
    ("fakemon-blob", "blob/el1"),
    ("fakemon-host", "host-shim"),
];

/// What is read of a Cargo.toml.
#[derive(Deserialize)]
struct Manifest {
    package: Package,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Package {
    rust_version: String,
}

/// The steps, by name.
pub(super) fn steps() -> Result<Vec<(&'static str, Command)>> {
    // Each needs others of these in their new versions, which no registry has yet, so they are packed
    // together, and each is built from what was packed. A work tree with changes can be tested, too.
    let mut package = cargo::cargo(&["package", "--allow-dirty"]);
    for (name, _) in PUBLISHED {
        package.args(["--package", name]);
    }
    let mut steps = vec![("packages", package)];
    let oldest = oldest()?;
    if !is_installed(&oldest) {
        steps.push(("fetching the oldest compiler", install(&oldest)));
    }
    let linux = check(&oldest, cargo::LINUX, &["fakemon-abi", "fakemon-host"]);
    let bare = check(
        &oldest,
        cargo::BARE,
        &["fakemon-abi", "fakemon-firmware", "fakemon-blob"],
    );
    steps.push(("oldest compiler for Arm Linux", linux));
    steps.push(("oldest compiler for blobs", bare));
    Ok(steps)
}

/// The version of the compiler that all of them promise to build with.
fn oldest() -> Result<String> {
    let mut versions = Vec::new();
    for (name, dir) in PUBLISHED {
        let path = workspace::root().join(dir).join("Cargo.toml");
        let text = fs::read_to_string(&path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        let manifest: Manifest =
            toml::from_str(&text).with_context(|| format!("{name} has no rust-version"))?;
        versions.push(manifest.package.rust_version);
    }
    versions.dedup();
    ensure!(
        versions.len() == 1,
        "the packages promise different compilers: {}",
        versions.join(", ")
    );
    Ok(versions.remove(0))
}

/// Tells whether the compiler is there with its libraries for both targets.
fn is_installed(version: &str) -> bool {
    [cargo::LINUX, cargo::BARE].into_iter().all(|target| {
        let mut command = Command::new("rustup");
        command.args(["run", version, "rustc", "--print", "target-libdir"]);
        let output = command.args(["--target", target]).output();
        output
            .is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
    })
}

fn install(version: &str) -> Command {
    let mut command = Command::new("rustup");
    command.args(["toolchain", "install", version, "--profile", "minimal"]);
    command.args(["--target", cargo::LINUX, "--target", cargo::BARE]);
    command
}

/// Checks packages with another compiler, in a place of its own: cargo would build everything anew
/// where two take turns.
fn check(version: &str, target: &str, packages: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", version, "cargo", "check", "--target", target]);
    command
        .arg("--target-dir")
        .arg(workspace::target().join("oldest"));
    for package in packages {
        command.args(["--package", package]);
    }
    // The cargo that runs xtask has set these for itself.
    command.env_remove("CARGO").env_remove("RUSTC");
    command.current_dir(workspace::root());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_packages_promise_the_same_compiler_and_it_is_no_newer_than_ours() {
        let number = |text: &str| -> Vec<u32> {
            let parts = text.trim().split('.');
            parts.map(|part| part.parse().expect("a number")).collect()
        };
        let own = cargo::rustc(&["--version"]).expect("rustc");
        let own = own.split(' ').nth(1).expect("a version").to_owned();
        let oldest = oldest().expect("one version");
        assert!(number(&oldest) <= number(&own), "{oldest}, {own}");
    }
}
