// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `blob`: builds the boards' blobs, the same bytes wherever the checkout is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use fakemon_launch::assets;
use object::{Object, ObjectSegment};
use serde::Serialize;

use crate::cache::sha256;
use crate::cargo::Program;
use crate::{cargo, setup, workspace};

/// Build blobs.
#[derive(Debug, Args)]
pub(crate) struct Blob {
    /// The boards to build; all if none is named.
    #[arg(value_name = "BOARD")]
    boards: Vec<String>,
    /// Print an array of {board, path, size, sha256}.
    #[arg(long)]
    json: bool,
}

/// A blob that has been built.
#[derive(Debug, Serialize)]
pub(crate) struct Built {
    /// Its board.
    pub(crate) board: String,
    /// The ELF file.
    pub(crate) path: PathBuf,
    /// Bytes of text and initialised data.
    size: u64,
    sha256: String,
}

impl Blob {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let blobs = build(&self.boards)?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&blobs)?);
        } else {
            for blob in blobs {
                let path = blob.path.display();
                println!("{path}  {} bytes  sha256 {}", blob.size, blob.sha256);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Builds the blobs of the boards called `names`, or of all boards, into blobs/ of the target
/// directory.
pub(crate) fn build(names: &[String]) -> Result<Vec<Built>> {
    let mut boards: Vec<String> = match names {
        [] => workspace::boards()?
            .into_iter()
            .map(|board| board.name)
            .collect(),
        names => names
            .iter()
            .map(|name| Ok(workspace::board(name)?.name))
            .collect::<Result<_>>()?,
    };
    boards.sort();
    boards.dedup();
    setup::rust_targets()?;
    let packages: Vec<String> = (boards.iter())
        .map(|board| format!("fakemon-board-{board}"))
        .collect();
    let programs = programs(&format!("blobs: {}", boards.join(", ")), &packages)?;

    let dir = workspace::target().join("blobs");
    fs::create_dir_all(&dir)?;
    let mut built = Vec::new();
    for board in boards {
        let program = programs
            .iter()
            .find(|program| program.package_dir.ends_with(&board));
        let program = program.with_context(|| format!("board {board} builds no program"))?;
        let path = dir.join(format!("{board}.elf"));
        fs::copy(&program.path, &path)?;
        built.push(Built {
            size: image_size(&path)?,
            sha256: sha256(&path)?,
            board,
            path,
        });
    }
    Ok(built)
}

/// Builds the two blobs of tests/halves, in the order of [`assets::HALVES`].
pub(crate) fn halves() -> Result<Vec<PathBuf>> {
    let programs = programs("two blobs for one board", &["fakemon-halves".to_owned()])?;
    let path = |half: &&str| {
        let name = Path::new(half).file_stem();
        let program = programs
            .iter()
            .find(|program| program.path.file_stem() == name);
        let program = program.with_context(|| format!("tests/halves has no program for {half}"))?;
        Ok(program.path.clone())
    };
    assets::HALVES.iter().map(path).collect()
}

/// Builds the programs of some packages as blobs.
fn programs(what: &str, packages: &[String]) -> Result<Vec<Program>> {
    let mut command = cargo::cargo(&["build", "--profile", "blob", "--target", cargo::BARE]);
    for package in packages {
        command.args(["--package", package]);
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", remap_flags()?.join("\x1f"));
    cargo::build(what, &mut command)
}

/// Flags that replace every path of this machine in a program by one that is the same everywhere.
pub(crate) fn remap_flags() -> Result<Vec<String>> {
    let flag =
        |(from, to): &(PathBuf, String)| format!("--remap-path-prefix={}={to}", from.display());
    Ok(places()?.iter().map(flag).collect())
}

/// The places of this machine that a program could have in it, and what stands for each.
pub(crate) fn places() -> Result<Vec<(PathBuf, String)>> {
    let version = cargo::rustc(&["--version", "--verbose"])?;
    let commit = version
        .lines()
        .find_map(|line| line.strip_prefix("commit-hash: "));
    let library =
        Path::new(cargo::rustc(&["--print", "sysroot"])?.trim()).join("lib/rustlib/src/rust");

    // Of several matches the compiler takes the last.
    let mut map = vec![
        (workspace::root(), "/fakemon".to_owned()),
        (workspace::target(), "/target".to_owned()),
        (library, format!("/rustc/{}", commit.unwrap_or("unknown"))),
    ];
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    if let Some(home) = home {
        // A registry's directory is called after the mirror that it comes from.
        let registries = fs::read_dir(home.join("registry/src"))
            .into_iter()
            .flatten()
            .flatten();
        map.extend(registries.map(|registry| (registry.path(), "/registry".to_owned())));
    }
    Ok(map)
}

/// Bytes of text and initialised data: what the segments take from the file.
fn image_size(elf: &Path) -> Result<u64> {
    let content = fs::read(elf)?;
    let file = object::File::parse(content.as_slice())
        .with_context(|| format!("{} is no ELF file", elf.display()))?;
    Ok(file.segments().map(|segment| segment.file_range().1).sum())
}
