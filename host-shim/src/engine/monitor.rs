// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A monitor VM: a tiny VM beside the guest's, whose memory the guest cannot reach, for one payload.
//!
//! arm64 KVM has one stage 2 per VM, so what one vCPU may see all may see. A blob that the guest
//! must not see therefore lives in a VM of its own, with one vCPU for each of the guest's; guest
//! RAM is mapped into it as the blob's note asks, and not at all if it does not ask
//! (docs/decisions/0001-two-vms.md). Two payloads of one guest have two such VMs, and are as far
//! apart from each other.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use fakemon_abi::note::{GUEST_MEMORY_NONE, GUEST_MEMORY_READ};
use fakemon_abi::status::INVALID_PARAMETERS;
use kvm_bindings::{KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY, kvm_userspace_memory_region};
use kvm_ioctls::{Kvm, VmFd};

use crate::blob::Blob;
use crate::engine::error::Error;
use crate::engine::filter;
use crate::engine::memory::MonitorMemory;
use crate::engine::ram::{Ram, Region};
use crate::engine::slot::Slot;
use crate::request::Reply;

/// The monitor VM of one payload.
#[derive(Debug)]
pub struct Monitor {
    vm: VmFd,
    blob: Blob,
    memory: Arc<MonitorMemory>,
    cpus: u32,
    /// KVM carries the calls of this payload by itself.
    bound: bool,
    /// What the watchdog knows of the vCPUs of all payloads, and which is the first of this one.
    slots: Arc<[Slot]>,
    first_slot: usize,
    /// The blob has hung, and its data is as that left it.
    spoiled: AtomicBool,
    repairing: Mutex<()>,
}

impl Monitor {
    /// Makes the VM and loads the blob; it has no memory of the guest's yet.
    pub(crate) fn new(
        kvm: &Kvm,
        blob: &Blob,
        cpus: u32,
        bound: bool,
        slots: &Arc<[Slot]>,
        first_slot: usize,
    ) -> Result<Arc<Self>, Error> {
        let vm = kvm
            .create_vm()
            .map_err(Error::kvm("create the monitor VM"))?;
        filter::forward_everything(&vm)?;
        let memory = MonitorMemory::new(blob, cpus, bound).map_err(Error::Memory)?;
        for (slot, piece) in (0..).zip(memory.pieces()) {
            let region = kvm_userspace_memory_region {
                slot,
                flags: if piece.writable { 0 } else { KVM_MEM_READONLY },
                guest_phys_addr: piece.address,
                memory_size: piece.size,
                userspace_addr: memory.host_address(piece),
            };
            // SAFETY: the memory is kept by the `Monitor`, which owns the VM too, and the VM goes
            // first.
            unsafe { vm.set_user_memory_region(region) }
                .map_err(Error::kvm("give the monitor VM memory"))?;
        }
        Ok(Arc::new(Monitor {
            vm,
            blob: blob.clone(),
            memory,
            cpus,
            bound,
            slots: slots.clone(),
            first_slot,
            spoiled: AtomicBool::new(false),
            repairing: Mutex::new(()),
        }))
    }

    pub(crate) fn vm(&self) -> &VmFd {
        &self.vm
    }

    pub(crate) fn memory(&self) -> &Arc<MonitorMemory> {
        &self.memory
    }

    pub(crate) fn cpus(&self) -> u32 {
        self.cpus
    }

    pub(crate) fn slot(&self, cpu: u32) -> &Slot {
        let (slots, slot) = self.slots_from(cpu);
        &slots[slot]
    }

    /// All slots, and which of them is that of a vCPU.
    pub(crate) fn slots_from(&self, cpu: u32) -> (&Arc<[Slot]>, usize) {
        (&self.slots, self.first_slot + cpu as usize)
    }

    /// Whether KVM carries this payload's calls by itself.
    pub fn is_bound(&self) -> bool {
        self.bound
    }

    /// What runs in the VM.
    pub fn blob(&self) -> &Blob {
        &self.blob
    }

    /// Maps a region of the guest's as the note asks, or changes whether KVM logs the pages that the
    /// payload writes.
    ///
    /// # Safety
    /// The region is mapped in this process until [`unmap`](Self::unmap), or the drop of the monitor.
    pub(crate) unsafe fn map(&self, region: &Region, log_dirty: bool) -> Result<(), Error> {
        let access = self.blob.note().guest_memory;
        if access == GUEST_MEMORY_NONE {
            return Ok(());
        }
        let mut flags = 0;
        if access == GUEST_MEMORY_READ || region.read_only {
            flags |= KVM_MEM_READONLY;
        } else if log_dirty {
            flags |= KVM_MEM_LOG_DIRTY_PAGES;
        }
        // SAFETY: as the caller says.
        unsafe { self.set_slot(region, region.memory.size, flags) }
    }

    /// Takes a region of the guest's away.
    pub(crate) fn unmap(&self, region: &Region) -> Result<(), Error> {
        if self.blob.note().guest_memory == GUEST_MEMORY_NONE {
            return Ok(());
        }
        // SAFETY: a slot without size refers to no memory.
        unsafe { self.set_slot(region, 0, 0) }
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
        unsafe { self.vm.set_user_memory_region(slot) }
            .map_err(Error::kvm("change the monitor VM's memory"))
    }

    fn slot_number(&self, region: &Region) -> u32 {
        self.memory.pieces().len() as u32 + region.slot
    }

    /// The `n`-th range of the guest's memory, as the host call GUEST_MEMORY tells of it.
    pub(crate) fn guest_memory(&self, n: u64, ram: &Ram) -> Reply {
        let access = self.blob.note().guest_memory;
        if access == GUEST_MEMORY_NONE {
            return Reply::not_supported();
        }
        match ram.range(n) {
            Some((base, size, writable)) => {
                let access = if writable { access } else { GUEST_MEMORY_READ };
                Reply::values([base, size, access.into(), 0])
            }
            None => Reply::status(INVALID_PARAMETERS),
        }
    }

    /// Tells the blob that the guest's memory is another, by the word that its frames have for that.
    pub(crate) fn announce_memory(&self) {
        for cpu in 0..self.cpus {
            self.memory.count_memory_change(cpu);
        }
    }

    /// Adds the pages of a region that this payload has written since the last time to `pages`, one
    /// bit each.
    pub(crate) fn dirty_pages(&self, region: &Region, pages: &mut [u64]) -> Result<(), Error> {
        let access = self.blob.note().guest_memory;
        if access == GUEST_MEMORY_NONE || access == GUEST_MEMORY_READ || region.read_only {
            return Ok(());
        }
        let dirty = self
            .vm
            .get_dirty_log(self.slot_number(region), region.memory.size as usize)
            .map_err(Error::kvm("ask for the pages that a payload has written"))?;
        for (all, new) in pages.iter_mut().zip(dirty) {
            *all |= new;
        }
        Ok(())
    }

    /// The first CPU that is in a call.
    pub(crate) fn busy(&self) -> Option<u32> {
        (0..self.cpus).find(|&cpu| self.slot(cpu).is_in_call())
    }

    /// Marks the begin of a call that KVM does not carry.
    pub(crate) fn begin(&self, cpu: u32) {
        self.slot(cpu).begin();
        if self.spoiled.load(Ordering::SeqCst) {
            self.repair(cpu);
        }
    }

    /// The blob has been ended on this CPU because it hung. Its data may be in a state in which it
    /// hangs again, as with a lock that a call held which has failed; so that is made anew as soon as
    /// no other CPU is in a call.
    ///
    /// A call of this library's that begins meanwhile waits for that. One that KVM carries does not
    /// and can fail in its turn.
    pub(crate) fn spoil(&self, cpu: u32) {
        self.spoiled.store(true, Ordering::SeqCst);
        self.repair(cpu);
    }

    fn repair(&self, cpu: u32) {
        let _one = self
            .repairing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut others = (0..self.cpus).filter(|&other| other != cpu);
        if self.spoiled.load(Ordering::SeqCst) && !others.any(|cpu| self.slot(cpu).is_in_call()) {
            self.reload();
        }
    }

    /// Makes the blob's data what the file says.
    pub(crate) fn reload(&self) {
        self.memory.load(&self.blob);
        self.spoiled.store(false, Ordering::SeqCst);
    }

    /// The ranges of monitor-physical addresses that have memory of the monitor's own, as address
    /// and size in bytes.
    pub fn memory_map(&self) -> impl Iterator<Item = (u64, u64)> {
        let pieces = self.memory.pieces().iter();
        pieces.map(|piece| (piece.address, piece.size))
    }

    /// Bytes of the monitor's own memory that have a page behind them by now.
    ///
    /// # Errors
    /// What mincore(2) says.
    pub fn touched_memory(&self) -> io::Result<u64> {
        self.memory.touched()
    }

    /// Copies `size` bytes of the monitor's own memory, for debuggers; [`None`] where it has none.
    pub fn read_memory(&self, address: u64, size: usize) -> Option<Vec<u8>> {
        self.memory.read(address, size)
    }
}
