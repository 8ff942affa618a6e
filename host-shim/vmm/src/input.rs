// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reads and checks everything that the command line names, before anything is started.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use dtoolkit::model::DeviceTree;
use fakemon_abi::mpidr;
use fakemon_host::{Blob, BlobError, Policy, Width};
use fakemon_manifest::{Board, ManifestError, memory};

use crate::cli::RunArgs;
use crate::dt::{self, DtError};
use crate::installed::{Installed, NotInstalled};
use crate::loader::layout::DTB_SPACE;
use crate::loader::{self, Kernel, Layout, LoadError, MAX_KERNEL};
use crate::memory::{Memory, MemoryError};

const MIB: u64 = 1 << 20;
/// The most bytes of an initrd: what a kernel of any width can address with 32 bits.
const MAX_INITRD: u64 = 4 << 30;
/// The most bytes of a blob's file, most of which is debugging information.
const MAX_BLOB: u64 = 64 * MIB;

/// Everything that a boot of the guest needs; it can be used for many.
#[derive(Clone, Debug)]
pub struct Input {
    /// The board.
    pub board: Board,
    /// What the CPUs execute.
    pub width: Width,
    /// The kernel.
    pub kernel: Kernel,
    /// The initrd, if there is one.
    pub initrd: Option<Vec<u8>>,
    /// The device tree to start from, if one was given.
    pub dtb: Option<DeviceTree>,
    /// The blobs, with policy `blob`; the first is the board's.
    pub blobs: Vec<Blob>,
    /// MPIDR affinity of each CPU.
    pub mpidr: Vec<u64>,
    /// Bytes of RAM.
    pub ram: u64,
    /// Where things go in it.
    pub layout: Layout,
    /// The kernel's command line.
    pub bootargs: String,
}

/// Something that the user gave cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// A file cannot be read.
    #[error("cannot read {what} {}: {source}", path.display())]
    Read {
        /// What the file is for.
        what: &'static str,
        /// Its name.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file is larger than what it could be used for.
    #[error("{what} {} has more than {limit} MiB, the most that this guest can use; is it the right file?", path.display())]
    TooLarge {
        /// What the file is for.
        what: &'static str,
        /// Its name.
        path: PathBuf,
        /// What it may have, in MiB.
        limit: u64,
    },
    /// A board that is not installed, or its blob.
    #[error(transparent)]
    NotInstalled(#[from] NotInstalled),
    /// The board's data is wrong.
    #[error(transparent)]
    Board(#[from] ManifestError),
    /// The kernel cannot be booted here.
    #[error(transparent)]
    Kernel(#[from] LoadError),
    /// The device tree cannot be used.
    #[error(transparent)]
    Dt(#[from] DtError),
    /// The board is one of those that have no device tree of their own.
    #[error(
        "board {board} starts from the device tree {dtb} of the package {kernel}: give one with --dtb FILE"
    )]
    NoDtb {
        /// The board's name.
        board: String,
        /// Its device tree.
        dtb: String,
        /// The package of its kernel.
        kernel: String,
    },
    /// The memory size cannot be used.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// `--smc blob` without `--blob`.
    #[error("no blob given; use --blob FILE, or --smc kvm to run without one")]
    NoBlob,
    /// The blob is damaged or of another ABI: the blob's fault.
    #[error("blob {}: {source}", path.display())]
    Blob {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        source: BlobError,
    },
    /// The blob is another board's.
    #[error("blob {} is for board {found}, not {board}; build it with `cargo xtask blob {board}`", path.display())]
    OtherBoard {
        /// Its file.
        path: PathBuf,
        /// The board that it is for.
        found: String,
        /// The board that was asked for.
        board: String,
    },
    /// More CPUs than the board can have.
    #[error("board {board} has room for {limit} CPUs{why}; use a smaller --smp")]
    TooManyCpus {
        /// The board's name.
        board: String,
        /// How many it can have.
        limit: usize,
        /// Why, as a continuation of the sentence.
        why: &'static str,
    },
    /// A GIC version that the board does not have.
    #[error("board {board} has no GICv{gic}; leave --gic out")]
    NoSuchGic {
        /// The board's name.
        board: String,
        /// The version that was asked for.
        gic: u32,
    },
}

impl InputError {
    /// Tells whether the blob is at fault, and not the user.
    pub fn is_blob(&self) -> bool {
        matches!(
            self,
            InputError::Blob { .. } | InputError::OtherBoard { .. }
        )
    }
}

impl Input {
    /// Reads what `args` name.
    ///
    /// # Errors
    /// The first thing that cannot be used.
    pub fn read(args: &RunArgs) -> Result<Input, InputError> {
        let (board, blobs) = files_of(args)?;
        let board = Board::load(&board)?;
        let width = board.guest.arch.width();
        let mpidr = mpidr(
            &board,
            args.smp.unwrap_or(board.machine.cpus) as usize,
            args.gic,
        )?;
        let ram = args.mem.unwrap_or(board.machine.memory).0;
        Memory::check(&board, ram, memory::of_this_machine())?;
        let kernel = file("kernel", &args.kernel, MAX_KERNEL.min(ram))?;
        let kernel = loader::kernel(&args.kernel, kernel, width, &board.name)?;
        let initrd = args
            .initrd
            .as_deref()
            .map(|path| file("initrd", path, MAX_INITRD.min(ram)))
            .transpose()?;
        let initrd_size = initrd.as_ref().map_or(0, |initrd| initrd.len() as u64);
        let layout = loader::plan(width, board.machine.ram_base, ram, &kernel, initrd_size)?;
        let dtb = args.dtb.as_deref().map(device_tree).transpose()?;
        if let (None, Some(dtb)) = (&dtb, &board.guest.dtb) {
            return Err(InputError::NoDtb {
                board: board.name.clone(),
                dtb: dtb.clone(),
                kernel: board.guest.kernel.clone(),
            });
        }
        let blobs = match (args.smc, &blobs[..]) {
            (Policy::Blob, []) => return Err(InputError::NoBlob),
            (Policy::Blob, [first, more @ ..]) => {
                let mut blobs = vec![blob_of(first, &board.name)?];
                for path in more {
                    blobs.push(blob(path)?);
                }
                blobs
            }
            _ => Vec::new(),
        };
        let words = [
            "console=ttyAMA0",
            board.guest.append.trim(),
            args.append.trim(),
        ];
        let bootargs = words
            .into_iter()
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ");
        Ok(Input {
            board,
            width,
            kernel,
            initrd,
            dtb,
            blobs,
            mpidr,
            ram,
            layout,
            bootargs,
        })
    }
}

/// The board's directory, and the blobs: the user's own, or the one that is installed for a board's name.
fn files_of(args: &RunArgs) -> Result<(PathBuf, Vec<PathBuf>), InputError> {
    let Some(name) = &args.name else {
        return Ok((args.board.clone().unwrap_or_default(), args.blob.clone()));
    };
    let installed = Installed::of_this_program()?;
    let board = installed.board(name)?;
    let blobs = match (args.smc, &args.blob[..]) {
        (Policy::Blob, []) => vec![installed.blob(name)?],
        (_, own) => own.to_vec(),
    };
    Ok((board, blobs))
}

/// Reads a file, but not more of it than could be used.
fn file(what: &'static str, path: &Path, limit: u64) -> Result<Vec<u8>, InputError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| {
        let mut limited = file.take(limit.saturating_add(1));
        limited.read_to_end(&mut bytes)
    });
    match read {
        Ok(size) if size as u64 > limit => Err(InputError::TooLarge {
            what,
            path: path.into(),
            limit: limit / MIB,
        }),
        Ok(_) => Ok(bytes),
        Err(source) => Err(InputError::Read {
            what,
            path: path.into(),
            source,
        }),
    }
}

pub(crate) fn device_tree(path: &Path) -> Result<DeviceTree, InputError> {
    Ok(dt::read(
        &path.display().to_string(),
        &file("device tree", path, DTB_SPACE)?,
    )?)
}

/// A blob that may be any board's.
pub(crate) fn blob(path: &Path) -> Result<Blob, InputError> {
    let bytes = file("blob", path, MAX_BLOB)?;
    Blob::parse(&bytes).map_err(|source| InputError::Blob {
        path: path.into(),
        source,
    })
}

/// A blob that has to be this board's.
pub(crate) fn blob_of(path: &Path, board: &str) -> Result<Blob, InputError> {
    let blob = blob(path)?;
    if blob.board() != board {
        let (found, board) = (blob.board().to_owned(), board.to_owned());
        return Err(InputError::OtherBoard {
            path: path.into(),
            found,
            board,
        });
    }
    Ok(blob)
}

/// The MPIDRs of `cpus` CPUs, if the board can have that many.
fn mpidr(board: &Board, cpus: usize, gic: Option<u32>) -> Result<Vec<u64>, InputError> {
    let machine = &board.machine;
    let versions: Vec<u32> = machine
        .gic
        .versions
        .iter()
        .map(|&version| version.into())
        .collect();
    if let Some(gic) = gic.filter(|gic| !versions.contains(gic)) {
        return Err(InputError::NoSuchGic {
            board: board.name.clone(),
            gic,
        });
    }
    let (limit, why) = machine.cpus_limit(gic);
    if cpus > limit {
        return Err(InputError::TooManyCpus {
            board: board.name.clone(),
            limit,
            why,
        });
    }
    Ok(match &machine.mpidr {
        Some(list) => list[..cpus].to_vec(),
        None => (0..cpus as u32).map(mpidr::kvm).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_board_says_how_many_cpus_it_can_have() {
        let board = testing::board("");
        assert_eq!(mpidr(&board, 17, None).expect("room")[16], 0x100);
        let error = mpidr(&board, 9, Some(2)).expect_err("a GICv2 serves eight");
        assert_eq!(
            error.to_string(),
            "board virt has room for 8 CPUs with a GICv2; use a smaller --smp"
        );
        let error = mpidr(&board, 512, None).expect_err("the console is in the way");
        assert!(
            error
                .to_string()
                .starts_with("board virt has room for 123 CPUs (another device"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = file("initrd", Path::new("/nowhere/x"), MIB)
            .expect_err("missing")
            .to_string();
        assert!(
            error.starts_with("cannot read initrd /nowhere/x: No such file"),
            "{error}"
        );
    }

    #[test]
    fn a_file_is_read_up_to_what_can_be_used() {
        let error = file("initrd", Path::new("/dev/zero"), 3 * MIB).expect_err("no end");
        assert_eq!(
            error.to_string(),
            "initrd /dev/zero has more than 3 MiB, the most that this guest can use; is it the right \
             file?"
        );
        let small = file("initrd", Path::new("/dev/null"), 0).expect("empty");
        assert!(small.is_empty());
    }

    #[test]
    fn a_file_that_is_no_blob_is_the_blobs_fault() {
        let path = std::env::temp_dir().join(format!("fakemon-blob-{}", std::process::id()));
        std::fs::write(&path, b"not an ELF").expect("written");
        let error = blob(&path).expect_err("not a blob");
        std::fs::remove_file(&path).expect("removed");
        assert!(
            error.is_blob() && error.to_string().starts_with("blob "),
            "{error}"
        );
    }
}
