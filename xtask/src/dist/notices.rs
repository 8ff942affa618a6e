// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The notices that the licences of others ask for: who they are, and their texts, each once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::crates::{Crate, Crates};

/// How the names of files with such texts begin, in small letters.
const NAMES: [&str; 5] = ["licen", "copying", "copyright", "notice", "unlicense"];
/// What the compiler links into programs besides, which is no crate.
const TOOLCHAIN: &str = include_str!("../../templates/dist/toolchain.txt");
/// A line between the texts.
const RULE: &str =
    "--------------------------------------------------------------------------------";

/// All of them, as one text.
pub(super) fn text(crates: &Crates) -> Result<String> {
    let mut list =
        String::from("fakemon, its library and its blobs are built of these crates, too:\n\n");
    let mut texts: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (key, known) in crates.iter().filter(|(_, known)| known.is_foreign) {
        writeln!(list, "{}", line(known))?;
        for text in texts_of(&known.dir)? {
            texts.entry(text).or_default().insert(key);
        }
    }
    let mut all = format!("{list}\n{TOOLCHAIN}");
    // In the order of the first crate that has it.
    let mut texts: Vec<_> = texts.into_iter().map(|(text, of)| (of, text)).collect();
    texts.sort();
    for (of, text) in texts {
        let of: Vec<_> = of.into_iter().collect();
        write!(all, "\n{RULE}\n{}:\n\n{text}\n", of.join(", "))?;
    }
    Ok(all)
}

/// What is told of a crate.
fn line(known: &Crate) -> String {
    let mut line = format!("{} {}: {}", known.name, known.version, known.licence);
    if !known.authors.is_empty() {
        line += &format!("; {}", known.authors.join(", "));
    }
    if let Some(repository) = &known.repository {
        line += &format!("; {repository}");
    }
    line
}

/// The texts that lie beside a crate's sources.
fn texts_of(dir: &Path) -> Result<BTreeSet<String>> {
    let mut texts = BTreeSet::new();
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        if path.is_file() && NAMES.iter().any(|known| name.starts_with(known)) {
            let text = fs::read_to_string(&path);
            let text = text.with_context(|| format!("cannot read {}", path.display()))?;
            texts.insert(text.replace('\r', "").trim_end().to_owned());
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::crates::{self, tests::example};
    use crate::scratch::Scratch;

    #[test]
    fn a_text_that_several_crates_have_is_there_once() {
        let scratch = Scratch::new(&std::env::temp_dir()).expect("a directory");
        let mut all = Crates::new();
        for name in ["a", "b"] {
            let dir = scratch.path().join(name);
            fs::create_dir(&dir).expect("made");
            fs::write(dir.join("LICENSE-MIT"), "Do what you like.\n").expect("written");
            fs::write(dir.join("main.rs"), "fn main() {}").expect("written");
            let (key, mut known) = example(name, &[]);
            known.dir = dir;
            all.insert(key, known);
        }
        let text = text(&all).expect("notices");
        assert_eq!(text.matches("Do what you like.").count(), 1, "{text}");
        assert!(text.contains("a@1.0.0, b@1.0.0:\n"), "{text}");
        assert!(
            text.contains("a 1.0.0: MIT OR Apache-2.0; Some One\n"),
            "{text}"
        );
        assert!(!text.contains("fn main"), "{text}");
    }

    #[test]
    fn every_crate_of_others_has_a_text_or_one_of_the_same_licence_has() {
        let crates = crates::shipped().expect("crates");
        let foreign = || crates.values().filter(|known| known.is_foreign);
        let with: BTreeSet<&str> = foreign()
            .filter(|known| texts_of(&known.dir).is_ok_and(|texts| !texts.is_empty()))
            .map(|known| known.licence.as_str())
            .collect();
        for known in foreign() {
            assert!(with.contains(known.licence.as_str()), "{known:?}");
        }
    }
}
