// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The console's registers as memory that the guest can read without an exit.
//!
//! A kernel asks for the flags before each letter that it sends. While nothing has been typed and no
//! interrupt for sending is wanted, reading the UART changes nothing, so its page can be memory that
//! is read-only to the guest: stores exit as ever, or go to the [ring](super::ring).

use std::arch::asm;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use kvm_bindings::{KVM_MEM_READONLY, kvm_userspace_memory_region};
use kvm_ioctls::VmFd;
use vm_memory::{Bytes, MmapRegion, VolatileMemory};

use crate::devices::pl011::{Pl011, Window};
use crate::say;

/// The page, in KVM's memory slot of this number.
pub(super) struct Page {
    vm: Arc<VmFd>,
    page: MmapRegion<()>,
    slot: u32,
    address: u64,
    is_open: bool,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Page {{ {:#x}, open {} }}", self.address, self.is_open)
    }
}

impl Page {
    /// A page at `address`, not open yet; [`None`] where it cannot be: the host's pages are larger
    /// than a UART's.
    pub(super) fn new(vm: &Arc<VmFd>, slot: u32, address: u64) -> Option<Page> {
        if super::page_size() != Pl011::SIZE {
            return None;
        }
        Some(Page {
            vm: vm.clone(),
            page: MmapRegion::new(Pl011::SIZE as usize).ok()?,
            slot,
            address,
            is_open: false,
        })
    }

    fn set(&mut self, open: bool) {
        let slot = kvm_userspace_memory_region {
            slot: self.slot,
            flags: KVM_MEM_READONLY,
            guest_phys_addr: self.address,
            memory_size: if open { Pl011::SIZE } else { 0 },
            userspace_addr: self.page.as_ptr().expose_provenance() as u64,
        };
        // SAFETY: the page is mapped and nobody's but the guest's, which may only read it; `Page`
        // closes the slot before it unmaps the page.
        match unsafe { self.vm.set_user_memory_region(slot) } {
            Ok(()) => self.is_open = open,
            Err(error) => say!("KVM cannot change the console's page: {error}"),
        }
    }
}

impl Window for Page {
    fn open(&mut self, registers: &[(u64, u32)]) {
        let page = self.page.as_volatile_slice();
        for &(offset, value) in registers {
            // Every register lies in the page.
            let _inside = page.store(value, offset as usize, Ordering::Relaxed);
            clean(self.page.as_ptr().wrapping_add(offset as usize));
        }
        if !self.is_open {
            self.set(true);
        }
    }

    fn close(&mut self) {
        if self.is_open {
            self.set(false);
        }
    }
}

/// Writes what is in a cache back to memory: the guest reads a device there, past the caches, where
/// the CPU has no FEAT_S2FWB.
fn clean(address: *const u8) {
    // SAFETY: DC CVAC and DSB change no data and no flags; Linux lets programs use them.
    unsafe { asm!("dc cvac, {}", "dsb sy", in(reg) address, options(nostack, preserves_flags)) };
}

impl Drop for Page {
    fn drop(&mut self) {
        self.close();
    }
}
