// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Debian packages, fetched by the distribution's own client into a private root.
//!
//! apt runs with a configuration of ours: its state, its cache and its list of sources lie in the
//! cache directory, its package database is empty, and it knows the foreign architectures. So it
//! needs no root, changes nothing on the machine, and resolves QEMU down to the C library. Hooks of
//! the machine's configuration are left out; how it reaches the network (proxies) is kept. apt
//! checks what it downloads against the archive's signature.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::statvfs::statvfs;

use crate::progress::Progress;

mod sources;

pub(crate) use sources::Archive;

/// How often a download is tried; archives that are being mirrored give wrong sizes for a while.
const TRIES: u32 = 4;
/// Bytes that lists, packages and their unpacked content take at most while setup works.
const SPACE: u64 = 1 << 30;
/// After this time without a byte apt-get is stuck, which a full disk can do to it.
const STALL: Duration = Duration::from_secs(120);
/// The pause after the first try that failed; each further one is longer by the same time.
const PAUSE: Duration = Duration::from_secs(5);

/// A private apt root.
#[derive(Debug)]
pub(crate) struct Apt {
    config: PathBuf,
    cache: PathBuf,
}

impl Apt {
    /// Makes the root in `dir` and fetches the lists of packages.
    pub(crate) fn open(dir: &Path) -> Result<Apt> {
        let found = Command::new("apt-get").arg("--version").output();
        ensure!(
            found.is_ok_and(|output| output.status.success()),
            "there is no apt here to fetch packages with: give the files by path (see `cargo xtask setup --help`)"
        );
        check_space(dir, SPACE)?;
        for part in [
            "etc/sources.list.d",
            "etc/empty",
            "state/lists/partial",
            "cache/archives/partial",
        ] {
            let path = dir.join(part);
            fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        }
        let archive = Archive::of_machine(Path::new("/etc/apt"))?;
        fs::write(
            dir.join("etc/sources.list.d/debian.sources"),
            archive.to_deb822(),
        )?;
        fs::write(dir.join("status"), "")?;
        let config = dir.join("apt.conf");
        fs::write(&config, config_text(dir, &machine_network()?))?;
        let apt = Apt {
            config,
            cache: dir.join("cache"),
        };
        apt.retry("package lists", |apt, progress| {
            apt.get(&["update"], None, progress)
        })?;
        Ok(apt)
    }

    /// The package that a meta package such as `linux-image-arm64` stands for; an exact one is its
    /// own answer.
    pub(crate) fn resolve_kernel(&self, package: &str, arch: &str) -> Result<String> {
        let name = format!("{package}:{arch}");
        let output = self
            .command("apt-cache")
            .args(["depends", "--important", &name])
            .output()?;
        let known = output.status.success() && !output.stdout.is_empty();
        ensure!(
            known,
            "the Debian archive has no package {name}: correct `kernel` in board.toml"
        );
        let text = String::from_utf8_lossy(&output.stdout);
        let image = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("Depends: linux-image-"));
        Ok(match image {
            Some(image) => {
                let image = image.split(':').next().unwrap_or(image);
                format!("linux-image-{image}")
            }
            None => package.to_owned(),
        })
    }

    /// Downloads one package without what it depends on.
    pub(crate) fn download(&self, package: &str, arch: &str) -> Result<Vec<PathBuf>> {
        let name = format!("{package}:{arch}");
        self.collect(&name, |apt, progress| {
            apt.get(&["download", &name], Some(&apt.archives()), progress)
        })
    }

    /// Downloads one package and everything that it depends on, as for a machine that has nothing.
    pub(crate) fn download_closure(&self, package: &str, arch: &str) -> Result<Vec<PathBuf>> {
        let name = format!("{package}:{arch}");
        let install = [
            "install",
            "--download-only",
            "--no-install-recommends",
            "-y",
            &name,
        ];
        self.collect(&name, |apt, progress| apt.get(&install, None, progress))
    }

    /// Removes the packages that were downloaded.
    pub(crate) fn clean(&self) -> Result<()> {
        for package in self.packages()? {
            fs::remove_file(package)?;
        }
        Ok(())
    }

    /// Runs a download into the emptied archive directory and lists what it left there.
    fn collect(
        &self,
        what: &str,
        download: impl Fn(&Apt, &Progress) -> Result<()>,
    ) -> Result<Vec<PathBuf>> {
        self.clean()?;
        self.retry(what, download)?;
        let packages = self.packages()?;
        ensure!(!packages.is_empty(), "apt downloaded nothing for {what}");
        Ok(packages)
    }

    fn archives(&self) -> PathBuf {
        self.cache.join("archives")
    }

    fn packages(&self) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(self.archives())?.map(|entry| Ok(entry?.path()));
        let mut packages = entries.collect::<Result<Vec<_>>>()?;
        packages.retain(|path| path.extension().is_some_and(|name| name == "deb"));
        packages.sort();
        Ok(packages)
    }

    fn retry(&self, what: &str, step: impl Fn(&Apt, &Progress) -> Result<()>) -> Result<()> {
        for attempt in 1.. {
            let progress = Progress::start(&format!("fetching {what}"));
            let Err(error) = step(self, &progress) else {
                progress.finish();
                return Ok(());
            };
            progress.abandon();
            let full = format!("{error:#}").contains("No space left");
            if attempt == TRIES || full {
                let advice = if full {
                    "make room in the cache directory"
                } else {
                    "try again later"
                };
                return Err(error.context(format!("cannot fetch {what}: {advice}")));
            }
            let pause = PAUSE * attempt;
            eprintln!(
                "fetching {what} failed ({error:#}); try {} of {TRIES} in {} s",
                attempt + 1,
                pause.as_secs()
            );
            thread::sleep(pause);
            // A mirror that was in the middle of an update has new lists afterwards.
            let _ = self.get(&["update"], None, &Progress::hidden());
        }
        unreachable!("the loop returns at its last try")
    }

    /// Runs apt-get and shows how far it is; its own messages appear only as part of an error.
    fn get(&self, arguments: &[&str], dir: Option<&Path>, progress: &Progress) -> Result<()> {
        let mut command = self.command("apt-get");
        command
            .args(["-qq", "-o", "APT::Status-Fd=1"])
            .args(arguments);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(dir) = dir {
            command.current_dir(dir);
        }
        let mut child = command.spawn().context("cannot start apt-get")?;
        if let Some(status) = child.stdout.take() {
            let (sender, percents) = mpsc::channel();
            thread::spawn(move || report_percents(status, &sender));
            loop {
                match percents.recv_timeout(STALL) {
                    Ok(percent) => progress.set_percent(percent.split('.').next().unwrap_or("")),
                    Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => {
                        child.kill()?;
                        child.wait()?;
                        bail!("apt-get made no progress for {} s", STALL.as_secs());
                    }
                }
            }
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            let messages = String::from_utf8_lossy(&output.stderr);
            let mut errors = messages.lines().filter(|line| line.starts_with("E: "));
            let space = messages.lines().find(|line| line.contains("No space left"));
            bail!(
                "{}",
                space
                    .or_else(|| errors.next())
                    .unwrap_or("apt-get failed without a message")
            );
        }
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("APT_CONFIG", &self.config)
            .env("LC_ALL", "C.UTF-8");
        command
    }
}

impl Drop for Apt {
    /// Leaves the lists, which make the next update quick; apt's cache of them is large and soon
    /// made.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.cache);
    }
}

/// Refuses a place that would be full in the middle of the work.
pub(crate) fn check_space(dir: &Path, needed: u64) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let space = statvfs(dir).with_context(|| format!("cannot look at {}", dir.display()))?;
    let free = space.blocks_available() * space.fragment_size();
    ensure!(
        free >= needed,
        "{} has {} MB free and {} MB are needed: make room, or set FAKEMON_CACHE to another place",
        dir.display(),
        free >> 20,
        needed >> 20
    );
    Ok(())
}

/// Sends on each new percentage of apt's status stream, until that ends.
fn report_percents(status: impl Read, to: &Sender<String>) {
    let mut last = String::new();
    for line in BufReader::new(status).lines().map_while(Result::ok) {
        // dlstatus:<item>:<percent>:<what apt does>
        let percent = line
            .strip_prefix("dlstatus:")
            .and_then(|line| line.split(':').nth(1));
        if let Some(percent) = percent
            && percent != last
        {
            last = percent.to_owned();
            if to.send(last.clone()).is_err() {
                return;
            }
        }
    }
}

/// How the machine's own apt reaches the network, as lines of configuration.
fn machine_network() -> Result<String> {
    let dump = Command::new("apt-config")
        .arg("dump")
        .output()
        .context("cannot run apt-config")?;
    let dump = String::from_utf8_lossy(&dump.stdout);
    let network = dump
        .lines()
        .filter(|line| line.starts_with("Acquire::http"));
    Ok(network.map(|line| format!("{line}\n")).collect())
}

fn config_text(dir: &Path, network: &str) -> String {
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
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; "arm64"; "armhf"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
APT::Get::List-Cleanup "true";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Acquire::Retries "2";
Debug::NoLocking "true";
"#
    )
}
