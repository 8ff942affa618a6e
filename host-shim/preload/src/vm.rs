// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A VM of the VMM's: its memory and vCPUs, and the world that serves it, through as many lives as its
//! guest has.
//!
//! VMMs make VMs and vCPUs to try something, and drop them, so a world is made when a vCPU runs for
//! the first time, and not before.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use fakemon_host::abi::status::INVALID_PARAMETERS;
use fakemon_host::{Cpus, Error, GuestMemory, Policy, Start, World, set_policy};
use kvm_bindings::KVM_CAP_ARM_SYSTEM_SUSPEND;

use self::alarms::Alarms;
use self::saved::Saved;
use self::vcpu::{Serving, Vcpu};
use crate::pages::Pages;
use crate::settings::Settings;
use crate::slots::{Change, Slot, Slots};
use crate::{say, signals};

mod alarms;
mod saved;
pub(crate) mod vcpu;

/// A VM.
#[derive(Debug)]
pub(crate) struct Vm {
    pub(crate) settings: &'static Settings,
    pub(crate) cpus: Cpus,
    kvm: OwnedFd,
    vcpus: Mutex<Vec<Weak<Vcpu>>>,
    secure: Mutex<Secure>,
    /// Those of the board that are served here: after the world, which uses their memory.
    pub(crate) pages: Option<Pages>,
    alarms: Alarms,
    saved: Mutex<Saved>,
    /// A vCPU has run since the guest was reset last.
    has_run: AtomicBool,
    /// The guest's device tree has been looked at since then.
    device_tree_done: AtomicBool,
    /// The VMM suspends the system by itself.
    suspends: AtomicBool,
}

/// Its memory, and who serves it, which have to agree.
#[derive(Debug, Default)]
struct Secure {
    slots: Slots,
    world: Option<World>,
}

impl Secure {
    /// Notes what KVM has taken for a slot, and tells the world.
    ///
    /// # Safety
    /// The slot's memory is mapped in this process until KVM is told that the slot is gone.
    unsafe fn set_slot(&mut self, number: u32, slot: Slot) {
        let change = self.slots.set(number, slot);
        if let Some(world) = &self.world {
            // SAFETY: as the caller says.
            unsafe { tell(world, &change) };
        }
    }
}

impl Vm {
    /// Sets the filter of a VM that has just been made.
    pub(crate) fn new(kvm: OwnedFd, fd: &OwnedFd, settings: &'static Settings) -> io::Result<Vm> {
        let policy = set_policy(fd, settings.policy, &settings.blobs());
        // A guest that is not served whole is not made.
        policy.map_err(|error| refused(&error.into()))?;
        let machine = settings.pages.as_ref();
        Ok(Vm {
            settings,
            cpus: Cpus::default(),
            kvm,
            vcpus: Mutex::default(),
            secure: Mutex::default(),
            pages: machine.map(|machine| Pages::new(machine, fd)).transpose()?,
            alarms: Alarms::default(),
            saved: Mutex::default(),
            has_run: AtomicBool::new(false),
            device_tree_done: AtomicBool::new(false),
            suspends: AtomicBool::new(false),
        })
    }

    /// Adds a vCPU.
    pub(crate) fn add(&self, vcpu: &Arc<Vcpu>) {
        let mut vcpus = lock(&self.vcpus);
        vcpus.retain(|vcpu| vcpu.strong_count() > 0);
        vcpus.push(Arc::downgrade(vcpu));
    }

    /// All vCPUs that there are.
    pub(crate) fn vcpus(&self) -> Vec<Arc<Vcpu>> {
        lock(&self.vcpus).iter().filter_map(Weak::upgrade).collect()
    }

    /// Notes that the VMM has enabled a capability.
    pub(crate) fn note_capability(&self, capability: u32) {
        if capability == KVM_CAP_ARM_SYSTEM_SUSPEND {
            self.suspends.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the VMM suspends the system by itself.
    pub(crate) fn suspends(&self) -> bool {
        self.suspends.load(Ordering::Relaxed)
    }

    /// Notes what KVM has taken for a slot.
    ///
    /// # Safety
    /// The slot's memory is mapped in this process until KVM is told that the slot is gone.
    pub(crate) unsafe fn set_slot(&self, number: u32, slot: Slot) {
        // SAFETY: as the caller says; what is removed here the VMM unmaps after this.
        unsafe { lock(&self.secure).set_slot(number, slot) };
    }

    /// Whether this address is RAM.
    pub(crate) fn is_ram(&self, address: u64) -> bool {
        lock(&self.secure).slots.holds(address)
    }

    /// Does something with the guest's RAM, which stays mapped meanwhile.
    pub(crate) fn with_ram<T>(&self, work: impl FnOnce(&Slots) -> T) -> T {
        work(&lock(&self.secure).slots)
    }

    /// The world, if a vCPU has run.
    pub(crate) fn world(&self) -> Option<World> {
        lock(&self.secure).world.clone()
    }

    /// The pages of a slot that payloads have written since this was asked last.
    pub(crate) fn dirty_pages(&self, slot: u32) -> Option<Vec<u64>> {
        let secure = lock(&self.secure);
        let world = secure
            .world
            .as_ref()
            .filter(|_| self.settings.writes_memory())?;
        let pages = world.dirty_pages(secure.slots.get(slot)?.guest);
        pages
            .map_err(|error| say!("the pages that the blob has written are not known: {error}"))
            .ok()
    }

    /// Gives the guest the board's pages that are memory, once.
    pub(crate) fn add_pages(&self) -> io::Result<()> {
        let Some(pages) = &self.pages else {
            return Ok(());
        };
        let mut secure = lock(&self.secure);
        for (number, slot) in pages.add_memory(&secure.slots)? {
            // SAFETY: the pages keep it mapped as long as they are there, and go after the world.
            unsafe { secure.set_slot(number, slot) };
        }
        Ok(())
    }

    /// Makes the world, if it is not there, and tells whether this guest has one.
    pub(crate) fn serve(&self) -> Result<Option<World>, Error> {
        if self.settings.policy != Policy::Blob {
            return Ok(None);
        }
        let mut secure = lock(&self.secure);
        if let Some(world) = &secure.world {
            return Ok(Some(world.clone()));
        }
        let most = self.vcpus().iter().map(|vcpu| vcpu.id + 1).max();
        let cpus = most.unwrap_or(1).max(self.settings.cpus);
        let (blobs, config) = (self.settings.blobs(), self.settings.config.clone());
        // The watchdog's thread is to take none of the VMM's signals.
        let world = signals::without(|| World::new(&self.kvm, &blobs, cpus, config))?;
        if secure.slots.is_logged() {
            world.log_dirty_pages(true)?;
        }
        for &slot in secure.slots.ram() {
            let added = Some(slot);
            // SAFETY: who has set the slot keeps its memory mapped (`set_slot`).
            unsafe {
                tell(
                    &world,
                    &Change {
                        added,
                        ..Change::default()
                    },
                )
            };
        }
        secure.world = Some(world.clone());
        Ok(Some(world))
    }

    /// Whether the guest's device tree is to be changed before this run of a vCPU that is on, of which
    /// this tells once in each life.
    pub(crate) fn takes_device_tree(&self, vcpu: &Vcpu) -> bool {
        // This is asked at every run, and what all vCPUs share comes last.
        self.settings.patches_device_tree
            && !self.device_tree_done.load(Ordering::SeqCst)
            && self.cpus.is_on(vcpu.number)
            && !self.device_tree_done.swap(true, Ordering::SeqCst)
    }

    /// The VMM is about to initialise a vCPU. If that has run, and none is running, the machine is being
    /// reset; else, this vCPU alone.
    pub(crate) fn before_init(&self, vcpu: &Vcpu) {
        if !vcpu.is_initialised() || !self.has_run.load(Ordering::SeqCst) {
            return;
        }
        if let Some(mut serving) = vcpu.try_serving() {
            abandon(&mut serving);
        }
        let vcpus = self.vcpus();
        let all: Option<Vec<_>> = vcpus.iter().map(|vcpu| vcpu.try_serving()).collect();
        let Some(mut all) = all else {
            return;
        };
        self.has_run.store(false, Ordering::SeqCst);
        self.device_tree_done.store(false, Ordering::SeqCst);
        self.forget_saved();
        self.forget_alarms();
        all.iter_mut().for_each(|serving| abandon(serving));
        self.pages.iter().for_each(Pages::reset);
        if let Some(Err(error)) = self.world().map(|world| world.reset()) {
            say!("the blob could not be reset: {error}");
        }
    }

    /// Starts the CPU of this name.
    pub(crate) fn start(&self, mpidr: u64, start: Start) -> Result<Started, i32> {
        let number = self.cpus.start(mpidr, start)?;
        let vcpus = self.vcpus();
        let Some(target) = vcpus.iter().find(|vcpu| vcpu.number == number) else {
            self.cpus.cancel_start(number);
            return Err(INVALID_PARAMETERS);
        };
        if target.is_inside() || !self.cpus.cancel_start(number) {
            target.kick(self.settings.config.kick_signal);
            return Ok(Started::Yes);
        }
        Ok(Started::NotThere)
    }

    /// Has a payload entered without a call on a CPU, unless that is off.
    pub(crate) fn interrupt(&self, cpu: u32, payload: usize) {
        let vcpus = self.vcpus();
        let target = vcpus.iter().find(|vcpu| vcpu.id == cpu);
        if let (Some(world), Some(target)) = (self.world(), target)
            && self.cpus.is_on(target.number)
        {
            world.interrupt(cpu, payload);
            target.kick(self.settings.config.kick_signal);
        }
    }
}

/// What has become of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Started {
    Yes,
    /// No thread is in KVM_RUN with that vCPU, so the VMM may be saving its state just now.
    NotThere,
}

/// Gives up the call of a vCPU that is reset.
fn abandon(serving: &mut Serving) {
    let lane = serving.lane.as_mut();
    if let Some(Err(error)) = lane.map(|lane| lane.abandon()) {
        say!("a call could not be given up for a reset: {error}");
    }
}

/// Tells the payloads of a change.
///
/// # Safety
/// What is added is mapped in this process until it is removed.
unsafe fn tell(world: &World, change: &Change) {
    if let Some(gone) = change.removed
        && let Err(error) = world.remove_memory(gone.guest)
    {
        say!(
            "RAM at {:#x} could not be taken from the blob: {error}",
            gone.guest
        );
    }
    if let Some(slot) = change.added {
        let memory = GuestMemory {
            guest_addr: slot.guest,
            host_addr: slot.host,
            size: slot.size,
        };
        // SAFETY: as the caller says.
        if let Err(error) = unsafe { world.add_memory(memory) } {
            say!(
                "the blob does without the RAM at {:#x}: {error}",
                slot.guest
            );
        }
    }
    if let Some(Err(error)) = change.log_dirty.map(|on| world.log_dirty_pages(on)) {
        say!("the pages that the blob writes cannot be told: {error}");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error of the library as one of ioctl(2).
fn refused(error: &Error) -> io::Error {
    say!("{error}");
    io::Error::from_raw_os_error(libc::EOPNOTSUPP)
}
