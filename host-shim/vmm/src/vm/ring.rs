// SPDX-License-Identifier: Apache-2.0 OR MIT
//! KVM's ring of coalesced MMIO: stores of the guest that need no exit, to be carried out later
//! (Documentation/virt/kvm/api.rst, KVM_REGISTER_COALESCED_MMIO).
//!
//! KVM appends under a lock of its own and advances `last`; whoever takes an entry holds the ring's
//! lock here and advances `first`. A full ring makes the store an exit, as without one.

use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use kvm_bindings::{
    KVM_COALESCED_MMIO_PAGE_OFFSET, kvm_coalesced_mmio as Entry, kvm_coalesced_mmio_ring as Header,
};
use kvm_ioctls::{IoEventAddress, VcpuFd, VmFd};
use vm_memory::{Bytes, MmapRegion, VolatileMemory, VolatileSlice};

use super::{VmError, page_size};

/// A store that the guest has made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Store {
    pub(super) address: u64,
    data: [u8; 8],
    size: usize,
}

impl Store {
    pub(super) fn data(&self) -> &[u8] {
        &self.data[..self.size]
    }
}

/// The ring of a VM.
#[derive(Debug)]
pub(super) struct Ring {
    page: MmapRegion<()>,
    /// Held by the one who takes entries, until they are carried out, so that they stay in order.
    taking: Mutex<()>,
    size: usize,
}

impl Ring {
    /// Has stores of up to `size` bytes at `address` go to the ring, which KVM shows in the pages of any
    /// `vcpu`.
    pub(super) fn new(vm: &VmFd, vcpu: &VcpuFd, address: u64, size: u32) -> Result<Ring, VmError> {
        let bytes = page_size() as usize;
        let offset = bytes * KVM_COALESCED_MMIO_PAGE_OFFSET as usize;
        let (prot, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: a new mapping, at an address that the kernel chooses, takes no memory from anybody.
        let page = unsafe {
            libc::mmap(
                ptr::null_mut(),
                bytes,
                prot,
                flags,
                vcpu.as_raw_fd(),
                offset as libc::off_t,
            )
        };
        let no_ring = VmError::kvm("show its ring of stores");
        if page == libc::MAP_FAILED {
            return Err(no_ring(kvm_ioctls::Error::last()));
        }
        // SAFETY: the mapping of this size has just been made, and lives until the ring is dropped.
        let page = unsafe { MmapRegion::build_raw(page.cast(), bytes, prot, flags) }
            .map_err(|_| no_ring(kvm_ioctls::Error::new(libc::EINVAL)))?;
        vm.register_coalesced_mmio(IoEventAddress::Mmio(address), size)
            .map_err(VmError::kvm("collect a device's stores"))?;
        Ok(Ring {
            page,
            taking: Mutex::new(()),
            size: bytes,
        })
    }

    /// Hands over all stores, in their order; returns when they are carried out.
    pub(super) fn drain(&self, mut carry_out: impl FnMut(&Store)) {
        let page = self.page.as_volatile_slice();
        let _alone = self.taking.lock().unwrap_or_else(PoisonError::into_inner);
        // No more than there can be now: a guest may go on for ever.
        for _ in 0..self.count() {
            match self.take(&page) {
                Some(store) => carry_out(&store),
                None => return,
            }
        }
    }

    /// How many entries the page has.
    fn count(&self) -> usize {
        (self.size - size_of::<Header>()) / size_of::<Entry>()
    }

    fn take(&self, page: &VolatileSlice<'_>) -> Option<Store> {
        let count = self.count();
        // Read last, whose acquire makes what KVM wrote before visible.
        let first = word(page, FIRST) as usize % count;
        if first == word(page, LAST) as usize % count {
            return None;
        }
        let at = size_of::<Header>() + first * size_of::<Entry>();
        let field = |offset| at + offset;
        let mut data = [0; 8];
        let address = page
            .read_obj(field(std::mem::offset_of!(Entry, phys_addr)))
            .ok()?;
        let size: u32 = page
            .read_obj(field(std::mem::offset_of!(Entry, len)))
            .ok()?;
        page.read_slice(&mut data, field(std::mem::offset_of!(Entry, data)))
            .ok()?;
        let next = ((first + 1) % count) as u32;
        page.store(next, FIRST, Ordering::Release).ok()?;
        Some(Store {
            address,
            data,
            size: (size as usize).min(data.len()),
        })
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping was made for this ring, and nobody else has its address.
        unsafe { libc::munmap(self.page.as_ptr().cast(), self.size) };
    }
}

const FIRST: usize = std::mem::offset_of!(Header, first);
const LAST: usize = std::mem::offset_of!(Header, last);

/// A word of the ring's header; it lies inside, so it can be read.
fn word(page: &VolatileSlice<'_>, at: usize) -> u32 {
    page.load(at, Ordering::Acquire).unwrap_or(0)
}
