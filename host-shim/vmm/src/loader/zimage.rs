// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The 32-bit Arm zImage (Linux, arch/arm/boot/compressed/head.S), which unpacks itself.
//!
//! Debian's armmp kernel places itself at the start of the 128 MiB that its own program counter
//! lies in (CONFIG_AUTO_ZRELADDR). Loaded 32 MiB further up it need not move itself out of its own
//! way first (Documentation/arch/arm/booting.rst, "Calling the kernel image").

use super::{Kernel, word};

const MAGIC: u32 = 0x016f_2818;
const MAGIC_AT: usize = 0x24;
const START: usize = 0x28;
const END: usize = 0x2c;
const ENDIANNESS: usize = 0x30;
const LITTLE_ENDIAN: u32 = 0x0403_0201;
/// Where it goes.
const OFFSET: u64 = 32 << 20;
/// What it may take up from there: itself, its heap, and itself once more if it has to move.
const MARGIN: u64 = 16 << 20;

/// Tells whether the bytes start with a zImage's header.
pub fn is_zimage(bytes: &[u8]) -> bool {
    u32::from_le_bytes(word(bytes, MAGIC_AT)) == MAGIC
}

/// Reads the header.
///
/// # Errors
/// A reason, when the header contradicts the file.
pub fn parse(bytes: Vec<u8>) -> Result<Kernel, String> {
    let field = |offset| u32::from_le_bytes(word(&bytes, offset));
    let size = field(END).wrapping_sub(field(START)) as usize;
    if field(ENDIANNESS) != LITTLE_ENDIAN {
        return Err("it is not little-endian".into());
    }
    if size > bytes.len() {
        return Err(format!(
            "it should have {size} bytes and has {}",
            bytes.len()
        ));
    }
    Ok(Kernel {
        footprint: 2 * bytes.len() as u64 + MARGIN,
        bytes,
        offset: OFFSET,
    })
}
