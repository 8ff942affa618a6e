// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A monitor VM: a tiny VM beside the guest's, whose memory the guest cannot reach, for one payload.
//!
//! arm64 KVM has one stage 2 per VM, so what one vCPU may see all may see. A payload that the guest
//! must not see therefore lives in a VM of its own, with one vCPU for each of the guest's; guest
//! RAM is mapped into it as the payload wishes, and not at all if it does not ask
//! (docs/decisions/0001-two-vms.md). Two payloads of one guest have two such VMs, and are as far
//! apart from each other.

pub(crate) mod kick;
pub(crate) mod memory;
pub(crate) mod saved;
pub(crate) mod signal;
pub(crate) mod slot;
pub(crate) mod vcpu;
pub(crate) mod watchdog;

use std::sync::Arc;

use kvm_bindings::{KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY, kvm_userspace_memory_region};
use kvm_ioctls::{Kvm, VmFd};

use crate::error::Error;
use crate::filter;
use crate::guest::ram::{GuestAccess, Region};
use crate::layout::{Backing, Stage2};
use crate::monitor::memory::Memory;
use crate::monitor::slot::Slot;

/// Bits of an address of a VM that asks for nothing else. No monitor needs more.
const ADDRESS_BITS: u32 = 40;

/// What this host's VMs have for a stage 2.
pub(crate) fn stage_2(kvm: &Kvm) -> Stage2 {
    // A kernel that does not say has VMs of the default size.
    let limit = match u32::try_from(kvm.get_host_ipa_limit()) {
        Ok(limit @ 1..) => limit,
        _ => ADDRESS_BITS,
    };
    Stage2 {
        page: rustix::param::page_size() as u64,
        bits: limit.min(ADDRESS_BITS),
    }
}

/// The VM.
#[derive(Debug)]
pub(crate) struct Vm {
    fd: VmFd,
    // Last but for plain values, so that the VM goes before what it refers to.
    memory: Arc<Memory>,
    access: GuestAccess,
    vcpus: Vcpus,
}

/// The vCPUs of a monitor VM.
#[derive(Clone, Debug)]
pub(crate) struct Vcpus {
    /// KVM carries the calls of the payload by itself.
    pub(crate) bound: bool,
    /// What other threads know of each.
    pub(crate) slots: Vec<Arc<Slot>>,
}

impl Vm {
    /// Makes the VM with this memory of its own; it has none of the guest's yet, and will see that as
    /// `access` says.
    pub(crate) fn new(
        kvm: &Kvm,
        memory: Arc<Memory>,
        access: GuestAccess,
        vcpus: Vcpus,
    ) -> Result<Arc<Self>, Error> {
        let layout = memory.layout();
        let fd = kvm
            .create_vm_with_ipa_size(layout.stage_2().bits)
            .map_err(Error::kvm("create the monitor VM"))?;
        filter::forward_everything(&fd)?;
        for (slot, (piece, userspace_addr)) in (0..).zip(memory.pieces()) {
            let region = kvm_userspace_memory_region {
                slot,
                flags: match piece.backing {
                    Backing::Memory => 0,
                    _ => KVM_MEM_READONLY,
                },
                guest_phys_addr: piece.physical,
                memory_size: layout.room(piece.size),
                userspace_addr,
            };
            // SAFETY: the memory is kept by the `Vm`, which owns the descriptor too, and that goes
            // first; whoever keeps the VM open by a vCPU keeps the `Vm`.
            unsafe { fd.set_user_memory_region(region) }
                .map_err(Error::kvm("give the monitor VM memory"))?;
        }
        Ok(Arc::new(Vm {
            fd,
            memory,
            access,
            vcpus,
        }))
    }

    pub(crate) fn fd(&self) -> &VmFd {
        &self.fd
    }

    pub(crate) fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    pub(crate) fn cpus(&self) -> u32 {
        self.vcpus.slots.len() as u32
    }

    pub(crate) fn slots(&self) -> &[Arc<Slot>] {
        &self.vcpus.slots
    }

    pub(crate) fn slot(&self, cpu: u32) -> &Arc<Slot> {
        &self.vcpus.slots[cpu as usize]
    }

    /// Whether KVM carries the payload's calls by itself.
    pub(crate) fn is_bound(&self) -> bool {
        self.vcpus.bound
    }

    /// The first CPU that is in a call.
    pub(crate) fn busy(&self) -> Option<u32> {
        (0..self.cpus()).find(|&cpu| self.slot(cpu).is_in_call())
    }

    /// The first CPU on which the payload runs right now.
    pub(crate) fn running(&self) -> Option<u32> {
        (0..self.cpus()).find(|&cpu| self.slot(cpu).is_running())
    }

    /// Maps a region of the guest's as the payload wishes, or changes whether KVM logs the pages that the
    /// payload writes.
    ///
    /// # Errors
    /// The payload wishes for it and has no such addresses, or KVM refuses.
    ///
    /// # Safety
    /// The region is mapped in this process until [`unmap`](Self::unmap), or the drop of the VM.
    pub(crate) unsafe fn map(&self, region: &Region, log_dirty: bool) -> Result<(), Error> {
        if self.access == GuestAccess::None {
            return Ok(());
        }
        let limit = self.memory.layout().stage_2().guest_end();
        if region.memory.end() > limit {
            return Err(Error::GuestMemoryTooHigh {
                guest_addr: region.memory.guest_addr,
                limit,
            });
        }
        let mut flags = 0;
        if !self.writes(region) {
            flags |= KVM_MEM_READONLY;
        } else if log_dirty {
            flags |= KVM_MEM_LOG_DIRTY_PAGES;
        }
        // SAFETY: as the caller says.
        unsafe { self.set_slot(region, region.memory.size, flags) }
    }

    /// Takes a region of the guest's away, unless it is away.
    pub(crate) fn unmap(&self, region: &Region) -> Result<(), Error> {
        if self.access == GuestAccess::None {
            return Ok(());
        }
        // SAFETY: a slot without size refers to no memory.
        match unsafe { self.set_slot(region, 0, 0) } {
            // All else about the slot was good when it was made.
            Err(Error::Kvm { cause, .. }) if cause.raw_os_error() == Some(libc::EINVAL) => Ok(()),
            result => result,
        }
    }

    /// # Safety
    /// `size` bytes of the region are mapped in this process for as long as the slot exists.
    unsafe fn set_slot(&self, region: &Region, size: u64, flags: u32) -> Result<(), Error> {
        let slot = kvm_userspace_memory_region {
            slot: self.slot_number(region),
            flags,
            guest_phys_addr: region.memory.guest_addr,
            memory_size: size,
            userspace_addr: region.memory.host_addr,
        };
        // SAFETY: as the caller says.
        unsafe { self.fd.set_user_memory_region(slot) }
            .map_err(Error::kvm("change the monitor VM's memory"))
    }

    /// Whether the payload can write this region of the guest's.
    fn writes(&self, region: &Region) -> bool {
        self.access == GuestAccess::Write && !region.read_only
    }

    fn slot_number(&self, region: &Region) -> u32 {
        self.memory.pieces().len() as u32 + region.slot
    }

    /// Adds the pages of a region that this payload has written since the last time to `pages`, one
    /// bit each.
    pub(crate) fn dirty_pages(&self, region: &Region, pages: &mut [u64]) -> Result<(), Error> {
        if !self.writes(region) {
            return Ok(());
        }
        let dirty = self
            .fd
            .get_dirty_log(self.slot_number(region), region.memory.size as usize)
            .map_err(Error::kvm("ask for the pages that a payload has written"))?;
        for (all, new) in pages.iter_mut().zip(dirty) {
            *all |= new;
        }
        Ok(())
    }
}
