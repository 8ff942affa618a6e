// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Debian packages: which ones, in which versions, and how they come here.
//!
//! What a command fetches is a [`Want`]: a package of a release, alone or with what it needs. Which
//! files that means is written in `debian.lock`, with the hash of each, as Cargo.lock does it for
//! crates. So the same checkout works with the same packages as long as the archive has them:
//!
//! 1. The locked files are fetched from the pool of the machine's own archive. Their hashes are
//!    known, so no list of packages is needed, and none is fetched.
//! 2. What has left the pool is looked up in the lists, in which another archive may still have it.
//! 3. If nobody has it any more, the newest version is taken, and one line says so.
//!
//! Everything is checked by hash and kept in the cache under its own name, versions side by side.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::cache::Cache;

mod apt;
mod download;
mod lock;
mod mirror;
mod unpack;

pub(crate) use apt::Apt;
pub(crate) use download::check_space;
pub(crate) use lock::Lock;
use mirror::Mirror;
pub(crate) use unpack::unpack;

/// A Debian release that packages come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Release {
    /// Debian 12.
    Bookworm,
    /// Debian 13, the oldest whose kernel has KVM's SMCCC filter (Linux 6.4).
    Trixie,
    /// Newer software for Debian 13.
    TrixieBackports,
}

impl Release {
    /// The name of its suite in the archive.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Release::Bookworm => "bookworm",
            Release::Trixie => "trixie",
            Release::TrixieBackports => "trixie-backports",
        }
    }

    /// Tells whether it has updates between its point releases, and an archive of security updates.
    fn is_stable(self) -> bool {
        self != Release::TrixieBackports
    }
}

/// What is fetched together with a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Extent {
    /// Nothing.
    Alone,
    /// The parts of a kernel. A meta package stands for the kernel that it depends on.
    Kernel,
    /// Everything that it depends on, as for a machine that has nothing.
    Closure,
}

/// A package that this project uses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Want {
    /// Where from.
    pub(crate) release: Release,
    /// Its name.
    pub(crate) package: String,
    /// Its architecture, or `all`.
    pub(crate) arch: String,
    /// With what.
    pub(crate) extent: Extent,
}

impl Want {
    /// A package of Debian 13 that is used without others.
    pub(crate) fn alone(package: &str, arch: &str) -> Want {
        Want {
            release: Release::Trixie,
            package: package.to_owned(),
            arch: arch.to_owned(),
            extent: Extent::Alone,
        }
    }
}

impl fmt::Display for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.release.name(), self.package, self.arch)
    }
}

/// One of Debian's archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Archive {
    /// The main one.
    Main,
    /// The one of security updates.
    Security,
}

impl Archive {
    fn name(self) -> &'static str {
        match self {
            Archive::Main => "main",
            Archive::Security => "security",
        }
    }
}

/// A package file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// Which archive has it.
    pub(crate) archive: Archive,
    /// Its path there.
    pub(crate) path: String,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Its SHA-256 in hexadecimal.
    pub(crate) sha256: String,
}

impl File {
    /// Its name without the directory: package, version and architecture.
    pub(crate) fn name(&self) -> String {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        // The archive escapes in paths what URIs do not take, `+` above all.
        name.replace("%2b", "+")
            .replace("%7e", "~")
            .replace("%3a", ":")
    }
}

/// The files that a want means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The package, after meta packages have been resolved.
    pub(crate) package: String,
    /// Its version.
    pub(crate) version: String,
    /// It and what comes with it.
    pub(crate) files: Vec<File>,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.package, self.version)
    }
}

impl Choice {
    /// Names it for what is made from it: its package, version and the hashes of its files.
    pub(crate) fn identity(&self) -> String {
        let hashes = self.files.iter().map(|file| file.sha256.as_str());
        let hashes = hashes.collect::<Vec<_>>().join(" ");
        format!("{self} {hashes}")
    }

    /// Its package and version as part of a file's name.
    pub(crate) fn label(&self) -> String {
        let version = self.version.split_once(':');
        let version = version.map_or(self.version.as_str(), |(_, version)| version);
        format!("{}_{version}", self.package)
    }
}

/// No archive has what is wanted.
#[derive(Debug)]
pub(crate) struct Missing(String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Packages on this machine.
#[derive(Debug)]
pub(crate) struct Packages {
    cache: Cache,
    lock: Lock,
    /// Where from, if it is not where the machine has its own from.
    mirror: Option<Mirror>,
    newest: bool,
}

impl Packages {
    /// Those that the checkout has locked or, `newest`, those that the archive has today.
    pub(crate) fn new(cache: Cache, newest: bool) -> Result<Packages> {
        Ok(Packages {
            cache,
            lock: Lock::read()?,
            mirror: None,
            newest,
        })
    }

    /// Takes no notice of what is locked from now on.
    pub(crate) fn take_newest(&mut self) {
        self.newest = true;
    }

    /// What the checkout has locked for `want`.
    pub(crate) fn locked(&self, want: &Want) -> Option<&Choice> {
        self.lock.find(want)
    }

    /// Which files `want` means. They need not be here yet.
    pub(crate) fn choose(&self, want: &Want) -> Result<Choice> {
        match self.lock.find(want) {
            Some(locked) if !self.newest => Ok(locked.clone()),
            _ => {
                let choice = self.lists(want)?.newest(want)?;
                if !self.newest {
                    eprintln!("{want} is not in debian.lock: taking {choice}");
                }
                Ok(choice)
            }
        }
    }

    /// The kernel of an exact Linux version such as `6.12.107`, of the flavour that `want` names.
    pub(crate) fn choose_version(&self, linux: &str, want: &Want) -> Result<Choice> {
        let flavour = want.package.trim_start_matches("linux-image-");
        if let Some(locked) = self.lock.image(linux, flavour) {
            return Ok(locked.clone());
        }
        self.lists(want)?.image_of_version(linux, flavour)
    }

    /// The files of `want`, fetched if they are not here. Which ones that are comes with them, for
    /// it is what the archive still has.
    pub(crate) fn fetch(&self, want: &Want) -> Result<(Choice, Vec<PathBuf>)> {
        let choice = self.choose(want)?;
        let error = match self.fetch_choice(&choice) {
            Ok(paths) => return Ok((choice, paths)),
            Err(error) => error,
        };
        ensure!(!self.newest && !download::is_local(&error), error);
        // The lists tell whether it is gone or only out of reach for the moment.
        let apt = self.lists(want).map_err(|_| error)?;
        let newest = apt.newest(want)?;
        let other = match apt.version(want, &choice)? {
            Some(same) => same,
            None => {
                eprintln!("{choice} of debian.lock has left the archive: taking {newest}");
                newest
            }
        };
        // Others may read the lists while this is under way.
        drop(apt);
        let paths = download::with_retries(|| self.fetch_choice(&other))?;
        Ok((other, paths))
    }

    /// Fetches exactly this.
    pub(crate) fn fetch_choice(&self, choice: &Choice) -> Result<Vec<PathBuf>> {
        download::fetch(&self.cache, || self.mirror(), choice)
    }

    /// The archive's lists for the release and architecture of `want`.
    pub(crate) fn lists(&self, want: &Want) -> Result<Apt> {
        Apt::open(&self.cache, self.mirror()?, want)
    }

    /// Moves the lock for `want` to the newest version; returns what was and what is locked.
    pub(crate) fn update(&mut self, want: &Want) -> Result<(Option<Choice>, Choice)> {
        let newest = self.lists(want)?.newest(want)?;
        Ok((self.lock.set(want, newest.clone()), newest))
    }

    /// Writes the lock to the checkout.
    pub(crate) fn write_lock(&self) -> Result<()> {
        self.lock.write()
    }

    fn mirror(&self) -> Result<Mirror> {
        match &self.mirror {
            Some(mirror) => Ok(mirror.clone()),
            None => Mirror::of_machine(Path::new("/etc/apt")),
        }
    }

    /// Removes the files of a choice from this machine.
    pub(crate) fn forget(&self, choice: &Choice) -> Result<()> {
        download::remove(&self.cache, choice)
    }

    /// The cache that they are in.
    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }
}

#[cfg(test)]
mod tests;
