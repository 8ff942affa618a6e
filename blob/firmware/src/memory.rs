// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The caller's memory as services reach it: by copy, and only where the caller has memory.
//!
//! An address in a call is the caller's claim. It may point at a device, at the firmware itself, or
//! at nothing, and what lies there may change while somebody looks. So there are no pointers to it:
//! [`Platform::read_memory`](crate::Platform::read_memory) copies out of it and
//! [`Platform::write_memory`](crate::Platform::write_memory) into it, both refuse what does not lie
//! in one region of the caller's memory, and a service decides on its copy.

use crate::error::Error;

/// A region of the caller's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// First physical address.
    pub base: u64,
    /// Bytes.
    pub size: u64,
    /// Whether the firmware may write there.
    pub writable: bool,
}

impl Region {
    /// Tells whether `size` bytes from `address` lie in here.
    pub fn holds(&self, address: u64, size: usize) -> bool {
        address.checked_sub(self.base).is_some_and(|offset| {
            offset
                .checked_add(size as u64)
                .is_some_and(|end| end <= self.size)
        })
    }
}

/// Picks the region that holds `size` bytes from `address` and, if asked, takes writes.
///
/// # Errors
/// [`Error::InvalidAddress`] if none does.
pub fn find(
    regions: impl IntoIterator<Item = Region>,
    address: u64,
    size: usize,
    write: bool,
) -> Result<Region, Error> {
    regions
        .into_iter()
        .find(|region| region.holds(address, size) && (region.writable || !write))
        .ok_or(Error::InvalidAddress)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_whole_in_one_region_is_memory() {
        let region = Region {
            base: 0x1000,
            size: 0x1000,
            writable: false,
        };
        assert!(region.holds(0x1000, 0x1000) && region.holds(0x1fff, 1));
        assert!(region.holds(0x2000, 0), "nothing is everywhere");
        for (address, size) in [
            (0xfff, 1),
            (0x1fff, 2),
            (0x2000, 1),
            (u64::MAX, 1),
            (0x1001, usize::MAX),
        ] {
            assert!(!region.holds(address, size), "{address:#x} {size:#x}");
        }
        assert_eq!(find([region], 0x1000, 4, false), Ok(region));
        assert_eq!(find([region], 0x1000, 4, true), Err(Error::InvalidAddress));
    }
}
