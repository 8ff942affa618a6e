// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The arm64 Image (Linux, Documentation/arch/arm64/booting.rst, "Call the kernel image").

use super::{Kernel, word};

const MAGIC: &[u8; 4] = b"ARM\x64";
const TEXT_OFFSET: usize = 8;
const IMAGE_SIZE: usize = 16;
const FLAGS: usize = 24;
const MAGIC_AT: usize = 56;
/// Bytes of the header.
const HEADER: usize = 64;
/// Where kernels from before 3.17 want to be, whose size field is zero.
const OLD_TEXT_OFFSET: u64 = 0x8_0000;
/// An Image larger than this is not one.
const MAX_IMAGE: u64 = 1 << 30;

/// Tells whether the bytes start with an Image's header.
pub fn is_image(bytes: &[u8]) -> bool {
    bytes.len() >= HEADER && &word::<4>(bytes, MAGIC_AT) == MAGIC
}

/// Reads the header.
///
/// # Errors
/// A reason, when the header contradicts itself or the file.
pub fn parse(bytes: Vec<u8>) -> Result<Kernel, String> {
    let size = u64::from_le_bytes(word(&bytes, IMAGE_SIZE));
    let flags = u64::from_le_bytes(word(&bytes, FLAGS));
    if flags & 1 != 0 {
        return Err("it is big-endian".into());
    }
    if size > MAX_IMAGE {
        return Err(format!("its header asks for {size:#x} bytes"));
    }
    let (offset, size) = match size {
        0 => (OLD_TEXT_OFFSET, bytes.len() as u64),
        _ => (u64::from_le_bytes(word(&bytes, TEXT_OFFSET)), size),
    };
    // Kernels before 5.8 ask for 0x80000, or at random for a multiple of 4 KiB; later ones for none.
    if offset >= 0x20_0000 || !offset.is_multiple_of(0x1000) {
        return Err(format!("its text offset is {offset:#x}"));
    }
    Ok(Kernel {
        footprint: size.max(bytes.len() as u64),
        bytes,
        offset,
    })
}
