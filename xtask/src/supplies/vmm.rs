// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Debian's QEMU for Arm machines: of its ninety packages one program and the libraries that it loads are
//! kept, which is what fits into a host VM.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use object::Endianness;
use object::elf::{DT_NEEDED, FileHeader64};
use object::read::elf::{Dyn, FileHeader};

use crate::cache::remove_dir;

const PROGRAM: &str = "qemu-system-aarch64";
const LIBRARIES: &str = "lib";
const LINK: &str = "link";
/// What no program names as a library: what loads it (Arm's AAELF64 gives it its name), and what a library in
/// Rust needs besides.
const ALWAYS: [&str; 2] = ["ld-linux-aarch64.so.1", "libgcc_s.so.1"];

/// The libraries that every Rust program for this target is linked with: what a linker looks for, and what
/// is there at run time. Most are empty by now, and no program needs them.
const LINKED: [(&str, &str); 7] = [
    ("libc.so", "libc.so.6"),
    ("libdl.so", "libdl.so.2"),
    ("libgcc_s.so", "libgcc_s.so.1"),
    ("libm.so", "libm.so.6"),
    ("libpthread.so", "libpthread.so.0"),
    ("librt.so", "librt.so.1"),
    ("libutil.so", "libutil.so.1"),
];

/// The files.
#[derive(Clone, Debug)]
pub(crate) struct Vmm(PathBuf);

impl Vmm {
    /// Names what is kept, for the cache.
    pub(super) const PARTS: &'static str = "program, libraries with libgcc, link";

    pub(super) fn in_dir(dir: PathBuf) -> Vmm {
        Vmm(dir)
    }

    /// QEMU.
    pub(crate) fn program(&self) -> PathBuf {
        self.0.join(PROGRAM)
    }

    /// The directory of its libraries, of which one is the loader.
    pub(crate) fn libraries(&self) -> PathBuf {
        self.0.join(LIBRARIES)
    }

    /// The directory of libraries to link with.
    pub(crate) fn link(&self) -> PathBuf {
        self.0.join(LINK)
    }

    /// Keeps of the packages in `dir` what is wanted.
    pub(super) fn take(dir: &Path) -> Result<()> {
        let root = dir.join("usr");
        let mut files = BTreeMap::new();
        list(&root.join("lib"), &mut files)?;
        let find = |name: &str| {
            let file = files.get(name);
            file.with_context(|| format!("the packages have no {name}"))
        };
        let program = root.join("bin").join(PROGRAM);
        let (libraries, link) = (dir.join(LIBRARIES), dir.join(LINK));
        // The packages themselves have a link of this name.
        let _merged = fs::remove_file(&libraries);
        fs::create_dir_all(&libraries)?;
        fs::create_dir_all(&link)?;
        let mut wanted = BTreeSet::from(ALWAYS.map(str::to_owned));
        let mut unread = Vec::from(ALWAYS.map(str::to_owned));
        let mut want = |file: &Path, unread: &mut Vec<String>| -> Result<()> {
            for name in needed(file)? {
                if wanted.insert(name.clone()) {
                    unread.push(name);
                }
            }
            Ok(())
        };
        want(&program, &mut unread)?;
        while let Some(name) = unread.pop() {
            let file = find(&name)?;
            fs::copy(file, libraries.join(&name))?;
            want(file, &mut unread)?;
        }
        for (link_name, name) in LINKED {
            fs::copy(find(name)?, link.join(link_name))?;
        }
        fs::rename(&program, dir.join(PROGRAM))?;
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let keep = [PROGRAM, LIBRARIES, LINK].map(|name| dir.join(name));
            match path.symlink_metadata()?.is_dir() {
                _ if keep.contains(&path) => {}
                true => remove_dir(&path)?,
                false => fs::remove_file(&path)?,
            }
        }
        Ok(())
    }
}

/// All files below a directory by their names; of a library, most are links to one.
fn list(dir: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let (entry, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        if entry.is_file() {
            files.insert(name.to_string_lossy().into_owned(), entry);
        } else if entry.symlink_metadata()?.is_dir() {
            list(&entry, files)?;
        }
    }
    Ok(())
}

/// The libraries that a program or library names.
fn needed(path: &Path) -> Result<Vec<String>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let named = || -> object::read::Result<Vec<String>> {
        let data = bytes.as_slice();
        let header = FileHeader64::<Endianness>::parse(data)?;
        let endian = header.endian()?;
        let sections = header.sections(endian, data)?;
        let Some((entries, strings)) = sections.dynamic(endian, data)? else {
            return Ok(Vec::new());
        };
        let strings = sections.strings(endian, data, strings)?;
        let mut names = Vec::new();
        for entry in entries
            .iter()
            .filter(|entry| entry.d_tag(endian) == DT_NEEDED)
        {
            let name = entry.string(endian, strings)?;
            names.push(String::from_utf8_lossy(name).into_owned());
        }
        Ok(names)
    };
    named().with_context(|| format!("{} is no library", path.display()))
}
