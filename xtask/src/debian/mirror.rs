// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finds the machine's own Debian archives: the main one, and that of security updates.
//!
//! No mirror is named in this project: the machine knows one already. Both of apt's formats are
//! understood, the one-line `.list` and the deb822 `.sources`. Among all entries the main archive
//! is the one whose suite is a Debian release with component `main`; where several are, as some
//! third parties call their suites the same, Debian's own keyring or a path that ends in `debian`
//! tells. The archive of security updates is known by a suite such as `bookworm-security`; a machine
//! need not have it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Archive, Release};

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

/// Where the machine has Debian's archives from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mirror {
    main: Source,
    security: Option<Source>,
}

/// The address of an archive and what its signature is checked with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Source {
    uri: String,
    /// As apt reads it: a path, or a key block with its continuation lines; empty for the machine's
    /// trusted keys.
    signed_by: String,
    /// The user trusts it without a signature.
    trusted: bool,
}

impl Mirror {
    /// The archives that the machine installs its own packages from.
    pub(crate) fn of_machine(etc_apt: &Path) -> Result<Mirror> {
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
        Mirror::choose(texts.iter().map(|(deb822, text)| (*deb822, text.as_str()))).with_context(
            || {
                format!(
                    "no Debian archive among the apt sources in {}: add one, or give the files by \
                     path (see `cargo xtask setup --help`)",
                    etc_apt.display()
                )
            },
        )
    }

    /// Picks the archives out of source files, each marked whether it is in deb822 format.
    fn choose<'a>(files: impl Iterator<Item = (bool, &'a str)>) -> Option<Mirror> {
        let entries = files.flat_map(|(deb822, text)| match deb822 {
            true => parse_deb822(text),
            false => text.lines().filter_map(parse_line).collect(),
        });
        let entries: Vec<Entry> = entries.filter(Entry::is_usable).collect();
        let best = |is_wanted: fn(&Entry) -> bool| {
            // max_by_key takes the last of equals, and the first entry is the one meant.
            let wanted = entries.iter().rev().filter(|entry| is_wanted(entry));
            wanted
                .max_by_key(|entry| entry.likeness())
                .map(|entry| entry.source.clone())
        };
        Some(Mirror {
            main: best(Entry::is_debian)?,
            security: best(Entry::is_security),
        })
    }

    /// The address of an archive, with a slash at its end.
    pub(crate) fn uri(&self, archive: Archive) -> Option<String> {
        let source = match archive {
            Archive::Main => Some(&self.main),
            Archive::Security => self.security.as_ref(),
        };
        source.map(|source| format!("{}/", source.uri.trim_end_matches('/')))
    }

    /// The archive that an address is in, and its path there.
    pub(crate) fn place<'a>(&self, uri: &'a str) -> Option<(Archive, &'a str)> {
        let archives = [Archive::Main, Archive::Security].into_iter();
        // Where the address of one is the beginning of the other's, the longer is meant.
        let places =
            archives.filter_map(|archive| Some((archive, uri.strip_prefix(&self.uri(archive)?)?)));
        places.min_by_key(|(_, path)| path.len())
    }

    /// The source file of a private root for a release, in deb822.
    pub(crate) fn to_deb822(&self, release: Release) -> String {
        let name = release.name();
        if !release.is_stable() {
            return self.main.to_deb822(name);
        }
        let mut text = self.main.to_deb822(&format!("{name} {name}-updates"));
        if let Some(security) = &self.security {
            text.push('\n');
            text.push_str(&security.to_deb822(&format!("{name}-security")));
        }
        text
    }
}

impl Source {
    fn to_deb822(&self, suites: &str) -> String {
        let mut text = format!(
            "Types: deb\nURIs: {}\nSuites: {suites}\nComponents: main\n",
            self.uri
        );
        if !self.signed_by.is_empty() {
            text.push_str(&format!("Signed-By: {}\n", self.signed_by));
        }
        if self.trusted {
            text.push_str("Trusted: yes\n");
        }
        text
    }
}

/// One entry of a source file.
#[derive(Debug, Default)]
struct Entry {
    source: Source,
    suites: Vec<String>,
    components: Vec<String>,
}

impl Entry {
    fn is_usable(&self) -> bool {
        self.components.iter().any(|component| component == "main")
            && !self.source.uri.starts_with("cdrom:")
    }

    fn is_debian(&self) -> bool {
        self.suites
            .iter()
            .any(|suite| SUITES.contains(&suite.as_str()))
    }

    fn is_security(&self) -> bool {
        let releases = self.suites.iter().filter_map(|suite| {
            let release = suite.strip_suffix("-security");
            // As it was until Debian 10.
            release.or_else(|| suite.strip_suffix("/updates"))
        });
        releases
            .into_iter()
            .any(|release| SUITES.contains(&release))
    }

    fn likeness(&self) -> usize {
        let path = self.source.uri.trim_end_matches('/');
        usize::from(self.source.signed_by.contains("debian-archive"))
            + usize::from(path.ends_with("/debian"))
            + usize::from(path.ends_with("/debian-security"))
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
    let source = Source {
        uri,
        signed_by: field("signed-by").to_owned(),
        trusted: field("trusted") == "yes",
    };
    Some(Entry {
        source,
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
    let mut trusted = false;
    if let Some(options) = rest.strip_prefix('[') {
        let (options, after) = options.split_once(']')?;
        let option = options
            .split_whitespace()
            .find_map(|option| option.strip_prefix("signed-by="));
        signed_by = option.unwrap_or_default().to_owned();
        trusted = options
            .split_whitespace()
            .any(|option| option == "trusted=yes");
        rest = after;
    }
    let mut words = rest.split_whitespace().map(str::to_owned);
    let source = Source {
        uri: words.next()?,
        signed_by,
        trusted,
    };
    Some(Entry {
        source,
        suites: vec![words.next()?],
        components: words.collect(),
    })
}

#[cfg(test)]
mod tests;
