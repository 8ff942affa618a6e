// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where kernel, device tree and initrd go in RAM.
//!
//! ```text
//! ram base   the kernel, at the offset that its format asks for
//!   ...
//!            device tree, 2 MiB aligned
//!            initrd
//! top        end of RAM, or for a 32-bit kernel the end of what it maps early
//! ```

use fakemon_host::Width;

use super::{Kernel, LoadError};

const MIB: u64 = 1 << 20;
/// The most that a device tree may have (booting.rst), and its alignment here.
pub const DTB_SPACE: u64 = 2 * MIB;
/// A 32-bit kernel maps at least this much of RAM from the start ("lowmem").
const LOWMEM: u64 = 512 * MIB;
/// What a kernel needs beyond its own image to come up at all.
const HEADROOM: u64 = 32 * MIB;

/// Guest physical addresses of everything that is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The kernel's first byte, and its entry point.
    pub kernel: u64,
    /// The device tree, with [`DTB_SPACE`] bytes of room.
    pub dtb: u64,
    /// The initrd, if there is one.
    pub initrd: u64,
}

/// Places everything in `ram` bytes of RAM from `base`.
///
/// # Errors
/// When it does not fit; the message says how much would do.
pub fn plan(
    width: Width,
    base: u64,
    ram: u64,
    kernel: &Kernel,
    initrd: u64,
) -> Result<Layout, LoadError> {
    let reach = match width {
        Width::AArch64 => ram,
        Width::AArch32 => ram.min(LOWMEM),
    };
    let kernel_end = kernel.offset + kernel.footprint;
    let taken = kernel_end + HEADROOM + DTB_SPACE;
    let need = (taken + initrd).next_multiple_of(DTB_SPACE);
    if need > reach {
        if need <= ram {
            let (size, limit) = (initrd / MIB, (reach - taken.min(reach)) / MIB);
            return Err(LoadError::InitrdTooBig { size, limit });
        }
        return Err(LoadError::TooSmall {
            have: ram / MIB,
            need: need.div_ceil(MIB),
        });
    }
    let top = base + reach;
    let initrd = (top - initrd) & !0xfff;
    let dtb = (initrd - DTB_SPACE) & !(DTB_SPACE - 1);
    Ok(Layout {
        kernel: base + kernel.offset,
        dtb,
        initrd,
    })
}
