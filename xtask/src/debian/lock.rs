// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `debian.lock`: the files that each want means, committed with the checkout.
//!
//! One table for each want, one line for each file. It is made by `cargo xtask setup --update` and
//! read by everything that fetches.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::apt::is_image;
use super::{Archive, Choice, File, Want};
use crate::workspace;

const HEAD: &str = "\
# SPDX-License-Identifier: Apache-2.0 OR MIT
# The Debian packages that `cargo xtask` fetches, by version and hash.
# Made by `cargo xtask setup --update`, which moves them to what the archive has that day.
";

/// What is locked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lock {
    choices: BTreeMap<String, Choice>,
}

/// A table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    package: String,
    version: String,
    files: Vec<String>,
}

impl Lock {
    /// Reads the checkout's lock file; without one nothing is locked.
    pub(crate) fn read() -> Result<Lock> {
        let path = workspace::root().join("debian.lock");
        if !path.exists() {
            return Ok(Lock::default());
        }
        let text = fs::read_to_string(&path).context("cannot read debian.lock")?;
        Lock::parse(&text).context("debian.lock cannot be used: restore it from git")
    }

    /// Writes it to the checkout.
    pub(crate) fn write(&self) -> Result<()> {
        let path = workspace::root().join("debian.lock");
        fs::write(&path, self.to_text()).with_context(|| format!("cannot write {}", path.display()))
    }

    /// What is locked for `want`.
    pub(crate) fn find(&self, want: &Want) -> Option<&Choice> {
        self.choices.get(&want.to_string())
    }

    /// A locked kernel of an exact Linux version and a flavour.
    pub(crate) fn image(&self, linux: &str, flavour: &str) -> Option<&Choice> {
        let mut choices = self.choices.values();
        choices.find(|choice| is_image(&choice.package, linux, flavour))
    }

    /// Locks `choice` for `want`; returns what was locked before.
    pub(crate) fn set(&mut self, want: &Want, choice: Choice) -> Option<Choice> {
        self.choices.insert(want.to_string(), choice)
    }

    fn parse(text: &str) -> Result<Lock> {
        let tables: BTreeMap<String, Table> = toml::from_str(text)?;
        let mut choices = BTreeMap::new();
        for (want, table) in tables {
            let files: Result<Vec<File>> =
                table.files.iter().map(|line| parse_file(line)).collect();
            let files = files.with_context(|| format!("[{want:?}]"))?;
            ensure!(!files.is_empty(), "[{want:?}] has no files");
            let choice = Choice {
                package: table.package,
                version: table.version,
                files,
            };
            choices.insert(want, choice);
        }
        Ok(Lock { choices })
    }

    fn to_text(&self) -> String {
        let mut text = HEAD.to_owned();
        for (want, choice) in &self.choices {
            // None of these has a character that TOML would want escaped.
            let Choice {
                package,
                version,
                files,
            } = choice;
            let _ = write!(
                text,
                "\n[\"{want}\"]\npackage = \"{package}\"\nversion = \"{version}\"\nfiles = [\n"
            );
            for file in files {
                let (archive, sha256) = (file.archive.name(), &file.sha256);
                let _ = writeln!(
                    text,
                    "    \"{sha256} {size} {archive} {path}\",",
                    size = file.size,
                    path = file.path
                );
            }
            text.push_str("]\n");
        }
        text
    }
}

/// Parses `SHA256 SIZE ARCHIVE PATH`.
fn parse_file(line: &str) -> Result<File> {
    let mut words = line.split(' ');
    let mut word = |what: &str| {
        let found = words.next();
        found.with_context(|| format!("{line:?} has no {what}"))
    };
    let sha256 = word("hash")?.to_owned();
    let is_hash = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
    ensure!(is_hash, "{sha256:?} is not a SHA-256");
    let size = word("size")?;
    let size = size
        .parse()
        .with_context(|| format!("{size:?} is not a size"))?;
    let archive = match word("archive")? {
        "main" => Archive::Main,
        "security" => Archive::Security,
        other => anyhow::bail!("{other:?} is not an archive"),
    };
    let path = word("path")?.to_owned();
    // A path is joined to the address of the archive, and its last part to the cache's.
    let is_pool = path.starts_with("pool/") && !Path::new(&path).ends_with("..");
    ensure!(
        is_pool && path.ends_with(".deb"),
        "{path:?} is not a package"
    );
    Ok(File {
        archive,
        path,
        size,
        sha256,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> (Want, Choice) {
        let file = |name: &str, archive| File {
            archive,
            path: format!("pool/main/a/{name}%2b1_1.0-1_arm64.deb"),
            size: 93_443_312,
            sha256: "73805585385c78e048e63fdfba66da36bab724c2cdebd96a3055a8a4f1ae287a".to_owned(),
        };
        let choice = Choice {
            package: "a".to_owned(),
            version: "1:1.0-1".to_owned(),
            files: vec![file("a", Archive::Main), file("b", Archive::Security)],
        };
        (Want::alone("a", "arm64"), choice)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let (want, choice) = example();
        let mut lock = Lock::default();
        assert_eq!(lock.set(&want, choice.clone()), None);
        let read = Lock::parse(&lock.to_text()).expect("valid");
        assert_eq!(read, lock);
        assert_eq!(read.find(&want), Some(&choice));
        assert_eq!(read.find(&Want::alone("a", "armhf")), None);
    }

    #[test]
    fn a_lock_that_was_damaged_is_refused() {
        let (want, choice) = example();
        let mut lock = Lock::default();
        lock.set(&want, choice);
        let text = lock.to_text();
        let cases = [
            ("73805585", "7380558", "SHA-256"),
            ("93443312", "9344331x", "size"),
            (" main ", " other ", "archive"),
            (
                "pool/main/a/a%2b1_1.0-1_arm64.deb",
                "/etc/passwd",
                "package",
            ),
            ("version =", "versions =", "versions"),
        ];
        for (from, to, why) in cases {
            let error = Lock::parse(&text.replacen(from, to, 1)).expect_err(to);
            let error = format!("{error:#}");
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_files_name_is_as_dpkg_has_it() {
        let (_, choice) = example();
        assert_eq!(choice.files[0].name(), "a+1_1.0-1_arm64.deb");
        assert_eq!(choice.label(), "a_1.0-1");
    }
}
