// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is checked of the packages that others can depend on: that cargo makes packages of them, and
//! that the oldest compiler which they promise takes what is in those.
//!
//! The packages need each other in versions that no registry has yet. cargo's own check unpacks them
//! into its home for that and keeps them there by name and version, so the next run in the same place
//! would be built with the sources of this one. Here they are unpacked side by side in a workspace that
//! puts them in the registry's place.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::cache::remove_dir;
use crate::stages::{Stages, succeeds};
use crate::summary::Summary;
use crate::{cargo, workspace};

/// The packages and their directories.
const PUBLISHED: [(&str, &str); 4] = [
    ("fakemon-abi", "blob/abi"),
    ("fakemon-firmware", "blob/firmware"),
    ("fakemon-blob", "blob/el1"),
    ("fakemon-host", "host-shim"),
];

/// What is built of the packages, by target: what it is for, its name, and the packages.
const BUILT: [(&str, &str, &[&str]); 2] = [
    ("Arm Linux", cargo::LINUX, &["fakemon-abi", "fakemon-host"]),
    (
        "blobs",
        cargo::BARE,
        &["fakemon-abi", "fakemon-firmware", "fakemon-blob"],
    ),
];

/// What is read of a Cargo.toml.
#[derive(Deserialize)]
struct Manifest {
    package: Package,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Package {
    name: String,
    version: String,
    rust_version: String,
}

impl Package {
    /// The name that cargo gives to what it packs, and to the directory in it.
    fn stem(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }
}

/// Packs them and has what was packed checked by the oldest compiler.
pub(super) fn check(summary: &mut Summary, stages: &mut Stages) -> Result<()> {
    let packages = packages()?;
    let oldest = oldest(&packages)?;
    if !stages.run("packages", || pack(&packages))? {
        summary.fail("packages".to_owned());
        return Ok(());
    }
    if !is_installed(&oldest) {
        let name = "fetching the oldest compiler";
        summary.require(name, stages.run(name, || succeeds(install(&oldest)))?);
    }
    for (purpose, target, names) in BUILT {
        let name = format!("oldest compiler for {purpose}");
        let command = build(&oldest, target, names);
        summary.require(&name, stages.run(&name, || succeeds(command))?);
    }
    Ok(())
}

/// What their Cargo.toml say of them.
fn packages() -> Result<Vec<Package>> {
    let mut packages = Vec::new();
    for (name, dir) in PUBLISHED {
        let path = workspace::root().join(dir).join("Cargo.toml");
        let text = fs::read_to_string(&path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        let manifest: Manifest = toml::from_str(&text)
            .with_context(|| format!("{name} lacks its version or rust-version"))?;
        packages.push(manifest.package);
    }
    Ok(packages)
}

/// The version of the compiler that all of them promise to build with.
fn oldest(packages: &[Package]) -> Result<String> {
    let versions = packages.iter().map(|package| package.rust_version.clone());
    let mut versions: Vec<_> = versions.collect();
    versions.dedup();
    ensure!(
        versions.len() == 1,
        "the packages promise different compilers: {}",
        versions.join(", ")
    );
    Ok(versions.remove(0))
}

/// Where the packages are unpacked.
fn unpacked() -> PathBuf {
    workspace::target().join("packed")
}

/// Has cargo pack them, and makes a workspace of what it packed. Tells whether it did.
fn pack(packages: &[Package]) -> Result<bool> {
    // A work tree with changes can be tested, too.
    let mut command = cargo::cargo(&["package", "--no-verify", "--allow-dirty"]);
    for package in packages {
        command.args(["--package", &package.name]);
    }
    if !succeeds(command)? {
        return Ok(false);
    }
    let dir = unpacked();
    remove_dir(&dir)?;
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    for package in packages {
        let file = workspace::target().join("package").join(package.stem());
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(file.with_added_extension("crate"));
        tar.arg("-C").arg(&dir);
        if !succeeds(tar)? {
            return Ok(false);
        }
    }
    fs::write(dir.join("Cargo.toml"), around(packages)).context("cannot write a workspace")?;
    // The same versions of what they depend on, so that nothing else is fetched.
    let lock = workspace::root().join("Cargo.lock");
    fs::copy(lock, dir.join("Cargo.lock")).context("cannot copy Cargo.lock")?;
    Ok(true)
}

/// The Cargo.toml of a workspace of unpacked packages, each in the place of the registry's.
fn around(packages: &[Package]) -> String {
    let stems: Vec<_> = packages.iter().map(Package::stem).collect();
    let mut text =
        format!("[workspace]\nresolver = \"3\"\nmembers = {stems:?}\n\n[patch.crates-io]\n");
    for (package, stem) in packages.iter().zip(stems) {
        text += &format!("{} = {{ path = {stem:?} }}\n", package.name);
    }
    text
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

/// Checks unpacked packages with another compiler, in a place of its own: cargo would build everything
/// anew where two take turns.
fn build(version: &str, target: &str, packages: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", version, "cargo", "check", "--target", target]);
    let place = workspace::target().join("oldest");
    command.arg("--target-dir").arg(place);
    for package in packages {
        command.args(["--package", package]);
    }
    // The cargo that runs xtask has set these for itself.
    command.env_remove("CARGO").env_remove("RUSTC");
    command.current_dir(unpacked());
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
        let packages = packages().expect("their Cargo.toml");
        let oldest = oldest(&packages).expect("one version");
        assert!(number(&oldest) <= number(&own), "{oldest}, {own}");
    }
    #[test]
    fn unpacked_packages_stand_in_for_the_registrys() {
        let package = |name: &str| Package {
            name: name.to_owned(),
            version: "0.2.0".to_owned(),
            rust_version: "1.88".to_owned(),
        };
        let expected = "[workspace]\nresolver = \"3\"\nmembers = [\"a-0.2.0\", \"b-0.2.0\"]\n\n\
            [patch.crates-io]\na = { path = \"a-0.2.0\" }\nb = { path = \"b-0.2.0\" }\n";
        assert_eq!(around(&[package("a"), package("b")]), expected);
    }
}
