// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The archive's lists of packages, read by the distribution's own client in a private root.
//!
//! apt runs with a configuration of ours: its state, its cache and its list of sources lie in the
//! cache directory, and its package database is empty. So it needs no root, changes nothing on the
//! machine, and resolves QEMU down to the C library. Hooks of the machine's configuration are left
//! out; how it reaches the network (proxies) is kept. apt checks the lists against the archive's
//! signature.
//!
//! Each release and architecture has a root of its own: the newest version in it is that release's,
//! only lists that are needed are fetched, and an archive that is being mirrored, whose lists do not
//! fit together, is in the way of none but its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::{Choice, Extent, Mirror, Missing, Want, download};
use crate::cache::Cache;
use crate::progress::Progress;

/// Lists that are younger are not fetched again.
const FRESH: Duration = Duration::from_secs(600);

/// A private root whose lists have just been fetched. Other runs wait for it.
#[derive(Debug)]
pub(crate) struct Apt {
    config: PathBuf,
    mirror: Mirror,
    /// What went wrong with some of the lists.
    doubts: Option<String>,
    _guard: File,
}

impl Apt {
    /// Fetches the lists for the release and architecture of `want`.
    pub(crate) fn open(cache: &Cache, mirror: Mirror, want: &Want) -> Result<Apt> {
        // Packages for all architectures are in every architecture's list.
        let arch = match want.arch.as_str() {
            "all" => "arm64",
            arch => arch,
        };
        let name = format!("{}-{arch}", want.release.name());
        let guard = cache.lock(&format!("apt-{name}"), "fetching lists of packages")?;
        let dir = cache.dir().join("apt").join(&name);
        download::check_space(cache.dir(), 1 << 28)?;
        for part in [
            "etc/sources.list.d",
            "etc/empty",
            "state/lists/partial",
            "cache/archives/partial",
        ] {
            let path = dir.join(part);
            fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        }
        let sources = mirror.to_deb822(want.release);
        fs::write(dir.join("etc/sources.list.d/debian.sources"), sources)?;
        fs::write(dir.join("status"), "")?;
        let config = dir.join("apt.conf");
        fs::write(&config, config_text(&dir, arch, &machine_network()?))?;
        let mut apt = Apt {
            config,
            mirror,
            doubts: None,
            _guard: guard,
        };
        // One command asks for several packages, and does not fetch the lists for each. The stamp
        // holds what went wrong, which is told if something is missed in the lists.
        let stamp = dir.join("fetched");
        let age = fs::metadata(&stamp).and_then(|data| data.modified());
        let age = age.ok().and_then(|time| time.elapsed().ok());
        let doubts = if age.is_some_and(|age| age < FRESH) {
            fs::read_to_string(&stamp)?
        } else {
            let progress = Progress::start(&format!("fetching the lists of {name}"));
            let updated = apt.output("apt-get", &["-qq", "update"]);
            let doubts = updated.err().map(|error| format!("{error:#}"));
            let doubts = doubts.unwrap_or_default();
            fs::write(&stamp, &doubts)?;
            progress.finish();
            doubts
        };
        apt.doubts = Some(doubts).filter(|doubts| !doubts.is_empty());
        Ok(apt)
    }

    /// The newest version of `want`.
    pub(crate) fn newest(&self, want: &Want) -> Result<Choice> {
        let newest = match want.extent {
            Extent::Alone => self.alone(&want.package, None),
            Extent::Kernel => self
                .image_of(&want.package)
                .and_then(|image| self.kernel(&image, None)),
            Extent::Closure => self.closure(&want.package),
        };
        newest.with_context(|| self.missing(want))
    }

    /// The files of exactly this choice, if the archive still has them.
    pub(crate) fn version(&self, want: &Want, choice: &Choice) -> Result<Option<Choice>> {
        let (package, version) = (&choice.package, Some(choice.version.as_str()));
        let known = self.versions(package)?;
        if !known.contains(&choice.version) {
            return Ok(None);
        }
        let found = match want.extent {
            Extent::Alone => self.alone(package, version)?,
            Extent::Kernel => self.kernel(package, version)?,
            Extent::Closure => self.closure(package)?,
        };
        // The same versions under other hashes would be something else.
        let hashes = |choice: &Choice| -> Vec<String> {
            let mut hashes: Vec<_> = choice.files.iter().map(|f| f.sha256.clone()).collect();
            hashes.sort();
            hashes
        };
        Ok((hashes(&found) == hashes(choice)).then_some(found))
    }

    /// Every version of a package that the lists have, newest first.
    pub(crate) fn versions(&self, package: &str) -> Result<Vec<String>> {
        let text = self.output("apt-cache", &["madison", package])?;
        let mut versions: Vec<String> = Vec::new();
        for line in text.lines() {
            // package | version | where from
            let version = line.split('|').nth(1).unwrap_or_default().trim();
            if !version.is_empty() && !versions.iter().any(|known| known == version) {
                versions.push(version.to_owned());
            }
        }
        Ok(versions)
    }

    /// One version of a package by itself, the newest if none is named.
    pub(crate) fn alone(&self, package: &str, version: Option<&str>) -> Result<Choice> {
        self.files_of(&[package.to_owned()], version)
    }

    /// The kernel that an exact Linux version such as `6.12.107` has in this release.
    pub(crate) fn image_of_version(&self, linux: &str, flavour: &str) -> Result<Choice> {
        let prefix = format!("linux-image-{linux}");
        let text = self.output("apt-cache", &["pkgnames", &prefix])?;
        let mut names: Vec<&str> = text.lines().collect();
        names.retain(|name| is_image(name, linux, flavour));
        names.sort_unstable();
        let name = names.first().with_context(|| {
            let doubts = self.doubts.as_deref().unwrap_or("its lists are complete");
            format!("the archive has no Linux {linux} for {flavour} ({doubts})")
        })?;
        self.kernel(name, None)
    }

    /// The package that a meta package such as `linux-image-arm64` stands for; an exact one is its
    /// own answer.
    fn image_of(&self, package: &str) -> Result<String> {
        let image = self.needs(package)?.into_iter().find(|name| {
            let version = name.strip_prefix("linux-image-").unwrap_or_default();
            version.starts_with(|first: char| first.is_ascii_digit())
        });
        Ok(image.unwrap_or_else(|| package.to_owned()))
    }

    /// A kernel: its image and, where Debian has split it, its base, binary and modules.
    fn kernel(&self, image: &str, version: Option<&str>) -> Result<Choice> {
        let suffix = image.trim_start_matches("linux-image");
        let mut packages = vec![image.to_owned()];
        packages.extend(
            self.needs(image)?.into_iter().filter(|name| {
                name.starts_with("linux-") && name.ends_with(suffix) && *name != image
            }),
        );
        self.files_of(&packages, version)
    }

    /// A package and everything that it depends on.
    fn closure(&self, package: &str) -> Result<Choice> {
        let install = ["-qq", "install", "--print-uris", "-y", package];
        self.choice(package, &self.output("apt-get", &install)?)
    }

    /// What a package depends on.
    fn needs(&self, package: &str) -> Result<Vec<String>> {
        let text = self.output("apt-cache", &["depends", "--important", package])?;
        let needs = text.lines().filter_map(|line| {
            let name = line.trim().strip_prefix("Depends: ")?;
            Some(name.split(':').next().unwrap_or(name).to_owned())
        });
        Ok(needs.collect())
    }

    /// Packages by themselves; the first one gives the choice its name and version.
    fn files_of(&self, packages: &[String], version: Option<&str>) -> Result<Choice> {
        let mut arguments = vec!["-qq".to_owned(), "download".into(), "--print-uris".into()];
        arguments.extend(packages.iter().map(|package| match version {
            Some(version) => format!("{package}={version}"),
            None => package.clone(),
        }));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.choice(&packages[0], &self.output("apt-get", &arguments)?)
    }

    /// Reads the files off what `--print-uris` prints.
    fn choice(&self, package: &str, uris: &str) -> Result<Choice> {
        let mut files = Vec::new();
        let mut version = None;
        for line in uris.lines().filter(|line| line.starts_with('\'')) {
            let (name, file) = parse_uri(&self.mirror, line)
                .with_context(|| format!("apt-get printed what is not understood: {line}"))?;
            if let Some(rest) = name.strip_prefix(&format!("{package}_")) {
                version = rest.split('_').next().map(|text| text.replace("%3a", ":"));
            }
            files.push(file);
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Choice {
            package: package.to_owned(),
            version: version.context("the lists do not have it")?,
            files,
        })
    }

    fn missing(&self, want: &Want) -> Missing {
        Missing(match &self.doubts {
            Some(doubts) => {
                format!("the archive's lists, which are not whole now ({doubts}), have no {want}")
            }
            None => format!("the archive has no {want}"),
        })
    }

    fn output(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let output = Command::new(program)
            .args(arguments)
            .env("APT_CONFIG", &self.config)
            .env("LC_ALL", "C.UTF-8")
            .output()
            .with_context(|| format!("cannot start {program}"))?;
        if !output.status.success() {
            let messages = String::from_utf8_lossy(&output.stderr);
            let error = messages.lines().find_map(|line| line.strip_prefix("E: "));
            bail!(
                "{program}: {}",
                error.unwrap_or("it failed without a message")
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Tells whether a package is the signed image of this Linux version and flavour.
pub(super) fn is_image(name: &str, linux: &str, flavour: &str) -> bool {
    let rest = name
        .strip_prefix("linux-image-")
        .and_then(|name| name.strip_prefix(linux));
    let Some(build) = rest.and_then(|rest| rest.strip_suffix(flavour)) else {
        return false;
    };
    // `+deb13-`, and not the beginning of a longer flavour or the end of a longer version.
    let is_longer = build.starts_with(|next: char| next == '.' || next.is_ascii_digit());
    build.ends_with('-') && build.matches('-').count() == 1 && !is_longer
}

/// Parses `'URI' NAME SIZE HASH` into the name as apt has it and the file.
fn parse_uri(mirror: &Mirror, line: &str) -> Option<(String, super::File)> {
    let (uri, rest) = line.strip_prefix('\'')?.split_once("' ")?;
    let mut words = rest.split(' ');
    let (name, size, hash) = (words.next()?, words.next()?, words.next()?);
    let (archive, path) = mirror.place(uri)?;
    let file = super::File {
        archive,
        path: path.to_owned(),
        size: size.parse().ok()?,
        sha256: hash.strip_prefix("SHA256:")?.to_owned(),
    };
    Some((name.to_owned(), file))
}

/// How the machine's own apt reaches the network, as lines of configuration.
pub(super) fn machine_network() -> Result<String> {
    let dump = Command::new("apt-config").arg("dump").output();
    let dump = dump.ok().filter(|dump| dump.status.success());
    ensure!(
        dump.is_some(),
        "there is no apt here to fetch packages with: give the files by path (see `cargo xtask setup --help`)"
    );
    let dump = dump.map(|dump| dump.stdout).unwrap_or_default();
    let dump = String::from_utf8_lossy(&dump);
    let network = dump
        .lines()
        .filter(|line| line.starts_with("Acquire::http"));
    Ok(network.map(|line| format!("{line}\n")).collect())
}

fn config_text(dir: &Path, arch: &str, network: &str) -> String {
    let dir = dir.display();
    format!(
        r#"{network}Dir::State "{dir}/state";
Dir::State::status "{dir}/status";
Dir::Cache "{dir}/cache";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "{dir}/etc/empty";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "{dir}/etc/sources.list.d";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "{dir}/etc/empty";
APT::Architecture "{arch}";
APT::Architectures {{ "{arch}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
APT::Get::List-Cleanup "true";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Acquire::ForceHash "SHA256";
Acquire::Retries "2";
Debug::NoLocking "true";
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_version_has_one_image() {
        let is_arm64 = |name| is_image(name, "6.12.10", "arm64");
        assert!(is_arm64("linux-image-6.12.10+deb13-arm64"));
        for other in [
            "linux-image-6.12.10+deb13-cloud-arm64",
            "linux-image-6.12.10+deb13-arm64-unsigned",
            "linux-image-6.12.107+deb13-arm64",
            "linux-image-arm64",
        ] {
            assert!(!is_arm64(other), "{other}");
        }
    }
}
