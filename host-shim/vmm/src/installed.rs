// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is installed beside this program: blobs, the boards' descriptions, and the library for other VMMs.
//!
//! A package has programs in `bin`, what is for Arm machines alone in `lib/fakemon`, and what is for any
//! machine in `share/fakemon`, wherever its root is. A user's own come first: directories in [`PATH`] with
//! the same in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The variable with directories to look in first, as `PATH` lists them.
pub const PATH: &str = "FAKEMON_PATH";
/// Where the package's are, from the directory of this program.
const PLACES: [&str; 2] = ["../lib/fakemon", "../share/fakemon"];
/// The library.
const LIBRARY: &str = "libfakemon_preload.so";

/// Something is not there.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotInstalled {
    /// Nobody knows where this program is.
    #[error("cannot tell where this program is: {0}")]
    Program(String),
    /// The library.
    #[error(
        "{LIBRARY} is neither beside this program nor in ${PATH}: install all of the package, or use \
         --library FILE"
    )]
    Library,
    /// The blob of a board.
    #[error(
        "there is no blob of board {0} beside this program or in ${PATH}: `fakemon boards` lists what is \
         installed; --blob FILE takes another"
    )]
    Blob(String),
    /// The description of a board.
    #[error(
        "there is no board {0} beside this program or in ${PATH}: `fakemon boards` lists what is \
         installed; `run` takes another by --board DIR"
    )]
    Board(String),
}

/// Where to look.
#[derive(Clone, Debug)]
pub struct Installed {
    places: Vec<PathBuf>,
}

impl Installed {
    /// What goes with this program.
    ///
    /// # Errors
    /// Nobody knows where this program is.
    pub fn of_this_program() -> Result<Installed, NotInstalled> {
        let program =
            std::env::current_exe().map_err(|error| NotInstalled::Program(error.to_string()))?;
        let dir = program.parent().unwrap_or(Path::new("/"));
        let own = std::env::var_os(PATH).unwrap_or_default();
        Ok(Installed::beside(dir, std::env::split_paths(&own)))
    }

    /// What is in the user's `own` directories, and beside the programs in `dir`.
    pub fn beside(dir: &Path, own: impl Iterator<Item = PathBuf>) -> Installed {
        // An empty entry would be the working directory.
        let own = own.filter(|place| !place.as_os_str().is_empty());
        let installed = PLACES.iter().map(|place| dir.join(place));
        Installed {
            places: own.chain(installed).collect(),
        }
    }

    /// The library.
    ///
    /// # Errors
    /// It is not there.
    pub fn library(&self) -> Result<PathBuf, NotInstalled> {
        self.find(LIBRARY).ok_or(NotInstalled::Library)
    }

    /// The blob of a board.
    ///
    /// # Errors
    /// It is not there.
    pub fn blob(&self, board: &str) -> Result<PathBuf, NotInstalled> {
        self.named(board, &format!("blobs/{board}.elf"))
            .ok_or_else(|| NotInstalled::Blob(board.to_owned()))
    }

    /// The directory with the description of a board.
    ///
    /// # Errors
    /// It is not there.
    pub fn board(&self, board: &str) -> Result<PathBuf, NotInstalled> {
        let file = self.named(board, &format!("boards/{board}/board.toml"));
        file.and_then(|file| Some(file.parent()?.to_owned()))
            .ok_or_else(|| NotInstalled::Board(board.to_owned()))
    }

    /// The directories of all boards, by name.
    pub fn boards(&self) -> BTreeMap<String, PathBuf> {
        let mut boards = BTreeMap::new();
        for place in self.places.iter().rev() {
            let entries = fs::read_dir(place.join("boards")).into_iter().flatten();
            for entry in entries.flatten() {
                let (name, path) = (entry.file_name(), entry.path());
                if let (true, Some(name)) = (path.join("board.toml").is_file(), name.to_str()) {
                    boards.insert(name.to_owned(), path);
                }
            }
        }
        boards
    }

    /// What a board's name stands for; a path is no name.
    fn named(&self, board: &str, file: &str) -> Option<PathBuf> {
        let is_name = !board.is_empty() && !board.contains('/');
        is_name.then(|| self.find(file)).flatten()
    }

    fn find(&self, name: &str) -> Option<PathBuf> {
        let mut paths = self.places.iter().map(|place| place.join(name));
        // Whole, as another program may have another working directory.
        paths.find(|path| path.exists())?.canonicalize().ok()
    }
}

#[cfg(test)]
mod tests {
    use fakemon_launch::{assets, env};

    use super::*;

    /// A root with a file under each of these names.
    fn root(of: &str, names: &[&str]) -> PathBuf {
        let root = std::env::temp_dir().join(format!("fakemon-{of}-{}", std::process::id()));
        for name in names {
            let path = root.join(name);
            fs::create_dir_all(path.parent().expect("a directory")).expect("made");
            fs::write(path, "").expect("written");
        }
        root.canonicalize().expect("there")
    }

    #[test]
    fn the_users_come_before_those_that_are_installed() {
        let root = root(
            "own",
            &[
                "bin/fakemon",
                "lib/fakemon/blobs/virt.elf",
                "lib/fakemon/blobs/midway.elf",
                "share/fakemon/boards/virt/board.toml",
                "share/fakemon/boards/midway/board.toml",
                "own/blobs/virt.elf",
                "own/boards/virt/board.toml",
            ],
        );
        let own = std::env::split_paths(root.as_os_str()).map(|root| root.join("own"));
        let here = Installed::beside(&root.join("bin"), own);
        assert_eq!(here.blob("virt"), Ok(root.join("own/blobs/virt.elf")));
        assert_eq!(here.board("virt"), Ok(root.join("own/boards/virt")));
        let theirs = root.join("lib/fakemon/blobs/midway.elf");
        assert_eq!(here.blob("midway"), Ok(theirs));
        let boards = here.boards();
        assert_eq!(boards.keys().collect::<Vec<_>>(), ["midway", "virt"]);
        assert_eq!(boards["virt"], root.join("own/boards/virt"));
        fs::remove_dir_all(&root).expect("removed");
    }

    #[test]
    fn what_is_not_there_is_named_with_what_to_do() {
        let root = root("none", &["bin/fakemon"]);
        // An empty variable is no directory.
        let here = Installed::beside(&root.join("bin"), std::env::split_paths(""));
        for (error, option) in [
            (here.blob("virt").expect_err("none"), "--blob FILE"),
            (here.board("virt").expect_err("none"), "--board DIR"),
            (here.board("..").expect_err("no name"), "--board DIR"),
            (here.library().expect_err("none"), "--library FILE"),
        ] {
            assert!(error.to_string().contains(option), "{error}");
        }
        assert!(here.boards().is_empty());
        fs::remove_dir_all(&root).expect("removed");
    }

    #[test]
    fn what_tests_run_lies_as_a_package_does() {
        let board = format!("{}/board.toml", assets::board_dir("virt"));
        let blob = assets::blob("virt");
        let root = root("stage", &[assets::FAKEMON, assets::PRELOAD, &board, &blob]);
        let program = root.join(assets::FAKEMON);
        let bin = program.parent().expect("its directory");
        let here = Installed::beside(bin, std::iter::empty());
        assert_eq!(here.blob("virt"), Ok(root.join(blob)));
        assert_eq!(here.library(), Ok(root.join(assets::PRELOAD)));
        assert_eq!(env::PATH, PATH);
        assert_eq!(here.board("virt"), Ok(root.join(assets::board_dir("virt"))));
        fs::remove_dir_all(&root).expect("removed");
    }
}
