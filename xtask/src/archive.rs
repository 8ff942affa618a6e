// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Writes an initramfs: a cpio archive whose directories appear by themselves.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use cpio::NewcBuilder;

const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// An archive in the making. Names are relative to the root, without a slash in front.
#[derive(Debug)]
pub(crate) struct Archive<W: Write> {
    to: W,
    directories: BTreeSet<String>,
    inode: u32,
}

impl<W: Write> Archive<W> {
    /// Starts an archive.
    pub(crate) fn new(to: W) -> Archive<W> {
        Archive {
            to,
            directories: BTreeSet::new(),
            inode: 0,
        }
    }

    /// Adds a file.
    pub(crate) fn file(&mut self, name: &str, content: &[u8], mode: u32) -> Result<()> {
        let size = content
            .len()
            .try_into()
            .with_context(|| format!("{name} is too large"))?;
        self.entry(name, FILE | mode, (0, 0), size, &mut &*content)
    }

    /// Adds a file with the content of another one.
    pub(crate) fn file_from(&mut self, name: &str, path: &Path, mode: u32) -> Result<()> {
        let context = || format!("cannot read {}", path.display());
        let mut file = File::open(path).with_context(context)?;
        let size = file.metadata().with_context(context)?.len();
        let size = size
            .try_into()
            .with_context(|| format!("{} is too large", path.display()))?;
        self.entry(name, FILE | mode, (0, 0), size, &mut file)
    }

    /// Adds a symbolic link.
    pub(crate) fn link(&mut self, name: &str, target: &str) -> Result<()> {
        let size = target.len().try_into()?;
        self.entry(name, LINK | 0o777, (0, 0), size, &mut target.as_bytes())
    }

    /// Adds /dev/console, without which the first program would have no standard streams.
    pub(crate) fn console_node(&mut self) -> Result<()> {
        self.entry(
            "dev/console",
            CHARACTER_DEVICE | 0o600,
            (5, 1),
            0,
            &mut io::empty(),
        )
    }

    /// Ends the archive.
    pub(crate) fn finish(self) -> Result<W> {
        Ok(cpio::newc::trailer(self.to)?)
    }

    fn entry(
        &mut self,
        name: &str,
        mode: u32,
        device: (u32, u32),
        size: u32,
        content: &mut dyn io::Read,
    ) -> Result<()> {
        if let Some((parent, _)) = name.rsplit_once('/')
            && self.directories.insert(parent.to_owned())
        {
            self.entry(parent, DIRECTORY | 0o755, (0, 0), 0, &mut io::empty())?;
        }
        self.inode += 1;
        let mut entry = NewcBuilder::new(name)
            .ino(self.inode)
            .nlink(1)
            .mode(mode)
            .rdev_major(device.0)
            .rdev_minor(device.1)
            .write(&mut self.to, size);
        io::copy(content, &mut entry)?;
        entry.finish()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use cpio::NewcReader;

    use super::*;

    #[test]
    fn directories_come_once_and_before_what_is_in_them() {
        let mut archive = Archive::new(Vec::new());
        archive.console_node().expect("added");
        archive.file("a/b/one", b"1", 0o644).expect("added");
        archive.link("a/b/two", "one").expect("added");
        let bytes = archive.finish().expect("finished");
        let mut names = Vec::new();
        let mut rest = bytes.as_slice();
        loop {
            let reader = NewcReader::new(rest).expect("an entry");
            if reader.entry().is_trailer() {
                break;
            }
            let entry = reader.entry();
            names.push((entry.name().to_owned(), entry.mode(), entry.file_size()));
            rest = reader.finish().expect("the rest");
        }
        let expected = [
            ("dev", 0o040_755, 0),
            ("dev/console", 0o020_600, 0),
            ("a", 0o040_755, 0),
            ("a/b", 0o040_755, 0),
            ("a/b/one", 0o100_644, 1),
            ("a/b/two", 0o120_777, 3),
        ];
        let expected = expected.map(|(name, mode, size)| (name.to_owned(), mode, size));
        assert_eq!(names, expected);
    }
}
