// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which crates are in what users install: for each program, what it needs when it runs, on its target.
//!
//! `cargo metadata` knows who they are, but resolves the whole workspace with the features that anything in it
//! asks for; `cargo tree` says which of them a build of the program has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

use crate::{cargo, workspace};

/// A crate.
#[derive(Clone, Debug)]
pub(super) struct Crate {
    pub(super) name: String,
    pub(super) version: String,
    /// As its author writes it.
    pub(super) licence: String,
    /// Whether others made it.
    pub(super) is_foreign: bool,
    pub(super) authors: Vec<String>,
    pub(super) repository: Option<String>,
    /// Where its sources are.
    pub(super) dir: PathBuf,
    /// The keys of what it needs itself.
    pub(super) needs: BTreeSet<String>,
}

/// Crates by name and version.
pub(super) type Crates = BTreeMap<String, Crate>;

/// All crates of what users install.
pub(super) fn shipped() -> Result<Crates> {
    let boards: Vec<_> = workspace::boards()?
        .into_iter()
        .map(|board| format!("fakemon-board-{}", board.name))
        .collect();
    let programs = [
        (cargo::LINUX, vec!["fakemon".to_owned()]),
        (cargo::GNU, vec!["fakemon-preload".to_owned()]),
        (cargo::BARE, boards),
    ];
    let mut crates = Crates::new();
    for (target, roots) in programs {
        let mut command = MetadataCommand::new();
        command.manifest_path(workspace::root().join("Cargo.toml"));
        let options = ["--locked", "--filter-platform", target];
        let metadata = command.other_options(options.map(str::to_owned)).exec();
        let metadata = metadata.context("cargo does not tell what there is")?;
        add(&mut crates, &metadata, &roots, &built(target, &roots)?)?;
    }
    Ok(crates)
}

/// The keys of what a build of the packages `roots` has.
fn built(target: &str, roots: &[String]) -> Result<BTreeSet<String>> {
    let mut command = cargo::cargo(&["tree", "--locked", "--target", target]);
    command.args(["--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    for root in roots {
        command.args(["--package", root]);
    }
    let output = command.output().context("cannot start cargo")?;
    let messages = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo tree: {}", messages.trim());
    let text = String::from_utf8_lossy(&output.stdout);
    // `name v1.2.3`, and more of what it is.
    let key = |line: &str| {
        let (name, rest) = line.split_once(" v")?;
        Some(format!("{name}@{}", rest.split(' ').next()?))
    };
    Ok(text.lines().filter_map(key).collect())
}

/// Adds what the packages called `roots` need, of what was `built`.
fn add(
    crates: &mut Crates,
    metadata: &Metadata,
    roots: &[String],
    built: &BTreeSet<String>,
) -> Result<()> {
    let graph = metadata.resolve.as_ref();
    let graph = graph.context("cargo resolved nothing")?;
    let mut open: Vec<&PackageId> = Vec::new();
    for root in roots {
        let package = metadata
            .packages
            .iter()
            .find(|package| package.name == *root);
        open.push(
            &package
                .with_context(|| format!("there is no package {root}"))?
                .id,
        );
    }
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let node = graph.nodes.iter().find(|node| node.id == *id);
        let needs = node.into_iter().flat_map(|node| &node.deps).filter(|need| {
            let mut kinds = need.dep_kinds.iter();
            kinds.any(|kind| kind.kind == DependencyKind::Normal)
        });
        let needs = needs.map(|need| &need.pkg);
        let needs: Vec<_> = needs
            .filter(|need| built.contains(&key(&metadata[*need])))
            .collect();
        let package = &metadata[id];
        let known = crates.entry(key(package)).or_insert_with(|| of(package));
        known
            .needs
            .extend(needs.iter().map(|need| key(&metadata[*need])));
        open.extend(needs);
    }
    Ok(())
}

fn key(package: &Package) -> String {
    format!("{}@{}", package.name, package.version)
}

fn of(package: &Package) -> Crate {
    Crate {
        name: package.name.to_string(),
        version: package.version.to_string(),
        licence: package.license.clone().unwrap_or_default(),
        is_foreign: package.source.is_some(),
        authors: package.authors.clone(),
        repository: package.repository.clone(),
        dir: package
            .manifest_path
            .parent()
            .map(PathBuf::from)
            .unwrap_or_default(),
        needs: BTreeSet::new(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A crate for tests.
    pub(in crate::dist) fn example(name: &str, needs: &[&str]) -> (String, Crate) {
        let version = "1.0.0".to_owned();
        let example = Crate {
            name: name.to_owned(),
            version: version.clone(),
            licence: "MIT OR Apache-2.0".to_owned(),
            is_foreign: true,
            authors: vec!["Some One".to_owned()],
            repository: None,
            dir: PathBuf::new(),
            needs: needs.iter().map(|need| format!("{need}@1.0.0")).collect(),
        };
        (format!("{name}@{version}"), example)
    }

    #[test]
    fn what_runs_is_there_and_what_only_tests_or_builds_is_not() {
        let crates = shipped().expect("crates");
        let has = |name: &str| crates.values().any(|known| known.name == name);
        for name in [
            "fakemon",
            "fakemon-board-virt",
            "kvm-ioctls",
            "rustix",
            "clap",
            "aarch64-cpu",
        ] {
            assert!(has(name), "{name}");
        }
        for name in [
            "proptest",
            "indicatif",
            "fakemon-launch",
            "cbindgen",
            "xtask",
            "chacha20",
        ] {
            assert!(!has(name), "{name}");
        }
        for (key, known) in &crates {
            for need in &known.needs {
                assert!(crates.contains_key(need), "{key} needs {need}");
            }
            assert!(!known.licence.is_empty(), "{key}");
        }
    }
}
