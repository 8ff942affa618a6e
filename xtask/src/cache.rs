// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The cache: what was fetched, checked by hash, shared by all checkouts.
//!
//! Each thing that setup fetches is a *component*: a directory, and in `manifest.json` the size,
//! time and SHA-256 of every file in it. A component is made in a scratch directory and moved into
//! place whole, so a run that was interrupted leaves either all of it or nothing. Before use a
//! file's size and time are compared, which is quick; where they differ, and always in `cargo xtask
//! setup`, the hash decides, and what is damaged is fetched again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};
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

/// The cache directory, locked against other runs.
#[derive(Debug)]
pub(crate) struct Cache {
    dir: PathBuf,
    manifest: Manifest,
    lock: File,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Manifest {
    components: BTreeMap<String, Component>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Component {
    /// What it was made from and for; another wish makes it anew.
    wish: String,
    files: BTreeMap<String, Artefact>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Artefact {
    size: u64,
    modified_ns: u64,
    sha256: String,
}

impl Cache {
    /// Opens the cache in `$FAKEMON_CACHE`, `$XDG_CACHE_HOME/fakemon` or `~/.cache/fakemon`; waits
    /// for other runs.
    pub(crate) fn open() -> Result<Cache> {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dir = match (
            variable("FAKEMON_CACHE"),
            variable("XDG_CACHE_HOME"),
            variable("HOME"),
        ) {
            (Some(dir), _, _) => PathBuf::from(dir),
            (_, Some(dir), _) => Path::new(&dir).join("fakemon"),
            (_, _, Some(home)) => Path::new(&home).join(".cache/fakemon"),
            _ => anyhow::bail!("there is no home directory: set FAKEMON_CACHE"),
        };
        let dir = std::path::absolute(dir)?;
        Cache::open_in(dir)
    }

    fn open_in(dir: PathBuf) -> Result<Cache> {
        fs::create_dir_all(&dir).with_context(|| {
            format!(
                "cannot make the cache directory {}: set FAKEMON_CACHE",
                dir.display()
            )
        })?;
        let lock = File::create(dir.join("lock"))
            .with_context(|| format!("cannot write to {}: set FAKEMON_CACHE", dir.display()))?;
        if lock.try_lock().is_err() {
            eprintln!(
                "waiting for another run that is setting up {}",
                dir.display()
            );
            lock.lock().context("cannot lock the cache")?;
        }
        Ok(Cache {
            manifest: Manifest::read(&dir),
            dir,
            lock,
        })
    }

    /// Does something that takes long and needs nothing of the cache, with other runs let in.
    pub(crate) fn while_open<T>(&mut self, work: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
        self.lock.unlock()?;
        let result = work(&self.dir);
        self.lock.lock().context("cannot lock the cache")?;
        self.manifest = Manifest::read(&self.dir);
        result
    }

    /// Where the cache is.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The directory of component `name`, if it is there as `wish`ed and passes the check.
    pub(crate) fn find(&mut self, name: &str, wish: &str, check: Check) -> Result<Option<PathBuf>> {
        let dir = self.dir.join(name);
        let Some(component) = self.manifest.components.get_mut(name) else {
            return Ok(None);
        };
        if component.wish != wish {
            return Ok(None);
        }
        let mut touched = false;
        for (path, artefact) in &mut component.files {
            match artefact.verify(&dir.join(path), check) {
                Ok(changed) => touched |= changed,
                Err(reason) => {
                    eprintln!("{name}/{path} in the cache {reason}: fetching {name} again");
                    return Ok(None);
                }
            }
        }
        if touched {
            self.save()?;
        }
        Ok(Some(dir))
    }

    /// Puts a component into place: `fill` makes its files in an empty directory.
    pub(crate) fn store(
        &mut self,
        name: &str,
        wish: &str,
        fill: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let scratch = self.dir.join("scratch");
        remove_dir(&scratch)?;
        fs::create_dir_all(&scratch)?;
        fill(&scratch)?;
        let mut component = Component {
            wish: wish.to_owned(),
            ..Component::default()
        };
        for path in files_below(&scratch)? {
            let artefact = Artefact::of(&path)?;
            let relative = path.strip_prefix(&scratch)?.to_string_lossy().into_owned();
            component.files.insert(relative, artefact);
        }
        let dir = self.dir.join(name);
        remove_dir(&dir)?;
        if let Some(parent) = dir.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::rename(&scratch, &dir)?;
        self.manifest.components.insert(name.to_owned(), component);
        self.save()?;
        Ok(dir)
    }

    fn save(&self) -> Result<()> {
        let new = self.dir.join("manifest.json.new");
        fs::write(&new, serde_json::to_vec_pretty(&self.manifest)?)?;
        fs::rename(&new, self.dir.join("manifest.json"))?;
        Ok(())
    }
}

impl Manifest {
    /// One that cannot be read is the same as none: everything is fetched again.
    fn read(dir: &Path) -> Manifest {
        let manifest = fs::read(dir.join("manifest.json")).unwrap_or_default();
        serde_json::from_slice(&manifest).unwrap_or_default()
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
    Ok(hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
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
