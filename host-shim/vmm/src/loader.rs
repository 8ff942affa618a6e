// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Kernels: recognises a file, refuses what the board cannot boot, and says where everything goes
//! in RAM.

pub mod image;
pub mod layout;
pub mod zimage;

use std::io::Read;
use std::path::Path;

use fakemon_host::Width;
use flate2::read::GzDecoder;

pub use layout::{Layout, plan};

/// The most that a kernel may unpack to: Linux itself assumes less.
pub const MAX_KERNEL: u64 = 1 << 30;

/// The format of kernels for CPUs of this width.
fn format_of(width: Width) -> &'static str {
    match width {
        Width::AArch64 => "an arm64 Image",
        Width::AArch32 => "a 32-bit Arm zImage",
    }
}

/// A kernel that is ready to be copied into RAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// The bytes to copy.
    pub bytes: Vec<u8>,
    /// Where in RAM they go, counted from the start of RAM.
    pub offset: u64,
    /// Bytes from `offset` that the kernel needs for itself before it can look after memory.
    pub footprint: u64,
}

/// A file that cannot be booted here; the message says which and why.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is something else.
    #[error("kernel {file} is {found}; board {board} needs {wanted}")]
    Format {
        /// The file.
        file: String,
        /// What it is instead.
        found: String,
        /// The board's name.
        board: String,
        /// What would do.
        wanted: &'static str,
    },
    /// It is the right format, but damaged.
    #[error("kernel {file} is damaged: {why}; fetch it again")]
    Damaged {
        /// The file.
        file: String,
        /// What does not add up.
        why: String,
    },
    /// RAM cannot hold it all.
    #[error(
        "{have} MiB of memory is too small for this kernel and initrd; use --mem {need}M or more"
    )]
    TooSmall {
        /// What there is, in MiB.
        have: u64,
        /// What it takes, in MiB.
        need: u64,
    },
    /// The initrd cannot be placed where a 32-bit kernel sees it.
    #[error(
        "the initrd of {size} MiB does not fit the {limit} MiB that a 32-bit kernel can reach early"
    )]
    InitrdTooBig {
        /// Its size, in MiB.
        size: u64,
        /// What it may have, in MiB.
        limit: u64,
    },
}

/// Recognises the kernel in `bytes`, which were read from `file`, for a board that boots `wanted`.
///
/// # Errors
/// When it is another format or architecture, or damaged.
pub fn kernel(
    file: &Path,
    bytes: Vec<u8>,
    wanted: Width,
    board: &str,
) -> Result<Kernel, LoadError> {
    let file = file.display().to_string();
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
        unpack(&file, &bytes)?
    } else {
        bytes
    };
    let damaged = |why: String| LoadError::Damaged {
        file: file.clone(),
        why,
    };
    match wanted {
        Width::AArch64 if image::is_image(&bytes) => image::parse(bytes).map_err(damaged),
        Width::AArch32 if zimage::is_zimage(&bytes) => zimage::parse(bytes).map_err(damaged),
        _ => Err(LoadError::Format {
            found: recognise(&bytes),
            file,
            board: board.into(),
            wanted: format_of(wanted),
        }),
    }
}

fn unpack(file: &str, bytes: &[u8]) -> Result<Vec<u8>, LoadError> {
    let damaged = |why: String| LoadError::Damaged {
        file: file.into(),
        why,
    };
    let mut unpacked = Vec::new();
    let mut limited = GzDecoder::new(bytes).take(MAX_KERNEL + 1);
    limited
        .read_to_end(&mut unpacked)
        .map_err(|error| damaged(format!("gzip: {error}")))?;
    if unpacked.len() as u64 > MAX_KERNEL {
        return Err(damaged("it unpacks to more than 1 GiB".into()));
    }
    Ok(unpacked)
}

/// Names what a file is, for messages.
fn recognise(bytes: &[u8]) -> String {
    let at = |offset: usize, magic: &[u8]| {
        bytes
            .get(offset..)
            .is_some_and(|rest| rest.starts_with(magic))
    };
    let name = if at(4, b"zimg") && at(0, b"MZ") {
        "an EFI zboot image (unpack the Image from it first)"
    } else if image::is_image(bytes) {
        "an arm64 Image"
    } else if zimage::is_zimage(bytes) {
        "a 32-bit Arm zImage"
    } else if at(0x202, b"HdrS") {
        "an x86 bzImage"
    } else if at(0x30, b"RISCV") {
        "a RISC-V Image"
    } else if at(0, b"\x7fELF") {
        "an ELF file (a vmlinux is not bootable here)"
    } else if at(0, &[0x27, 0x05, 0x19, 0x56]) {
        "a U-Boot uImage"
    } else if at(0, &[0xd0, 0x0d, 0xfe, 0xed]) {
        "a device tree or FIT image"
    } else if bytes.is_empty() {
        "empty"
    } else {
        "not a kernel"
    };
    name.into()
}

/// Reads a little-endian word at `offset`; what is not there is zero.
fn word<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let field = bytes.get(offset..).and_then(|rest| rest.first_chunk::<N>());
    field.copied().unwrap_or([0; N])
}

#[cfg(test)]
mod tests;
