// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Manual pages and completions, made of the command line's own description.

use anyhow::Result;
use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use fakemon::cli::Cli;

use super::tree::{Tree, gzip};

/// The program.
const NAME: &str = "fakemon";
/// What a page is of.
const SOURCE: &str = concat!("fakemon ", env!("CARGO_PKG_VERSION"));
/// Where each shell looks for completions.
const COMPLETIONS: [(Shell, &str); 3] = [
    (Shell::Bash, "share/bash-completion/completions/fakemon"),
    (Shell::Fish, "share/fish/vendor_completions.d/fakemon.fish"),
    (Shell::Zsh, "share/zsh/vendor-completions/_fakemon"),
];

/// Adds all of them.
pub(super) fn add(tree: &mut Tree) -> Result<()> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    for (name, page) in manual(&command)? {
        tree.add(&format!("share/man/man1/{name}.gz"), gzip(&page)?);
    }
    for (shell, path) in COMPLETIONS {
        let mut script = Vec::new();
        generate(shell, &mut command, NAME, &mut script);
        tree.add(path, script);
    }
    Ok(())
}

/// The page of the program, and those of its subcommands, by the files' names.
fn manual(command: &Command) -> Result<Vec<(String, Vec<u8>)>> {
    let mut pages = Vec::new();
    for command in std::iter::once(command).chain(command.get_subcommands()) {
        let man = Man::new(command.clone())
            .manual("Fake Monitor")
            .source(SOURCE);
        let mut page = Vec::new();
        man.render(&mut page)?;
        pages.push((man.get_filename(), page));
    }
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_the_program_and_each_subcommand() {
        let mut tree = Tree::default();
        add(&mut tree).expect("added");
        let paths: Vec<_> = tree.files().map(|(path, _)| path).collect();
        for page in [
            "fakemon",
            "fakemon-attach",
            "fakemon-boards",
            "fakemon-check",
            "fakemon-run",
        ] {
            let path = format!("share/man/man1/{page}.1.gz");
            assert!(paths.contains(&path.as_str()), "{paths:?}");
        }
    }

    #[test]
    fn pages_and_completions_have_the_options() {
        let mut command = Cli::command();
        command.build();
        let pages = manual(&command).expect("rendered");
        let run = pages.iter().find(|(name, _)| name == "fakemon-run.1");
        let run = String::from_utf8_lossy(&run.expect("the page of run").1);
        assert!(
            run.contains("\\-\\-kernel") && run.contains("fakemon\\-run"),
            "{run}"
        );
        let mut tree = Tree::default();
        add(&mut tree).expect("added");
        for (_, path) in COMPLETIONS {
            let file = tree.files().find(|(there, _)| *there == path);
            let script = String::from_utf8_lossy(file.expect(path).1).into_owned();
            assert!(script.contains("initrd") && script.contains(NAME), "{path}");
        }
    }
}
