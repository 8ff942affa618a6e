// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `fakemon attach`: starts another VMM whose guest's calls a blob serves, by a library that is loaded
//! into it. What would not work is said before, in a line.

// Elsewhere only what plain values decide is used, by its tests.
#![cfg_attr(
    not(all(target_arch = "aarch64", target_os = "linux")),
    allow(dead_code)
)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::cli::AttachArgs;
use crate::installed::NotInstalled;
use crate::run::Ending;

mod program;

/// Names of the variables, from their one place.
#[path = "../../preload/src/variables.rs"]
pub mod variables;

/// Why the VMM is not started.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AttachError {
    /// What the user gave cannot be used.
    #[error("{0}")]
    Usage(String),
    /// The host, the VMM or the blob cannot do this.
    #[error("{0}")]
    Host(String),
}

impl From<NotInstalled> for AttachError {
    fn from(error: NotInstalled) -> Self {
        AttachError::Usage(error.to_string())
    }
}

/// Starts the VMM that `args` name in place of this program; comes back if that cannot be.
pub fn attach(args: &AttachArgs) -> Ending {
    match start(args) {
        Ok(never) => match never {},
        Err(AttachError::Usage(why)) => Ending::Usage(why),
        Err(AttachError::Host(why)) => Ending::Host(why),
    }
}

/// What the VMM's environment gets.
type Variables = Vec<(&'static str, OsString)>;

/// The variables that ask the library for what `args` say, with these blobs and this board's directory.
fn variables_of(args: &AttachArgs, blobs: &[PathBuf], board: Option<&Path>) -> Variables {
    let mut variables = vec![
        (variables::POLICY, args.policy.to_string().into()),
        (variables::ENGINE, args.engine.to_string().into()),
        (variables::WATCHDOG, args.watchdog.to_string().into()),
        (variables::CPUS, args.max_cpus.to_string().into()),
    ];
    // A file name with a colon cannot be one of several.
    match std::env::join_paths(blobs) {
        Ok(blobs) if !blobs.is_empty() => variables.push((variables::BLOB, blobs)),
        _ => {}
    }
    if let Some(hvc) = args.hvc {
        variables.push((variables::HVC, hvc.to_string().into()));
    }
    if args.dt.is_some() {
        variables.push((variables::DT, "smc".into()));
    }
    if let Some(trace) = &args.trace {
        variables.push((variables::TRACE, trace.into()));
    }
    if args.pages {
        variables.push((variables::PAGES, "board".into()));
    }
    if let Some(board) = board {
        variables.push((variables::BOARD, board.into()));
    }
    variables
}

/// LD_PRELOAD with our library before what the user has there.
fn preload(library: &Path, before: Option<OsString>) -> OsString {
    let mut all = library.as_os_str().to_owned();
    if let Some(before) = before.filter(|before| !before.is_empty()) {
        all.push(":");
        all.push(before);
    }
    all
}

#[cfg(not(all(target_arch = "aarch64", target_os = "linux")))]
fn start(_: &AttachArgs) -> Result<std::convert::Infallible, AttachError> {
    let why = "this needs an arm64 Linux, and a VMM that is made for that";
    Err(AttachError::Usage(why.into()))
}

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod with_kvm;

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
use with_kvm::start;

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn parse(words: &str) -> AttachArgs {
        let cli = Cli::try_parse_from(words.split(' ')).expect("valid");
        let Command::Attach(args) = cli.command else {
            panic!("{cli:?} is no attach");
        };
        args
    }

    #[test]
    fn what_is_not_said_is_the_librarys_to_choose() {
        let args = parse("fakemon attach --board virt -- qemu");
        let set = variables_of(&args, &["/b.elf".into()], None);
        let get = |name| set.iter().find(|(own, _)| *own == name);
        assert_eq!(get(variables::BLOB).expect("blobs").1, "/b.elf");
        assert_eq!(get(variables::POLICY).expect("a policy").1, "blob");
        for none in [
            variables::HVC,
            variables::DT,
            variables::TRACE,
            variables::BOARD,
            variables::PAGES,
        ] {
            assert_eq!(get(none), None, "{none}");
        }
    }

    #[test]
    fn a_boards_pages_are_served_if_that_is_asked_for() {
        let args = parse("fakemon attach --board zynqmp --pages -- qemu");
        let set = variables_of(&args, &["/b.elf".into()], Some(Path::new("/boards/zynqmp")));
        for wanted in [
            (variables::PAGES, "board".into()),
            (variables::BOARD, "/boards/zynqmp".into()),
        ] {
            assert!(set.contains(&wanted), "{set:?}");
        }
    }

    #[test]
    fn the_library_comes_before_the_users_own() {
        let library = Path::new("/l.so");
        assert_eq!(preload(library, None), "/l.so");
        assert_eq!(preload(library, Some("".into())), "/l.so");
        assert_eq!(preload(library, Some("/a.so".into())), "/l.so:/a.so");
    }
}
