// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest's device tree: generated or given, made to fit this machine, then changed as the board
//! says.
//!
//! The order matters. What the VMM knows best (CPUs, memory, command line, initrd) is put into the
//! tree first, whether it was generated or read from a DTB; the board's changes come last, so that
//! a board can override everything.

mod change;
mod fit;
mod generate;
mod read;
mod tree;

use std::ops::Range;

use dtoolkit::model::DeviceTree;
use fakemon_host::Width;
use fakemon_manifest::Board;

use crate::loader::layout::DTB_SPACE;

/// What the tree has to describe.
#[derive(Clone, Debug)]
pub struct Description<'a> {
    /// The board.
    pub board: &'a Board,
    /// What the CPUs execute.
    pub width: Width,
    /// MPIDR affinity of each CPU.
    pub mpidr: &'a [u64],
    /// GIC architecture version: 2 or 3.
    pub gic: u32,
    /// Bytes of RAM from the board's base.
    pub ram: u64,
    /// Kernel command line.
    pub bootargs: &'a str,
    /// Guest physical addresses of the initrd, if there is one.
    pub initrd: Option<Range<u64>>,
}

/// A device tree cannot be made; the message says of which node and why.
#[derive(Debug, thiserror::Error)]
pub enum DtError {
    /// The file is not a device tree.
    #[error("{file} is not a device tree blob: {why}")]
    NotDtb {
        /// The file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// The tree is too big for the room that kernels give it.
    #[error(
        "the device tree has {0} bytes, and kernels take 2 MiB at most: give fewer CPUs or nodes"
    )]
    TooBig(usize),
    /// A change or a reference names a node that is not there.
    #[error("board {board}: the device tree has no node {path}; correct [[guest.dt]]")]
    NoNode {
        /// The board's name.
        board: String,
        /// The node's path.
        path: String,
    },
    /// A change has a name that no node or property may have.
    #[error("board {board}: {path}: {why}; correct [[guest.dt]]")]
    BadName {
        /// The board's name.
        board: String,
        /// The node's path.
        path: String,
        /// The rule that it breaks.
        why: String,
    },
    /// The base tree lacks what every tree has.
    #[error("the given device tree has no {0}, so it cannot be made to fit this machine")]
    Unfit(&'static str),
    /// The tree is that of a machine whose kernel would find no interrupts or time here.
    #[error(
        "the device tree has no {what} ({compatible}), which board {board} has: it is another \
         machine's, whose kernel would hang without a word; give one that has it, or none"
    )]
    OtherMachine {
        /// The board's name.
        board: String,
        /// What is missing.
        what: &'static str,
        /// How nodes of it are called.
        compatible: &'static str,
    },
}

/// Reads a DTB; `file` is its name for messages.
///
/// # Errors
/// When it is not one.
pub fn read(file: &str, bytes: &[u8]) -> Result<DeviceTree, DtError> {
    read::parse(bytes).map_err(|why| DtError::NotDtb {
        file: file.into(),
        why,
    })
}

/// Makes the guest's DTB from `base`, or from nothing.
///
/// # Errors
/// When the base or the board's changes do not fit.
pub fn build(what: &Description<'_>, base: Option<DeviceTree>) -> Result<Vec<u8>, DtError> {
    let mut tree = match base {
        Some(mut tree) => {
            fit::cpus(&mut tree, what)?;
            tree
        }
        None => generate::tree(what),
    };
    fit::memory(&mut tree, what);
    fit::chosen(&mut tree, what);
    change::apply(&mut tree, &what.board.name, &what.board.guest.dt)?;
    fit::check(&tree, what)?;
    flattened(&tree)
}

/// Makes the DTB of another VMM's tree with the board's changes.
///
/// # Errors
/// When they do not fit.
pub fn with_board(mut tree: DeviceTree, board: &Board) -> Result<Vec<u8>, DtError> {
    change::apply(&mut tree, &board.name, &board.guest.dt)?;
    flattened(&tree)
}

fn flattened(tree: &DeviceTree) -> Result<Vec<u8>, DtError> {
    let bytes = tree.to_dtb();
    if bytes.len() as u64 > DTB_SPACE {
        return Err(DtError::TooBig(bytes.len()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
