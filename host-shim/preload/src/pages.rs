// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The pages of board.toml, which the VMM lacks: for the guest and for the blob they are there, and the
//! VMM hears nothing of them.
//!
//! Registers are devices on a bus of our own, which is asked before the VMM's. Storage is memory, where it
//! can be: a kernel may use it with caches on, and with instructions that no bus can carry out.

use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError, RwLock};

use fakemon_devices::pages::{attach, in_memory, ranges};
use fakemon_devices::{Bus, Effect};
use fakemon_manifest::Machine;

use crate::kvm;
use crate::slots::{Slot, Slots};

/// The pages of a VM.
#[derive(Debug)]
pub(crate) struct Pages {
    machine: &'static Machine,
    bus: RwLock<Bus>,
    /// Once the guest has it.
    memory: Mutex<Option<Vec<Memory>>>,
    vm: OwnedFd,
    granule: u64,
}

/// Memory for some pages, in a slot of KVM's.
#[derive(Debug)]
struct Memory {
    vm: OwnedFd,
    number: u32,
    slot: Slot,
}

impl Pages {
    /// The pages of a machine, for this VM.
    pub(crate) fn new(machine: &'static Machine, vm: &OwnedFd) -> io::Result<Pages> {
        let granule = rustix::param::page_size() as u64;
        Ok(Pages {
            machine,
            bus: RwLock::new(bus(machine, granule)),
            memory: Mutex::default(),
            vm: vm.try_clone()?,
            granule,
        })
    }

    /// Gives the guest those that are memory, where the VMM has none, and tells which slots that are: all of
    /// them at the first time, and none later.
    pub(crate) fn add_memory(&self, slots: &Slots) -> io::Result<Vec<(u32, Slot)>> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.is_some() {
            return Ok(Vec::new());
        }
        // VMMs count theirs from 0.
        let last = kvm::slots(&self.vm)?.saturating_sub(1);
        let ranges = ranges(&in_memory(self.machine, self.granule), self.granule);
        let free = ranges.iter().filter(|range| !slots.overlap(range));
        let made: io::Result<Vec<Memory>> = free
            .zip(0..)
            .map(|(range, n)| Memory::new(&self.vm, last.saturating_sub(n), range))
            .collect();
        let made = memory.insert(made?);
        Ok(made.iter().map(|own| (own.number, own.slot)).collect())
    }

    /// Has them begin anew, when no vCPU runs.
    pub(crate) fn reset(&self) {
        let mut own = self.bus.write().unwrap_or_else(PoisonError::into_inner);
        *own = bus(self.machine, self.granule);
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.iter().flatten().for_each(Memory::clear);
    }

    /// Carries out a load; [`None`] where none of these pages is.
    pub(crate) fn read(&self, address: u64, size: usize, secure: bool) -> Option<u64> {
        let mut bytes = [0; 8];
        let bus = self.bus.read().unwrap_or_else(PoisonError::into_inner);
        let found = bus.read(address, bytes.get_mut(..size)?, secure);
        found.then_some(u64::from_le_bytes(bytes))
    }

    /// Carries out a store, and says what that does to the machine; [`None`] where none of these pages is.
    pub(crate) fn write(
        &self,
        address: u64,
        size: usize,
        value: u64,
        secure: bool,
    ) -> Option<Effect> {
        let bus = self.bus.read().unwrap_or_else(PoisonError::into_inner);
        bus.write(address, value.to_le_bytes().get(..size)?, secure)
    }
}

fn bus(machine: &Machine, granule: u64) -> Bus {
    let mut bus = Bus::default();
    attach(&mut bus, &machine.pages, &in_memory(machine, granule));
    bus
}

impl Memory {
    fn new(vm: &OwnedFd, number: u32, range: &Range<u64>) -> io::Result<Memory> {
        let size = range.end - range.start;
        let (access, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        );
        let vm = vm.try_clone()?;
        // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
        let host = unsafe { libc::mmap(std::ptr::null_mut(), size as usize, access, kind, -1, 0) };
        if host == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let slot = Slot {
            flags: 0,
            guest: range.start,
            size,
            host: host.expose_provenance() as u64,
        };
        let memory = Memory { vm, number, slot };
        // SAFETY: the mapping is this value's, which takes it from KVM before it unmaps it.
        unsafe { kvm::set_slot(&memory.vm, number, &slot) }?;
        Ok(memory)
    }

    /// Zeroes it, as a reset of the machine does.
    fn clear(&self) {
        // SAFETY: this is the mapping that `new` made, of this size; nothing refers into it but KVM, whose
        // guests may write there at any time.
        unsafe { self.host().write_bytes(0, self.slot.size as usize) };
    }

    fn host(&self) -> *mut u8 {
        std::ptr::with_exposed_provenance_mut(self.slot.host as usize)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let gone = Slot {
            size: 0,
            ..self.slot
        };
        // SAFETY: no memory is given.
        if unsafe { kvm::set_slot(&self.vm, self.number, &gone) }.is_ok() {
            // SAFETY: this is the mapping that `new` made, and KVM has given it back.
            unsafe { libc::munmap(self.host().cast(), self.slot.size as usize) };
        }
    }
}
