// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Fetches files whose hashes are known from the pool of the machine's archive, by apt's own helper.
//!
//! They are kept in `packages/` of the cache, each under its own name, which has the version. Two
//! runs that want the same fetch it once; other files do not wait.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use fakemon_launch::env;
use nix::sys::statvfs::statvfs;

use super::apt;
use super::{Choice, File, Mirror};
use crate::cache::{Cache, files_below, remove_dir, sha256};
use crate::progress::Progress;

/// apt's program for single files.
const HELPER: &str = "/usr/lib/apt/apt-helper";
/// How often a download is tried; archives that are being mirrored give wrong files for a while.
const TRIES: u32 = 4;
/// The pause after the first try that failed; each further one is longer by the same time.
const PAUSE: Duration = Duration::from_secs(5);
/// After this time without a byte the helper is stuck, which a full disk can do to it.
const STALL: Duration = Duration::from_secs(120);
/// How often progress is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Room for what is made of packages, as a multiple of their size.
const UNPACKED: u64 = 4;

/// What is wrong is on this machine, and no other source would help.
#[derive(Debug)]
struct Local;

impl std::fmt::Display for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cannot keep packages here")
    }
}

/// Tells whether `error` is this machine's own.
pub(super) fn is_local(error: &anyhow::Error) -> bool {
    error.is::<Local>()
}

/// The files of `choice` on this machine, fetched once from the mirror if they are not.
pub(super) fn fetch(
    cache: &Cache,
    mirror: impl FnOnce() -> Result<Mirror>,
    choice: &Choice,
) -> Result<Vec<PathBuf>> {
    let store = cache.dir().join("packages");
    let paths = || choice.files.iter().map(|file| store.join(file.name()));
    if missing(&store, choice)?.is_empty() {
        return Ok(paths().collect());
    }
    let label = choice.label();
    let _guard = cache.lock(&format!("packages-{label}"), &format!("fetching {choice}"))?;
    let missing = missing(&store, choice)?;
    if missing.is_empty() {
        return Ok(paths().collect());
    }
    let mirror = mirror()?;
    let size: u64 = missing.iter().map(|file| file.size).sum();
    check_space(cache.dir(), size * UNPACKED).context(Local)?;
    let partial = store.join(format!("partial-{label}"));
    remove_dir(&partial).context(Local)?;
    fs::create_dir_all(&partial).context(Local)?;
    let progress = Progress::bytes(&format!("fetching {choice}"), size);
    let fetched = start(&mirror, &missing, &partial)
        .and_then(|helper| supervise(helper, &partial, &progress));
    match fetched {
        Ok(()) => progress.finish(),
        Err(error) => {
            progress.abandon();
            let _ = remove_dir(&partial);
            return Err(error.context(format!("cannot fetch {choice}")));
        }
    }
    for file in &missing {
        let (from, to) = (partial.join(file.name()), store.join(file.name()));
        // Of an archive on this machine apt gives a link.
        if from.is_symlink() {
            let copy = partial.join("copy");
            fs::copy(&from, &copy).context(Local)?;
            fs::rename(copy, to).context(Local)?;
        } else {
            fs::rename(from, to).context(Local)?;
        }
    }
    remove_dir(&partial)?;
    Ok(paths().collect())
}

/// Removes the files of `choice` if they are here.
pub(super) fn remove(cache: &Cache, choice: &Choice) -> Result<()> {
    for file in &choice.files {
        let path = cache.dir().join("packages").join(file.name());
        if path.exists() {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Fetches what the archive has by its lists, though it may be in the middle of being mirrored.
pub(super) fn with_retries<T>(fetch: impl Fn() -> Result<T>) -> Result<T> {
    for attempt in 1.. {
        let error = match fetch() {
            Ok(fetched) => return Ok(fetched),
            Err(error) => error,
        };
        if attempt == TRIES || is_local(&error) {
            return Err(error.context("the archive has it, but not for us now: try again later"));
        }
        let pause = PAUSE * attempt;
        let seconds = pause.as_secs();
        eprintln!("{error:#}; try {} of {TRIES} in {seconds} s", attempt + 1);
        thread::sleep(pause);
    }
    unreachable!("the loop returns at its last try")
}

/// The files that are not here, or not as they should be.
fn missing<'a>(store: &Path, choice: &'a Choice) -> Result<Vec<&'a File>> {
    let mut missing = Vec::new();
    for file in &choice.files {
        let path = store.join(file.name());
        let is_whole = fs::metadata(&path).is_ok_and(|data| data.len() == file.size);
        if !is_whole || sha256(&path)? != file.sha256 {
            missing.push(file);
        }
    }
    Ok(missing)
}

/// Starts to fetch `files` into a directory. The helper gives a file the hash is right for, or none.
fn start(mirror: &Mirror, files: &[&File], to: &Path) -> Result<Child> {
    let config = to.join("apt.conf");
    let network = apt::machine_network()?;
    // The machine's own hooks and cache have no part in this.
    fs::write(
        &config,
        format!(
            "{network}Dir::Cache \"{0}\";\nDir::State \"{0}\";\nAPT::Sandbox::User \"root\";\nAcquire::Retries \"2\";\n",
            to.display()
        ),
    )?;
    let mut command = Command::new(HELPER);
    command.args(["-qq", "download-file"]);
    for file in files {
        let base = mirror.uri(file.archive).with_context(|| {
            format!(
                "this machine's apt sources have no {} archive, where {} is",
                file.archive.name(),
                file.name()
            )
        })?;
        command.arg(format!("{base}{}", file.path));
        command.arg(to.join(file.name()));
        command.arg(format!("SHA256:{}", file.sha256));
    }
    command.env("APT_CONFIG", config).env("LC_ALL", "C.UTF-8");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let child = command.stderr(Stdio::piped()).spawn();
    child.with_context(|| format!("cannot start {HELPER}: is this a Debian machine?"))
}

/// Shows how much has arrived until the helper ends.
fn supervise(mut helper: Child, dir: &Path, progress: &Progress) -> Result<()> {
    let (mut arrived, mut last) = (0, Instant::now());
    let errors = helper.stderr.take();
    let errors = thread::spawn(move || {
        let mut text = String::new();
        if let Some(mut from) = errors {
            let _ = std::io::Read::read_to_string(&mut from, &mut text);
        }
        text
    });
    let status = loop {
        if let Some(status) = helper.try_wait()? {
            break status;
        }
        let now = size_of(dir);
        progress.set_bytes(now);
        if now != arrived {
            (arrived, last) = (now, Instant::now());
        } else if last.elapsed() > STALL {
            helper.kill()?;
            helper.wait()?;
            bail!("the archive sent nothing for {} s", STALL.as_secs());
        }
        thread::sleep(LOOK);
    };
    if status.success() {
        return Ok(());
    }
    let text = errors.join().unwrap_or_default();
    if text.contains("No space left") {
        return Err(anyhow::anyhow!("there is no room left").context(Local));
    }
    let error = text.lines().find_map(|line| line.strip_prefix("E: "));
    bail!("{}", error.unwrap_or("apt-helper failed without a message"));
}

/// Bytes in the files of a directory that something is writing to.
fn size_of(dir: &Path) -> u64 {
    let files = files_below(dir).unwrap_or_default();
    let sizes = files.iter().filter_map(|file| fs::metadata(file).ok());
    sizes.map(|data| data.len()).sum()
}

/// Refuses a place that would be full in the middle of the work.
pub(crate) fn check_space(dir: &Path, needed: u64) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let space = statvfs(dir).with_context(|| format!("cannot look at {}", dir.display()))?;
    let free = space.blocks_available() * space.fragment_size();
    ensure!(
        free >= needed,
        "{} has {} MB free and {} MB are needed: make room, or set {} to another place",
        dir.display(),
        free >> 20,
        needed >> 20,
        env::CACHE
    );
    Ok(())
}
