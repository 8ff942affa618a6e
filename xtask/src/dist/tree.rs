// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The files of a package, and archives of them: sorted, nobody's, and all of one time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use lzma_rust2::{XzOptions, XzWriter};
use tar::{Builder, EntryType, Header};

/// How much xz tries.
const PRESET: u32 = 6;

/// Files by their paths, which are relative.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    files: BTreeMap<String, File>,
}

#[derive(Clone, Debug)]
struct File {
    mode: u32,
    content: Vec<u8>,
}

impl Tree {
    /// Adds a file that is not to be executed.
    pub(super) fn add(&mut self, path: &str, content: impl Into<Vec<u8>>) {
        self.insert(path, 0o644, content.into());
    }

    /// Adds a program.
    pub(super) fn add_program(&mut self, path: &str, content: impl Into<Vec<u8>>) {
        self.insert(path, 0o755, content.into());
    }

    /// Adds a file with the content of another.
    pub(super) fn add_copy(&mut self, path: &str, from: &Path) -> Result<()> {
        self.add(path, read(from)?);
        Ok(())
    }

    /// Adds a program with the content of a file.
    pub(super) fn add_program_copy(&mut self, path: &str, from: &Path) -> Result<()> {
        self.add_program(path, read(from)?);
        Ok(())
    }

    fn insert(&mut self, path: &str, mode: u32, content: Vec<u8>) {
        self.files.insert(path.to_owned(), File { mode, content });
    }

    /// The files' paths and contents.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let files = self.files.iter();
        files.map(|(path, file)| (path.as_str(), file.content.as_slice()))
    }

    /// Refuses files that have one of these texts in them, which are this machine's.
    pub(super) fn refuse(&self, texts: &[String]) -> Result<()> {
        for (path, content) in self.files() {
            let content = String::from_utf8_lossy(content);
            if let Some(text) = texts.iter().find(|text| content.contains(text.as_str())) {
                bail!("{path} would have a path of this machine in it: {text}");
            }
        }
        Ok(())
    }

    /// An archive with all of it below `root`.
    pub(super) fn tar(&self, root: &str, time: u64) -> Result<Vec<u8>> {
        let mut archive = Builder::new(Vec::new());
        let mut append = |path: &str, kind, mode, content: &[u8]| {
            let mut header = Header::new_gnu();
            header.set_entry_type(kind);
            header.set_mode(mode);
            header.set_mtime(time);
            header.set_size(content.len() as u64);
            header.set_uid(0);
            header.set_gid(0);
            header.set_username("root")?;
            header.set_groupname("root")?;
            archive.append_data(&mut header, path, content)
        };
        let mut directories = BTreeSet::new();
        for (path, file) in &self.files {
            let path = format!("{root}/{path}");
            for (end, _) in path.match_indices('/').filter(|&(end, _)| end > 0) {
                let directory = &path[..=end];
                if directory != "./" && directories.insert(directory.to_owned()) {
                    append(directory, EntryType::Directory, 0o755, &[])?;
                }
            }
            append(&path, EntryType::Regular, file.mode, &file.content)?;
        }
        Ok(archive.into_inner()?)
    }
}

/// What xz makes of it.
pub(super) fn xz(content: &[u8]) -> Result<Vec<u8>> {
    let mut writer = XzWriter::new(Vec::new(), XzOptions::with_preset(PRESET))?;
    writer.write_all(content)?;
    Ok(writer.finish()?)
}

/// What gzip makes of it, without a name and a time.
pub(super) fn gzip(content: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn an_archive_has_directories_first_and_nothing_of_the_machine() {
        let mut tree = Tree::default();
        tree.add("share/b", "two");
        tree.add_program("bin/a", "one");
        let bytes = tree.tar("root", 42).expect("packed");
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut found = Vec::new();
        for entry in archive.entries().expect("an archive") {
            let entry = entry.expect("an entry");
            let (path, header) = (entry.path().expect("a path"), entry.header());
            assert_eq!(
                (header.uid().ok(), header.mtime().ok()),
                (Some(0), Some(42))
            );
            found.push((path.display().to_string(), header.mode().expect("a mode")));
        }
        let expected = [
            ("root/", 0o755),
            ("root/bin/", 0o755),
            ("root/bin/a", 0o755),
            ("root/share/", 0o755),
            ("root/share/b", 0o644),
        ];
        let expected = expected.map(|(path, mode)| (path.to_owned(), mode));
        assert_eq!(found, expected);
    }

    #[test]
    fn the_order_in_which_files_come_does_not_matter() {
        let (mut one, mut other) = (Tree::default(), Tree::default());
        for path in ["a", "b/c", "b-d"] {
            one.add(path, path);
        }
        for path in ["b-d", "b/c", "a"] {
            other.add(path, path);
        }
        assert_eq!(one.tar(".", 1).ok(), other.tar(".", 1).ok());
    }

    #[test]
    fn what_is_compressed_comes_back() {
        let text = b"again and again and again".repeat(1000);
        let (packed, mut back) = (xz(&text).expect("packed"), Vec::new());
        let mut reader = lzma_rust2::XzReader::new(packed.as_slice(), true);
        reader.read_to_end(&mut back).expect("unpacked");
        assert!(back == text && packed.len() < text.len() / 10);
        let packed = gzip(&text).expect("packed");
        assert_eq!(packed[4..8], [0; 4], "it has no time");
        let mut back = Vec::new();
        let mut reader = flate2::read::GzDecoder::new(packed.as_slice());
        reader.read_to_end(&mut back).expect("unpacked");
        assert_eq!(back, text);
    }

    #[test]
    fn a_path_of_this_machine_is_refused() {
        let mut tree = Tree::default();
        tree.add(
            "bin/a",
            [b"\x7fELF\xff".as_slice(), b"/home/me/src"].concat(),
        );
        assert!(tree.refuse(&["/home/you".to_owned()]).is_ok());
        let error = tree.refuse(&["/home/me".to_owned()]).expect_err("a path");
        assert!(error.to_string().starts_with("bin/a would have"), "{error}");
    }
}
