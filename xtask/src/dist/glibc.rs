// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which versions of the system's libraries a library needs, by the versions of the symbols that it uses.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use object::Endianness;
use object::elf::FileHeader64;
use object::read::elf::FileHeader;

/// The oldest C library that a host with KVM's SMCCC filter (Linux 6.4) can be expected to have: Debian 12's,
/// Ubuntu 22.04's and RHEL 9's are no older.
const OLDEST: [u32; 2] = [2, 34];
/// The versions of symbols by library: the prefix of their names.
const VERSIONED: [(&str, &str); 3] = [
    ("libc.so.6", "GLIBC_"),
    ("ld-linux-aarch64.so.1", "GLIBC_"),
    ("libgcc_s.so.1", "GCC_"),
];

/// The versions that are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Needs {
    /// The C library's.
    pub(super) libc: String,
    /// That of the compiler's support library.
    pub(super) gcc: String,
}

impl Needs {
    /// What the library in `file` needs.
    pub(super) fn of_library(file: &Path) -> Result<Needs> {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let versions = versions(&bytes);
        let versions = versions.with_context(|| format!("{} is no library", file.display()))?;
        let needs = Needs::of(&versions);
        needs.with_context(|| format!("{} cannot go to users", file.display()))
    }

    /// What these versions of symbols come to.
    fn of(versions: &[(String, String)]) -> Result<Needs> {
        let mut newest = BTreeMap::from([("GLIBC_", vec![0]), ("GCC_", vec![0])]);
        for (library, version) in versions {
            let known = VERSIONED.iter().find(|(name, _)| name == library);
            let Some((prefix, number)) =
                known.and_then(|(_, prefix)| Some((*prefix, version.strip_prefix(prefix)?)))
            else {
                bail!("it needs {version} of {library}, which no package of ours asks for");
            };
            let parts = number.split('.').map(str::parse);
            let parts: Vec<u32> = parts
                .collect::<Result<_, _>>()
                .with_context(|| format!("{version} of {library} is no number"))?;
            let newest = newest.entry(prefix).or_default();
            if parts > *newest {
                *newest = parts;
            }
        }
        ensure!(
            newest["GLIBC_"].as_slice() <= OLDEST.as_slice(),
            "it needs the C library in version {}, and hosts may have {}",
            dotted(&newest["GLIBC_"]),
            dotted(&OLDEST)
        );
        Ok(Needs {
            libc: dotted(&newest["GLIBC_"]),
            gcc: dotted(&newest["GCC_"]),
        })
    }
}

fn dotted(version: &[u32]) -> String {
    let parts: Vec<_> = version.iter().map(u32::to_string).collect();
    parts.join(".")
}

/// The versions of symbols that a library wants, each with the library that it wants it of.
fn versions(bytes: &[u8]) -> object::read::Result<Vec<(String, String)>> {
    let header = FileHeader64::<Endianness>::parse(bytes)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, bytes)?;
    let Some((mut needed, strings)) = sections.gnu_verneed(endian, bytes)? else {
        return Ok(Vec::new());
    };
    let strings = sections.strings(endian, bytes, strings)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut versions = Vec::new();
    while let Some((library, mut names)) = needed.next()? {
        let library = text(library.file(endian, strings)?);
        while let Some(name) = names.next()? {
            versions.push((library.clone(), text(name.name(endian, strings)?)));
        }
    }
    Ok(versions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(versions: &[(&str, &str)]) -> Result<Needs> {
        let owned = |&(library, version): &(&str, &str)| (library.to_owned(), version.to_owned());
        Needs::of(&versions.iter().map(owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_newest_version_counts_and_as_a_number() {
        let needs = needs(&[
            ("libc.so.6", "GLIBC_2.4"),
            ("libc.so.6", "GLIBC_2.17"),
            ("ld-linux-aarch64.so.1", "GLIBC_2.3"),
            ("libgcc_s.so.1", "GCC_3.3"),
            ("libgcc_s.so.1", "GCC_3.0"),
        ]);
        let needs = needs.expect("old enough");
        assert_eq!((needs.libc.as_str(), needs.gcc.as_str()), ("2.17", "3.3"));
    }

    #[test]
    fn what_hosts_may_not_have_is_refused() {
        for (library, version) in [
            ("libc.so.6", "GLIBC_2.35"),
            ("libc.so.6", "GLIBC_PRIVATE"),
            ("libm.so.6", "GLIBC_2.17"),
        ] {
            let error = needs(&[(library, version)]).expect_err(version);
            assert!(error.to_string().contains("2.35") || error.to_string().contains(library));
        }
    }

    #[test]
    fn a_program_of_this_machine_has_versions_too() {
        let own = std::env::current_exe().expect("this program");
        let versions = versions(&fs::read(own).expect("read")).expect("a program");
        assert!(
            versions
                .iter()
                .any(|(_, version)| version.starts_with("GLIBC_2."))
        );
    }
}
