// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is installed beside this program: the library, blobs, and the boards' descriptions.

use std::path::{Path, PathBuf};

use super::AttachError;

/// The directory for blobs, before those that are installed.
const BLOBS: &str = "FAKEMON_BLOBS";
/// Where things are, from the directory of this program.
const PLACES: [&str; 2] = ["..", "../lib/fakemon"];
/// The library.
const LIBRARY: &str = "libfakemon_preload.so";

/// Where to look.
#[derive(Clone, Debug)]
pub struct Installed {
    places: Vec<PathBuf>,
    blobs: Option<PathBuf>,
}

impl Installed {
    /// What goes with this program.
    ///
    /// # Errors
    /// Nobody knows where this program is.
    pub fn of_this_program() -> Result<Installed, AttachError> {
        let program = std::env::current_exe();
        let program = program.map_err(|error| {
            AttachError::Host(format!("cannot tell where this program is: {error}"))
        })?;
        let dir = program.parent().unwrap_or(Path::new("/"));
        Ok(Installed::beside(
            dir,
            std::env::var_os(BLOBS).map(PathBuf::from),
        ))
    }

    fn beside(dir: &Path, blobs: Option<PathBuf>) -> Installed {
        Installed {
            places: PLACES.iter().map(|place| dir.join(place)).collect(),
            blobs,
        }
    }

    /// The library.
    ///
    /// # Errors
    /// It is not there.
    pub fn library(&self) -> Result<PathBuf, AttachError> {
        self.find(&[&format!("lib/{LIBRARY}"), LIBRARY])
            .ok_or_else(|| {
                AttachError::Usage(format!(
                    "{LIBRARY} is not beside this program: use --library FILE"
                ))
            })
    }

    /// The blob of a board.
    ///
    /// # Errors
    /// It is not there.
    pub fn blob(&self, board: &str) -> Result<PathBuf, AttachError> {
        let name = format!("{board}.elf");
        let given = self.blobs.as_ref().map(|dir| dir.join(&name));
        let found = given.filter(|path| path.is_file());
        found.or_else(|| self.find(&[&format!("blobs/{name}")])).ok_or_else(|| {
            AttachError::Usage(format!(
                "there is no blob of board {board} beside this program or in ${BLOBS}: use --blob FILE"
            ))
        })
    }

    /// The description of a board, a directory.
    ///
    /// # Errors
    /// It is not there.
    pub fn board(&self, board: &str) -> Result<PathBuf, AttachError> {
        self.find(&[&format!("boards/{board}")]).ok_or_else(|| {
            let why = format!("the description of board {board} is not beside this program");
            AttachError::Usage(why)
        })
    }

    fn find(&self, names: &[&str]) -> Option<PathBuf> {
        let mut paths = self
            .places
            .iter()
            .flat_map(|place| names.iter().map(|name| place.join(name)));
        paths.find(|path| path.exists())?.canonicalize().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_blob_of_the_users_comes_before_an_installed_one() {
        let root = std::env::temp_dir().join(format!("fakemon-installed-{}", std::process::id()));
        let (bin, own) = (root.join("bin"), root.join("own"));
        let installed = root.join("lib/fakemon/blobs");
        for dir in [&bin, &own, &installed] {
            fs::create_dir_all(dir).expect("made");
        }
        let blob = |dir: &Path| {
            let path = dir.join("virt.elf");
            fs::write(&path, "").expect("written");
            path.canonicalize().expect("there")
        };
        let here = Installed::beside(&bin, Some(own.clone()));
        let error = here.blob("virt").expect_err("none");
        assert!(error.to_string().contains("--blob FILE"), "{error}");
        let theirs = blob(&installed);
        assert_eq!(here.blob("virt"), Ok(theirs));
        let ours = blob(&own);
        assert_eq!(
            here.blob("virt").map(|path| path.canonicalize().ok()),
            Ok(Some(ours))
        );
        assert!(here.library().is_err());
        assert!(here.board("virt").is_err());
        fs::remove_dir_all(&root).expect("removed");
    }
}
