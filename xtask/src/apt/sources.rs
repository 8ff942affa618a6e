// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finds the machine's own Debian archive and derives the private root's one source from it.
//!
//! No mirror is named in this project: the machine knows one already. Both of apt's formats are
//! understood, the one-line `.list` and the deb822 `.sources`. Among all entries the main archive
//! is the one whose suite is a Debian release with component `main`; where several are, as some
//! third parties call their suites the same, Debian's own keyring or a path that ends in `debian`
//! tells.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// The release that all packages come from: the oldest one whose kernel has the SMCCC filter (Linux
/// 6.4).
pub(crate) const SUITE: &str = "trixie";

/// Suites under which a Debian archive offers itself.
const SUITES: &[&str] = &[
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "sid",
    "oldoldstable",
    "oldstable",
    "stable",
    "testing",
    "unstable",
];

/// An archive and what its signature is checked with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Archive {
    uri: String,
    /// As apt reads it: a path, or a key block with its continuation lines; empty for the machine's
    /// trusted keys.
    signed_by: String,
}

impl Archive {
    /// The archive that the machine installs its own packages from.
    pub(crate) fn of_machine(etc_apt: &Path) -> Result<Archive> {
        let mut texts = Vec::new();
        let parts = fs::read_dir(etc_apt.join("sources.list.d"));
        let parts = parts
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path());
        let mut paths: Vec<_> = parts.chain([etc_apt.join("sources.list")]).collect();
        paths.sort();
        for path in paths {
            let deb822 = match path.extension().and_then(|name| name.to_str()) {
                Some("sources") => true,
                Some("list") => false,
                _ => continue,
            };
            if let Ok(text) = fs::read_to_string(&path) {
                texts.push((deb822, text));
            }
        }
        Archive::choose(texts.iter().map(|(deb822, text)| (*deb822, text.as_str()))).with_context(
            || {
                format!(
                    "no Debian archive among the apt sources in {}: add one, or give the files by \
                     path (see `cargo xtask setup --help`)",
                    etc_apt.display()
                )
            },
        )
    }

    /// Picks the main archive out of source files, each marked whether it is in deb822 format.
    fn choose<'a>(files: impl Iterator<Item = (bool, &'a str)>) -> Option<Archive> {
        let entries = files.flat_map(|(deb822, text)| match deb822 {
            true => parse_deb822(text),
            false => text.lines().filter_map(parse_line).collect(),
        });
        // max_by_key takes the last of equals, and the first entry is the one meant.
        let mut entries: Vec<Entry> = entries.filter(Entry::is_debian).collect();
        entries.reverse();
        entries
            .into_iter()
            .max_by_key(Entry::likeness)
            .map(|entry| entry.archive)
    }

    /// The source file of the private root, in deb822.
    pub(crate) fn to_deb822(&self) -> String {
        let mut text = format!(
            "Types: deb\nURIs: {}\nSuites: {SUITE}\nComponents: main\n",
            self.uri
        );
        if !self.signed_by.is_empty() {
            text.push_str(&format!("Signed-By: {}\n", self.signed_by));
        }
        text
    }
}

/// One entry of a source file.
#[derive(Debug, Default)]
struct Entry {
    archive: Archive,
    suites: Vec<String>,
    components: Vec<String>,
}

impl Entry {
    fn is_debian(&self) -> bool {
        self.suites
            .iter()
            .any(|suite| SUITES.contains(&suite.as_str()))
            && self.components.iter().any(|component| component == "main")
            && !self.archive.uri.starts_with("cdrom:")
    }

    fn likeness(&self) -> usize {
        let path = self.archive.uri.trim_end_matches('/');
        usize::from(self.archive.signed_by.contains("debian-archive"))
            + usize::from(path.ends_with("/debian"))
    }
}

/// Parses the stanzas of a deb822 file that are enabled and offer binary packages.
fn parse_deb822(text: &str) -> Vec<Entry> {
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    lines
        .split(|line| line.trim().is_empty())
        .filter_map(parse_stanza)
        .collect()
}

fn parse_stanza(lines: &[&str]) -> Option<Entry> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in lines {
        if line.starts_with([' ', '\t']) {
            let (_, value) = fields.last_mut()?;
            value.push('\n');
            value.push_str(line);
        } else {
            let (name, value) = line.split_once(':')?;
            fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    let field = |wanted: &str| {
        let found = fields.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    let words = |text: &str| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let disabled = ["no", "false", "off", "0"].contains(&field("enabled"));
    if disabled || !words(field("types")).contains(&"deb".to_owned()) {
        return None;
    }
    let uri = words(field("uris")).into_iter().next()?;
    let archive = Archive {
        uri,
        signed_by: field("signed-by").to_owned(),
    };
    Some(Entry {
        archive,
        suites: words(field("suites")),
        components: words(field("components")),
    })
}

/// Parses a line such as `deb [signed-by=/a/key] scheme://host/debian bookworm main`.
fn parse_line(line: &str) -> Option<Entry> {
    let line = line.split('#').next()?.trim();
    let mut rest = line
        .strip_prefix("deb")
        .filter(|rest| rest.starts_with([' ', '\t', '[']))?
        .trim();
    let mut signed_by = String::new();
    if let Some(options) = rest.strip_prefix('[') {
        let (options, after) = options.split_once(']')?;
        let option = options
            .split_whitespace()
            .find_map(|option| option.strip_prefix("signed-by="));
        signed_by = option.unwrap_or_default().to_owned();
        rest = after;
    }
    let mut words = rest.split_whitespace().map(str::to_owned);
    let archive = Archive {
        uri: words.next()?,
        signed_by,
    };
    Some(Entry {
        archive,
        suites: vec![words.next()?],
        components: words.collect(),
    })
}

#[cfg(test)]
mod tests;
