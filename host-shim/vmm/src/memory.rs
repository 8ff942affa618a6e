// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest's memory: RAM and the pages of a board that are plain storage.

use std::fmt;
use std::ops::Range;

use fakemon_manifest::Board;
use fakemon_manifest::memory::TooMuchMemory;
use vm_memory::{
    Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion, GuestRegionMmap,
};

/// One stretch of guest memory and where it lies in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Guest physical address.
    pub guest: u64,
    /// Address in this process.
    pub host: u64,
    /// Size in bytes.
    pub size: u64,
}

/// Memory cannot be had as asked.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The board or this machine has not that much.
    #[error(transparent)]
    TooMuch(#[from] TooMuchMemory),
    /// The size is no multiple of the page size.
    #[error("memory of {0} bytes is not a whole number of MiB")]
    Uneven(u64),
    /// The host has not that much.
    #[error("cannot map {mib} MiB of guest memory: {why}; use a smaller --mem")]
    Map {
        /// What was asked for, in MiB.
        mib: u64,
        /// The system's reason.
        why: String,
    },
    /// RAM begins inside a page of the host's.
    #[error(
        "the board's RAM begins at {base:#x}, inside one of this host's pages of {} KiB; use a host kernel \
         with smaller pages",
        granule / 1024
    )]
    Page {
        /// Where RAM begins.
        base: u64,
        /// Bytes of a page.
        granule: u64,
    },
    /// Something that was to be loaded lies outside RAM.
    #[error("cannot load {size} bytes at {address:#x}: {why}")]
    Load {
        /// How much.
        size: usize,
        /// Where.
        address: u64,
        /// The reason.
        why: String,
    },
}

/// All memory of a guest; unmapped when dropped.
pub struct Memory {
    map: GuestMemoryMmap<()>,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.regions()).finish()
    }
}

const MIB: u64 = 1 << 20;

impl Memory {
    /// Checks a size of RAM against a board, and the `host` bytes of RAM of this machine.
    ///
    /// # Errors
    /// When the board or the host has not that much, or it is no whole number of MiB.
    pub fn check(board: &Board, ram: u64, host: u64) -> Result<(), MemoryError> {
        board.check_memory(ram, host)?;
        if ram == 0 || !ram.is_multiple_of(MIB) {
            return Err(MemoryError::Uneven(ram));
        }
        Ok(())
    }

    /// Maps `ram` bytes from `base`, zeroed, and `pages`, on a host whose own pages have `granule` bytes.
    ///
    /// # Errors
    /// When the host refuses.
    pub fn new(
        base: u64,
        ram: u64,
        pages: &[Range<u64>],
        granule: u64,
    ) -> Result<Memory, MemoryError> {
        if !base.is_multiple_of(granule) {
            return Err(MemoryError::Page { base, granule });
        }
        let refused = |why: String| MemoryError::Map {
            mib: ram / MIB,
            why,
        };
        let pages = pages
            .iter()
            .map(|range| (range.start, range.end - range.start));
        let mut ranges: Vec<_> = pages.chain([(base, ram)]).collect();
        ranges.sort_unstable();
        let ranges: Vec<_> = ranges
            .into_iter()
            .map(|(base, size)| (GuestAddress(base), size as usize))
            .collect();
        let map = GuestMemoryMmap::from_ranges(&ranges).map_err(|e| refused(e.to_string()))?;
        Ok(Memory { map })
    }

    /// Copies bytes to a guest physical address.
    ///
    /// # Errors
    /// When they do not all lie in memory.
    pub fn write(&self, address: u64, bytes: &[u8]) -> Result<(), MemoryError> {
        self.map
            .write_slice(bytes, GuestAddress(address))
            .map_err(|error| MemoryError::Load {
                size: bytes.len(),
                address,
                why: error.to_string(),
            })
    }

    /// The regions, ascending; each stays mapped as long as the [`Memory`].
    pub fn regions(&self) -> Vec<Region> {
        let region = |region: &GuestRegionMmap<()>| Region {
            guest: region.start_addr().0,
            host: region.as_ptr().expose_provenance() as u64,
            size: region.len(),
        };
        self.map.iter().map(region).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_whole_number_of_mib_that_fits() {
        let board = crate::testing::board("");
        let check = |ram| Memory::check(&board, ram, 8192 * MIB);
        assert!(check(8192 * MIB).is_ok());
        for uneven in [0, 1, 64 * MIB + 1] {
            let refused = check(uneven);
            assert!(
                matches!(refused, Err(MemoryError::Uneven(_))),
                "{refused:?}"
            );
        }
        let refused = check(8193 * MIB);
        assert!(
            matches!(refused, Err(MemoryError::TooMuch(_))),
            "{refused:?}"
        );
    }

    #[test]
    fn ram_and_pages_become_regions() {
        let pages = [0x9000_0000..0x9000_1000, 0x1000..0x2000];
        let memory = Memory::new(0x4000_0000, 2 * MIB, &pages, 0x1000).expect("mapped");
        let regions: Vec<_> = memory.regions().iter().map(|r| (r.guest, r.size)).collect();
        assert_eq!(
            regions,
            [
                (0x1000, 0x1000),
                (0x4000_0000, 2 * MIB),
                (0x9000_0000, 0x1000)
            ]
        );
        assert!(memory.write(0x4000_0000, &[1; 4096]).is_ok());
        let error = memory
            .write(0x4000_0000 + 2 * MIB - 1, &[1; 2])
            .expect_err("past the end");
        assert!(
            error
                .to_string()
                .starts_with("cannot load 2 bytes at 0x401fffff"),
            "{error}"
        );
    }
    #[test]
    fn ram_begins_where_a_page_of_the_hosts_does() {
        let new = |base, granule| Memory::new(base, 2 * MIB, &[], granule);
        assert!(new(0x4000_1000, 0x1000).is_ok());
        let error = new(0x4000_1000, 0x4000).expect_err("inside a page");
        let text = error.to_string();
        assert!(
            text.contains("at 0x40001000") && text.contains("16 KiB"),
            "{text}"
        );
    }
}
