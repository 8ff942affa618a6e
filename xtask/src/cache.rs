// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The cache: what was fetched and what was made of it, checked by hash, shared by all checkouts.
//!
//! What is made is a *component*: a directory whose name ends in a hash of all that it was made
//! from. So components of several versions stand side by side, and no run has to look at what
//! another wants. Its `manifest.json` has the size, time and SHA-256 of every file. A component is
//! made in a scratch directory and moved into place whole: a run that was interrupted leaves either
//! all of it or nothing. Before use a file's size and time are compared, which is quick; where they
//! differ, and always in `cargo xtask setup`, the hash decides, and what is damaged is made again.
//!
//! Two runs that want the same component make it once; the second waits for the first by a lock of
//! that component's own. Nothing else is locked.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};
use fakemon_launch::env;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How thoroughly a component is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// Size and time; the hash only of files whose time changed.
    Quick,
    /// The hash of every file.
    Full,
}

/// The file in a component that describes the others.
const MANIFEST: &str = "manifest.json";

/// The cache directory.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    dir: PathBuf,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Manifest {
    /// What it was made from and for.
    #[serde(rename = "wish")]
    key: String,
    files: BTreeMap<String, Artefact>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Artefact {
    size: u64,
    modified_ns: u64,
    sha256: String,
}

impl Cache {
    /// Opens the cache in `$FAKEMON_CACHE`, `$XDG_CACHE_HOME/fakemon` or `~/.cache/fakemon`.
    pub(crate) fn open() -> Result<Cache> {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dir = match (
            variable(env::CACHE),
            variable("XDG_CACHE_HOME"),
            variable("HOME"),
        ) {
            (Some(dir), _, _) => PathBuf::from(dir),
            (_, Some(dir), _) => Path::new(&dir).join("fakemon"),
            (_, _, Some(home)) => Path::new(&home).join(".cache/fakemon"),
            _ => anyhow::bail!("there is no home directory: set {}", env::CACHE),
        };
        Cache::open_in(std::path::absolute(dir)?)
    }

    pub(crate) fn open_in(dir: PathBuf) -> Result<Cache> {
        fs::create_dir_all(dir.join("locks")).with_context(|| {
            format!(
                "cannot make the cache directory {}: set {}",
                dir.display(),
                env::CACHE
            )
        })?;
        Ok(Cache { dir })
    }

    /// Where the cache is.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Keeps other runs from the same work while the result lives. `what` they do if they do it
    /// already, for the user who waits.
    pub(crate) fn lock(&self, name: &str, what: &str) -> Result<File> {
        let path = self.dir.join("locks").join(name.replace('/', "-"));
        let lock = File::create(&path)
            .with_context(|| format!("cannot write to {}: set {}", path.display(), env::CACHE))?;
        if lock.try_lock().is_err() {
            eprintln!("waiting for another run: {what}");
            lock.lock().context("cannot lock the cache")?;
        }
        Ok(lock)
    }

    /// The component `name` that is made from and for `key`, if it is there and passes the check.
    pub(crate) fn find(&self, name: &str, key: &str, check: Check) -> Result<Option<PathBuf>> {
        let dir = self.place(name, key);
        let Some(mut manifest) = Manifest::read(&dir).filter(|manifest| manifest.key == key) else {
            return Ok(None);
        };
        let mut touched = false;
        for (path, artefact) in &mut manifest.files {
            match artefact.verify(&dir.join(path), check) {
                Ok(changed) => touched |= changed,
                Err(reason) => {
                    eprintln!("{name}/{path} in the cache {reason}: making {name} again");
                    return Ok(None);
                }
            }
        }
        if touched {
            manifest.write(&dir)?;
        }
        Ok(Some(dir))
    }

    /// The component `name` for `key`; `fill` makes its files in an empty directory if it is
    /// missing or damaged.
    pub(crate) fn component(
        &self,
        name: &str,
        key: &str,
        check: Check,
        fill: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        if let Some(dir) = self.find(name, key, check)? {
            return Ok(dir);
        }
        let dir = self.place(name, key);
        let unique = dir.strip_prefix(&self.dir)?.to_string_lossy().into_owned();
        let _guard = self.lock(&unique, &format!("making {name}"))?;
        if let Some(dir) = self.find(name, key, Check::Quick)? {
            return Ok(dir);
        }
        // The lock makes this directory ours; what is in it is of a run that was killed.
        let scratch = self.dir.join("scratch").join(unique.replace('/', "-"));
        remove_dir(&scratch)?;
        fs::create_dir_all(&scratch)?;
        let made = fill(&scratch).and_then(|()| Manifest::of(key, &scratch)?.write(&scratch));
        if let Err(error) = made {
            let _ = remove_dir(&scratch);
            return Err(error);
        }
        remove_dir(&dir)?;
        if let Some(parent) = dir.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::rename(&scratch, &dir)?;
        Ok(dir)
    }

    /// Where the component `name` for `key` is.
    fn place(&self, name: &str, key: &str) -> PathBuf {
        let hash = hexadecimal(&Sha256::digest(key));
        self.dir.join(format!("{name}-{}", &hash[..12]))
    }
}

impl Manifest {
    fn of(key: &str, dir: &Path) -> Result<Manifest> {
        let mut files = BTreeMap::new();
        for path in files_below(dir)? {
            let relative = path.strip_prefix(dir)?.to_string_lossy().into_owned();
            files.insert(relative, Artefact::of(&path)?);
        }
        Ok(Manifest {
            key: key.to_owned(),
            files,
        })
    }

    /// One that cannot be read is the same as none: everything is made again.
    fn read(dir: &Path) -> Option<Manifest> {
        serde_json::from_slice(&fs::read(dir.join(MANIFEST)).ok()?).ok()
    }

    /// Other runs see the old one or the new one.
    fn write(&self, dir: &Path) -> Result<()> {
        let new = dir.join(format!("{MANIFEST}.{}", std::process::id()));
        fs::write(&new, serde_json::to_vec_pretty(self)?)?;
        fs::rename(&new, dir.join(MANIFEST))?;
        Ok(())
    }
}
impl Artefact {
    fn of(path: &Path) -> Result<Artefact> {
        let (size, modified_ns) = stat(path)?;
        Ok(Artefact {
            size,
            modified_ns,
            sha256: sha256(path)?,
        })
    }

    /// Checks a file; says whether its time had to be noted anew, or what is wrong with it.
    fn verify(&mut self, path: &Path, check: Check) -> Result<bool, &'static str> {
        let (size, modified_ns) = stat(path).map_err(|_| "is missing")?;
        if size != self.size {
            return Err("has the wrong size");
        }
        if check == Check::Quick && modified_ns == self.modified_ns {
            return Ok(false);
        }
        let sha256 = sha256(path).map_err(|_| "cannot be read")?;
        if sha256 != self.sha256 {
            return Err("is damaged");
        }
        let changed = modified_ns != self.modified_ns;
        self.modified_ns = modified_ns;
        Ok(changed)
    }
}

/// The SHA-256 of a file in hexadecimal.
pub(crate) fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
    }
    Ok(hexadecimal(&hasher.finalize()))
}

/// Bytes in hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All regular files below `dir`, sorted.
pub(crate) fn files_below(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                dirs.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Removes a directory with all that is in it, if it is there.
pub(crate) fn remove_dir(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

fn stat(path: &Path) -> std::io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    let modified = metadata
        .modified()?
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Ok((metadata.len(), modified.as_nanos() as u64))
}

#[cfg(test)]
mod tests;
