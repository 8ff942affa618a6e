// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the environment asks for. `fakemon attach` sets these variables, and so may anybody.
//!
//! They are looked at when the first VM is made, so that a program which makes none, such as a helper of
//! the VMM's, takes no notice of them.

use std::env;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::Duration;

use fakemon_host::abi::note::{CONDUIT_HVC, GUEST_MEMORY_WRITE};
use fakemon_host::{Blob, Config, Engine, Hvc, Policy};
use fakemon_manifest::{Board, Machine, PageKind};
use sha2::{Digest, Sha256};

use crate::say;
use crate::trace::Trace;
use crate::variables;

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) policy: Policy,
    pub(crate) blobs: Vec<Blob>,
    /// Of the blobs' files.
    pub(crate) digest: u64,
    pub(crate) config: Config,
    /// Device trees are to say `smc`.
    pub(crate) patches_device_tree: bool,
    /// For at least as many vCPUs there is room.
    pub(crate) cpus: u32,
    pub(crate) trace: Option<Trace>,
    /// The machine whose pages the VMM lacks.
    pub(crate) pages: Option<Machine>,
}

/// A variable is wrong, and that has been said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wrong;

/// The settings; [`None`] if nothing is asked for.
pub(crate) fn get() -> Result<Option<&'static Settings>, Wrong> {
    static SETTINGS: OnceLock<Result<Option<Settings>, Wrong>> = OnceLock::new();
    let settings = SETTINGS.get_or_init(|| {
        read().map_err(|why| {
            say!("{why}");
            Wrong
        })
    });
    settings
        .as_ref()
        .map(Option::as_ref)
        .map_err(|wrong| *wrong)
}

impl Settings {
    /// Those blobs that are asked for, as the library takes them.
    pub(crate) fn blobs(&self) -> Vec<&Blob> {
        self.blobs.iter().collect()
    }

    /// Whether blobs serve guests.
    pub(crate) fn serves(&self) -> bool {
        self.policy == Policy::Blob
    }

    /// Whether a blob writes the guest's memory.
    pub(crate) fn writes_memory(&self) -> bool {
        let mut blobs = self.blobs.iter();
        blobs.any(|blob| blob.note().guest_memory == GUEST_MEMORY_WRITE)
    }
}

fn read() -> Result<Option<Settings>, String> {
    let files = env::var_os(variables::BLOB);
    let Some(policy) = value(variables::POLICY)?.or(files.as_ref().map(|_| Policy::Blob)) else {
        return Ok(None);
    };
    let paths: Vec<PathBuf> = match (policy, files) {
        (Policy::Blob, None) => return Err(format!("no blob is given: set {}", variables::BLOB)),
        (Policy::Blob, Some(files)) => env::split_paths(&files).collect(),
        _ => Vec::new(),
    };
    let mut digest = Sha256::new();
    let blobs: Result<Vec<Blob>, String> =
        (paths.iter().map(|path| blob(path, &mut digest))).collect();
    let blobs = blobs?;
    let digest: [u8; 32] = digest.finalize().into();
    // As many bits are enough to tell blobs apart.
    let [.., a, b, c, d, e, f, g, h] = digest;
    let digest = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    // A blob that is made for SMC alone has no other way to serve a guest that was told to use HVC.
    let serves_hvc = |blob: &Blob| blob.note().conduits & CONDUIT_HVC != 0;
    let hvc = match blobs.iter().any(serves_hvc) {
        true => Hvc::AsNote,
        false => Hvc::AsSmc,
    };
    let mut config = Config {
        engine: value::<Engine>(variables::ENGINE)?.unwrap_or_default(),
        hvc: value(variables::HVC)?.unwrap_or(hvc),
        ..Config::default()
    };
    if let Some(ms) = value(variables::WATCHDOG)? {
        config.watchdog = Duration::from_millis(ms);
        config.watchdog_wall = config.watchdog_wall.max(config.watchdog * 10);
    }
    let board = env::var_os(variables::BOARD).map(|dir| Board::load(Path::new(&dir)));
    let board = board.transpose().map_err(|error| error.to_string())?;
    let pages = pages(board.as_ref())?;
    let trace = match env::var_os(variables::TRACE) {
        None => None,
        Some(path) => {
            // A trace is to show a call when it is over.
            config.log = 1;
            let trace = Trace::new(Path::new(&path), board);
            Some(trace.map_err(|error| format!("cannot write the trace {path:?}: {error}"))?)
        }
    };
    let patches_device_tree = match env::var(variables::DT).as_deref() {
        Err(_) => false,
        Ok("smc") => true,
        Ok(other) => return Err(format!("{} is {other:?}: it can be smc", variables::DT)),
    };
    Ok(Some(Settings {
        policy,
        blobs,
        digest,
        config,
        patches_device_tree,
        cpus: value(variables::CPUS)?.unwrap_or(1),
        trace,
        pages,
    }))
}

/// The board's machine, if its pages are to be there.
fn pages(board: Option<&Board>) -> Result<Option<Machine>, String> {
    let name = variables::PAGES;
    match (env::var(name).as_deref(), board) {
        (Err(_), _) => Ok(None),
        (Ok("board"), Some(board)) => {
            let mut machine = board.machine.clone();
            // That is between the VMM and KVM.
            machine
                .pages
                .retain(|page| page.kind != PageKind::StolenTime);
            Ok(Some(machine))
        }
        (Ok("board"), None) => Err(format!(
            "{name} needs {}, which is not set",
            variables::BOARD
        )),
        (Ok(other), _) => Err(format!("{name} is {other:?}: it can be board")),
    }
}

fn blob(path: &Path, digest: &mut Sha256) -> Result<Blob, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read {path:?}: {error}"))?;
    digest.update(&bytes);
    Blob::parse(&bytes).map_err(|error| format!("blob {path:?}: {error}"))
}

fn value<T: FromStr<Err: std::fmt::Display>>(name: &str) -> Result<Option<T>, String> {
    let Ok(text) = env::var(name) else {
        return Ok(None);
    };
    let value = text.parse();
    value.map(Some).map_err(|error| format!("{name}: {error}"))
}
