// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest's RAM, as far as the VMM has told of it: which regions there are, and what they hold.

use std::arch::asm;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::error::Error;

/// A region of guest RAM: where the guest sees it, and where the VMM has it mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestMemory {
    /// Guest physical address, a multiple of the host's page size.
    pub guest_addr: u64,
    /// Address of the mapping in this process.
    pub host_addr: u64,
    /// Size in bytes, a multiple of the host's page size.
    pub size: u64,
}

/// A region in use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Region {
    pub(crate) memory: GuestMemory,
    /// Which of the memory slots for guest memory it has in each monitor VM.
    pub(crate) slot: u32,
    /// No payload may write it, whatever its note says.
    pub(crate) read_only: bool,
}

/// What a payload can do with the guest's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GuestAccess {
    None,
    Read,
    Write,
}

/// What there is.
#[derive(Debug, Default)]
pub(crate) struct Regions {
    /// Ascending by address and apart.
    pub(crate) list: Vec<Region>,
    /// KVM keeps track of the pages that payloads write.
    pub(crate) log_dirty: bool,
    /// Such pages that KVM knows no longer and nobody has been told of, by a region's address.
    pub(crate) unread: BTreeMap<u64, Vec<u64>>,
}

/// What there is, for all threads.
#[derive(Debug)]
pub(crate) struct Ram {
    regions: RwLock<Regions>,
    page: u64,
}

impl GuestMemory {
    /// Where it ends, or the last address that there is.
    pub(crate) fn end(&self) -> u64 {
        self.guest_addr.saturating_add(self.size)
    }

    /// Tells whether it is made of pages of this size, of addresses that there are.
    fn check(&self, page: u64) -> Result<(), Error> {
        let guest_addr = self.guest_addr;
        let numbers = guest_addr | self.host_addr | self.size;
        if !numbers.is_multiple_of(page) || self.size == 0 {
            return Err(Error::GuestMemoryUnaligned { guest_addr, page });
        }
        if guest_addr.checked_add(self.size).is_none() {
            let limit = u64::MAX;
            return Err(Error::GuestMemoryTooHigh { guest_addr, limit });
        }
        Ok(())
    }
}

impl Ram {
    /// Without a region, on a host with pages of this size.
    pub(crate) fn new(page: u64) -> Self {
        Ram {
            regions: RwLock::default(),
            page,
        }
    }

    /// Bytes of a page, of which regions are made.
    pub(crate) fn page(&self) -> u64 {
        self.page
    }

    /// The regions, which stay as they are, and mapped, as long as the result is kept.
    pub(crate) fn regions(&self) -> RwLockReadGuard<'_, Regions> {
        self.regions.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The regions, for changing them.
    pub(crate) fn change(&self) -> RwLockWriteGuard<'_, Regions> {
        self.regions.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads up to 8 bytes of one line, as a walk of the guest's that goes past the caches would; [`None`] where
    /// there is no RAM.
    pub(crate) fn read(&self, address: u64, size: usize) -> Option<u64> {
        let regions = self.regions();
        let memory = regions.at(address)?.memory;
        if size > 8 || size as u64 > memory.end() - address {
            return None;
        }
        let host = memory.host_addr + (address - memory.guest_addr);
        let mut bytes = [0; 8];
        let from = std::ptr::with_exposed_provenance::<u8>(host as usize);
        write_back(from);
        // SAFETY: the region is mapped as long as it is in the list (`World::add_memory`), which is
        // locked; `size` bytes from here are inside it, and `bytes` has room for them. A guest that
        // writes them meanwhile changes bytes, nothing else.
        unsafe { std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), size) };
        Some(u64::from_le_bytes(bytes))
    }

    /// Carries out a store of a payload's, of up to 8 bytes, at an address that its VM has not got at the
    /// moment; tells whether there is RAM that payloads may write.
    pub(crate) fn write(&self, address: u64, size: usize, value: u64) -> bool {
        // Nearly all such stores are to devices, and keep nobody else from theirs.
        if !self.holds(address) {
            return false;
        }
        let mut regions = self.change();
        let Some(&region) = regions.at(address).filter(|region| !region.read_only) else {
            return false;
        };
        let memory = region.memory;
        if size > 8 || size as u64 > memory.end() - address {
            return false;
        }
        let offset = address - memory.guest_addr;
        let to = std::ptr::with_exposed_provenance_mut::<u8>((memory.host_addr + offset) as usize);
        let bytes = value.to_le_bytes();
        // SAFETY: the region is mapped and writable as long as it is in the list
        // (`World::add_memory`), which is locked; `size` bytes from here are inside it, and `bytes` has
        // as many. A guest that reads them meanwhile sees bytes of either value.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, size) };
        if regions.log_dirty {
            let pages = regions.unread_pages(&region, self.page);
            for page in [offset / self.page, (offset + size as u64 - 1) / self.page] {
                pages[(page / 64) as usize] |= 1 << (page % 64);
            }
        }
        true
    }

    /// Whether there is RAM at `address`.
    pub(crate) fn holds(&self, address: u64) -> bool {
        self.regions().at(address).is_some()
    }

    /// The `n`-th range of addresses without a gap, as base, size, and whether it may be written.
    pub(crate) fn range(&self, n: u64) -> Option<(u64, u64, bool)> {
        let regions = self.regions();
        let mut ranges: Vec<(u64, u64, bool)> = Vec::new();
        for region in &regions.list {
            let (base, size) = (region.memory.guest_addr, region.memory.size);
            match ranges.last_mut() {
                Some(last) if last.0 + last.1 == base && last.2 != region.read_only => {
                    last.1 += size;
                }
                _ => ranges.push((base, size, !region.read_only)),
            }
        }
        ranges.get(usize::try_from(n).ok()?).copied()
    }
}

/// Writes the line of an address back to memory, and drops it: a guest whose caches are off, or whose walks
/// are not cacheable, has its tables in memory, past a line that this process may have read before. Without
/// FEAT_S2FWB neither sees the other's then. Where both use the caches this changes nothing.
fn write_back(address: *const u8) {
    // SAFETY: DC CIVAC and DSB change no data and no flags, and the address is mapped; Linux lets
    // programs use them.
    unsafe {
        asm!(
            "dc civac, {}", "dsb sy",
            in(reg) address,
            options(nostack, preserves_flags)
        );
    }
}

impl Regions {
    /// The region that holds `address`.
    fn at(&self, address: u64) -> Option<&Region> {
        let after = self
            .list
            .partition_point(|region| region.memory.guest_addr <= address);
        let region = self.list.get(after.checked_sub(1)?)?;
        (address < region.memory.end()).then_some(region)
    }

    /// The pages of `page` bytes of a region that were written and that nobody has been told of: bit 0 of
    /// word 0 is the first one.
    pub(crate) fn unread_pages(&mut self, region: &Region, page: u64) -> &mut [u64] {
        let words = (region.memory.size / page).div_ceil(64) as usize;
        let pages = self.unread.entry(region.memory.guest_addr);
        pages.or_insert_with(|| vec![0; words])
    }

    /// Where the region is in the list that begins at this address.
    pub(crate) fn position(&self, guest_addr: u64) -> Result<usize, Error> {
        self.list
            .iter()
            .position(|region| region.memory.guest_addr == guest_addr)
            .ok_or(Error::NoGuestMemory(guest_addr))
    }

    /// Puts a region among the others, in the first slot that is free, and returns where it is.
    pub(crate) fn insert(&mut self, memory: GuestMemory, page: u64) -> Result<usize, Error> {
        memory.check(page)?;
        let list = &mut self.list;
        let at = list.partition_point(|region| region.memory.guest_addr < memory.guest_addr);
        let before = at.checked_sub(1).map(|n| list[n].memory.end());
        let after = list.get(at).map(|region| region.memory.guest_addr);
        if before.is_some_and(|end| end > memory.guest_addr)
            || after.is_some_and(|start| start < memory.end())
        {
            return Err(Error::GuestMemoryOverlaps(memory.guest_addr));
        }
        let slot = (0..)
            .find(|slot| list.iter().all(|region| region.slot != *slot))
            .unwrap_or(u32::MAX);
        let region = Region {
            memory,
            slot,
            read_only: false,
        };
        list.insert(at, region);
        Ok(at)
    }
}
