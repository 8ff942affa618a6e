// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `new-board`: makes a directory for a new board that builds and passes its own test.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::usage::Usage;
use crate::workspace;

/// The files of a board, with `@NAME@`, `@CRATE@` and `@TYPE@` where its name goes.
const TEMPLATE: &[(&str, &str)] = &[
    (
        "Cargo.toml",
        include_str!("../templates/board/Cargo.toml.in"),
    ),
    (
        "board.toml",
        include_str!("../templates/board/board.toml.in"),
    ),
    ("build.rs", include_str!("../templates/board/build.rs.in")),
    ("src/lib.rs", include_str!("../templates/board/lib.rs.in")),
    ("src/main.rs", include_str!("../templates/board/main.rs.in")),
    (
        "src/tests.rs",
        include_str!("../templates/board/tests.rs.in"),
    ),
    ("README.md", include_str!("../templates/board/README.md.in")),
    (
        "golden.trace",
        include_str!("../templates/board/golden.trace.in"),
    ),
];

/// The ELF note has room for this many bytes of a name.
const LONGEST: usize = 31;

/// Make a new board that builds and passes its own test.
#[derive(Debug, Args)]
pub(crate) struct NewBoard {
    /// Its name: small letters, digits and hyphens.
    name: String,
}

impl NewBoard {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let name = &self.name;
        if !is_name(name) {
            let message = format!(
                "{name:?} is no name for a board: use up to {LONGEST} small letters, digits and \
                 hyphens, with a letter in front"
            );
            return Err(Usage(message).into());
        }
        let dir = workspace::board_dir(name);
        if dir.exists() {
            let message = format!("{} is there already: choose another name", dir.display());
            return Err(Usage(message).into());
        }
        for (file, text) in TEMPLATE {
            let path = dir.join(file);
            fs::create_dir_all(path.parent().unwrap_or(&dir))?;
            fs::write(&path, fill(text, name))
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        println!(
            "made boards/{name}, which answers PSCI, TRNG and one call of its own; now\n\
             - say in board.toml what the board is, which calls it claims and what machine it has\n\
             - write its calls in src/lib.rs and their tests in src/tests.rs\n\
             - test them with `cargo test --package fakemon-board-{name}`\n\
             - boot it with `cargo xtask run --board {name}`, then `cargo xtask test {name}`\n\
             - add it to the list: `cargo xtask boards --markdown >docs/boards.md`\n\
             docs/adding-a-board.md tells more"
        );
        Ok(ExitCode::SUCCESS)
    }
}

fn is_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.len() <= LONGEST
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && !name.contains("--")
        && name.bytes().all(letter)
}

fn fill(text: &str, name: &str) -> String {
    text.replace("@NAME@", name)
        .replace("@CRATE@", &name.replace('-', "_"))
        .replace("@TYPE@", &type_name(name))
}

/// The Rust type of a board: `imx8-mq` is `Imx8Mq`.
fn type_name(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at(1.min(word.len()));
        first.to_uppercase() + rest
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use fakemon_manifest::Board;

    use super::*;

    #[test]
    fn names_that_cargo_or_the_note_would_refuse_are_refused() {
        for good in ["virt", "imx8mq", "a-b", "x86-64"] {
            assert!(is_name(good), "{good}");
        }
        let long = "a".repeat(32);
        for bad in [
            "", "-a", "a-", "a--b", "8a", "A", "a_b", "a/b", "..", "ä", &long,
        ] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn a_types_name_follows_from_the_boards() {
        assert_eq!(type_name("virt"), "Virt");
        assert_eq!(type_name("imx8-mq"), "Imx8Mq");
    }

    #[test]
    fn the_template_is_a_valid_board() {
        for (file, text) in TEMPLATE {
            let filled = fill(text, "some-board");
            assert!(!filled.contains('@'), "{file} has a gap left");
            if *file == "board.toml" {
                let board = Board::parse(&filled, "some-board").expect("a board");
                assert_eq!(board.name, "some-board");
            }
        }
    }
}
