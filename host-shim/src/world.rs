// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure world of one guest: its payloads, each in a monitor VM of its own, and the guest's
//! memory as they see it.

use std::io;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::sync::{Arc, RwLockWriteGuard};

use fakemon_abi::layout::MAX_VCPUS;
use kvm_ioctls::Kvm;

use crate::blob::Blob;
use crate::claims;
use crate::engine::binding;
use crate::entropy::entropy;
use crate::error::Error;
use crate::fd::{self, AsKvmFd};
use crate::guest::ram::{GuestMemory, Ram, Region, Regions};
use crate::lane::Lane;
use crate::lane::Shared;
use crate::monitor::watchdog::Watchdog;
use crate::monitor::{self, Vcpus};
use crate::payload::Payload;
use crate::policy::{Config, Engine};
use crate::width::Width;

pub(crate) mod saved;

/// The payloads of a guest, and its memory.
///
/// Make one for the guest's VM, [add its memory](World::add_memory), and take a [`Lane`] for each of
/// its vCPUs. All methods can be called from any thread.
///
/// A clone is the same world.
///
/// ```no_run
/// use fakemon_host::{Blob, Config, Policy, Width, World, set_policy};
/// use kvm_bindings::kvm_vcpu_init;
/// use kvm_ioctls::Kvm;
///
/// let blob = Blob::parse(&std::fs::read("virt.elf")?)?;
/// let kvm = Kvm::new()?;
/// let vm = kvm.create_vm()?;
/// set_policy(&vm, Policy::Blob, &[&blob])?;
/// let world = World::new(&kvm, &[&blob], 1, Config::default())?;
///
/// let vcpu = vm.create_vcpu(0)?;
/// let mut init = kvm_vcpu_init::default();
/// vm.get_preferred_target(&mut init)?;
/// vcpu.vcpu_init(&init)?;
/// let lane = world.lane(0, &vcpu, Width::AArch64)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct World {
    shared: Arc<Shared>,
}

impl World {
    /// Makes a monitor VM for each of `blobs`, for a guest with `cpus` vCPUs.
    ///
    /// `kvm` is `/dev/kvm`. With the kernel engine KVM carries the calls of the first blob by itself,
    /// and this library those of the others.
    ///
    /// # Errors
    /// Two blobs claim the same calls, there are too many vCPUs, the kernel lacks the engine that
    /// `config` asks for, or KVM refuses.
    pub fn new(
        kvm: &impl AsKvmFd,
        blobs: &[&Blob],
        cpus: u32,
        config: Config,
    ) -> Result<World, Error> {
        if cpus == 0 || cpus > MAX_VCPUS {
            return Err(Error::TooManyCpus(cpus));
        }
        if blobs.is_empty() {
            return Err(Error::NoPayload);
        }
        claims::check(blobs).map_err(|error| Error::Claims(Box::new(error)))?;
        let kvm = fd::keep(kvm).map_err(|cause| Error::Kvm {
            what: "keep /dev/kvm open",
            cause,
        })?;
        // SAFETY: the descriptor is open and nobody else's.
        let kvm = unsafe { Kvm::from_raw_fd(kvm.into_raw_fd()) };
        let kernel_engine = match config.engine {
            Engine::Userspace => false,
            Engine::Auto => binding::supported(&kvm),
            Engine::Kernel if binding::supported(&kvm) => true,
            Engine::Kernel => return Err(Error::NoKernelEngine),
        };
        let stage_2 = monitor::stage_2(&kvm);
        let payloads = blobs
            .iter()
            .enumerate()
            .map(|(n, blob)| {
                let vcpus = Vcpus {
                    bound: kernel_engine && n == 0,
                    slots: (0..cpus).map(|_| Arc::default()).collect(),
                };
                Payload::new(&kvm, blob, vcpus, stage_2)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let slots = payloads.iter().flat_map(|payload| payload.vm().slots());
        let slots = slots.cloned().collect();
        let watchdog = Watchdog::new(slots, &config).map_err(Error::Watchdog)?;
        Ok(World {
            shared: Arc::new(Shared::new(
                payloads,
                Ram::new(stage_2.page),
                config,
                cpus,
                watchdog,
            )),
        })
    }

    /// Takes the lane of the guest's vCPU number `cpu`, whose EL1 is `width` wide. It may move to the
    /// thread that runs the vCPU; take it once for each.
    ///
    /// `vcpu` is the guest's vCPU, which this keeps open.
    ///
    /// # Errors
    /// No payload serves such callers, `cpu` is out of range or taken, or KVM refuses.
    pub fn lane(&self, cpu: u32, vcpu: &impl AsKvmFd, width: Width) -> Result<Lane, Error> {
        if cpu >= self.shared.cpus {
            return Err(Error::NoSuchCpu {
                cpu,
                cpus: self.shared.cpus,
            });
        }
        Lane::new(&self.shared, cpu, vcpu, width)
    }

    /// Adds a region of the guest's RAM. Payloads see it as their notes ask, and translation of the
    /// guest's addresses walks it.
    ///
    /// # Errors
    /// A payload that asks for the guest's memory has no such address, it is not made of the host's pages,
    /// overlaps another, or KVM refuses; then it has not been added.
    ///
    /// # Safety
    /// The region is mapped in this process, writable, and stays so until it is
    /// [removed](Self::remove_memory) or the world and all its lanes are dropped.
    ///
    /// ```no_run
    /// use fakemon_host::{GuestMemory, World};
    ///
    /// # fn example(world: &World, mapping: *mut u8) -> Result<(), fakemon_host::Error> {
    /// let memory = GuestMemory {
    ///     guest_addr: 0x4000_0000,
    ///     host_addr: mapping.expose_provenance() as u64,
    ///     size: 256 << 20,
    /// };
    /// // SAFETY: as many bytes are mapped there, and stay so until they have been removed.
    /// unsafe { world.add_memory(memory) }?;
    /// // ... and when the guest has given it back:
    /// world.remove_memory(memory.guest_addr)?;
    /// # Ok(())
    /// # }
    /// ```
    pub unsafe fn add_memory(&self, memory: GuestMemory) -> Result<(), Error> {
        let mut regions = self.shared.ram.change();
        let at = regions.insert(memory, self.shared.ram.page())?;
        let (region, log_dirty) = (regions.list[at], regions.log_dirty);
        for payload in &self.shared.payloads {
            // SAFETY: as the caller says; `remove_memory` unmaps it before it leaves the list.
            if let Err(error) = unsafe { payload.vm().map(&region, log_dirty) } {
                for payload in &self.shared.payloads {
                    // The caller has the error that came first.
                    let _result = payload.vm().unmap(&region);
                }
                regions.list.remove(at);
                return Err(error);
            }
        }
        self.announce(&regions);
        Ok(())
    }

    /// Removes the region that begins at this guest physical address. When this returns, nothing
    /// refers to its mapping any more. An access of a payload goes to the VMM's bus from then on.
    ///
    /// # Errors
    /// There is no such region, or KVM refuses; then it is still there, and can be removed again.
    pub fn remove_memory(&self, guest_addr: u64) -> Result<(), Error> {
        let mut regions = self.shared.ram.change();
        let at = regions.position(guest_addr)?;
        for payload in &self.shared.payloads {
            payload.vm().unmap(&regions.list[at])?;
        }
        regions.list.remove(at);
        regions.unread.remove(&guest_addr);
        self.announce(&regions);
        Ok(())
    }

    /// Makes the region that begins at this guest physical address read-only for all payloads, or as
    /// writable as their notes ask. A store there goes to the VMM's bus while it is read-only.
    ///
    /// KVM can only take the region away and give it back. This library carries out what payloads load and
    /// store there meanwhile, but for what KVM cannot describe (instructions for two registers, for
    /// exclusive access, for atomics), which is a fault of the blob's then: keep the guest's vCPUs out
    /// of calls if that may not happen.
    ///
    /// # Errors
    /// There is no such region, or KVM refuses; then it is as it was.
    pub fn set_read_only(&self, guest_addr: u64, read_only: bool) -> Result<(), Error> {
        let mut regions = self.shared.ram.change();
        let at = regions.position(guest_addr)?;
        let (old, log_dirty) = (regions.list[at], regions.log_dirty);
        if log_dirty {
            // The log goes with the slot.
            self.collect_dirty_pages(&mut regions, &old)?;
        }
        let new = Region { read_only, ..old };
        // KVM does not change this flag of a slot that exists.
        let replace = |payload: &Payload, by: &Region| {
            payload.vm().unmap(&old)?;
            // SAFETY: who added the region keeps it mapped.
            unsafe { payload.vm().map(by, log_dirty) }
        };
        for payload in &self.shared.payloads {
            if let Err(error) = replace(payload, &new) {
                for payload in &self.shared.payloads {
                    // Where this fails, too, the library goes on carrying out what payloads do there.
                    let _result = replace(payload, &old);
                }
                return Err(error);
            }
        }
        regions.list[at] = new;
        self.announce(&regions);
        Ok(())
    }

    /// Begins or ends keeping track of the pages that payloads write, in all regions that there are and
    /// that are added later.
    ///
    /// # Errors
    /// KVM refuses; then it is as it was, but for pages that have been written and not asked for.
    pub fn log_dirty_pages(&self, on: bool) -> Result<(), Error> {
        let mut regions = self.shared.ram.change();
        let set = |on| {
            let mut all = regions.list.iter().flat_map(|region| {
                let payloads = self.shared.payloads.iter();
                payloads.map(move |payload| (payload, region))
            });
            all.try_for_each(|(payload, region)| {
                // SAFETY: who added the region keeps it mapped.
                unsafe { payload.vm().map(region, on) }
            })
        };
        if let Err(error) = set(on) {
            // The caller has the error that came first.
            let _result = set(regions.log_dirty);
            return Err(error);
        }
        regions.log_dirty = on;
        if !on {
            regions.unread.clear();
        }
        Ok(())
    }

    /// The pages of the region at this guest physical address that payloads have written since this
    /// was asked last: bit 0 of word 0 is its first page, one of the host's, as in KVM_GET_DIRTY_LOG.
    ///
    /// # Errors
    /// There is no such region, nobody [keeps track](Self::log_dirty_pages), or KVM refuses.
    pub fn dirty_pages(&self, guest_addr: u64) -> Result<Vec<u64>, Error> {
        let mut regions = self.shared.ram.change();
        let region = regions.list[regions.position(guest_addr)?];
        self.collect_dirty_pages(&mut regions, &region)?;
        Ok(regions.unread.remove(&guest_addr).unwrap_or_default())
    }

    /// Puts the pages of a region that payloads have written since this was last done on record.
    fn collect_dirty_pages(&self, regions: &mut Regions, region: &Region) -> Result<(), Error> {
        let pages = regions.unread_pages(region, self.shared.ram.page());
        for payload in &self.shared.payloads {
            payload.vm().dirty_pages(region, pages)?;
        }
        Ok(())
    }

    /// Makes all payloads what they were when the world was made, for a guest that is reset in place.
    /// Its vCPUs keep their lanes, and its memory stays.
    ///
    /// A blob's data is what its file says when this returns. What it has on each CPU, which is the EL1
    /// state, the frame and the stack, each lane makes anew at the next call that comes to it; with
    /// the kernel engine calls do not, so have [`Lane::abandon`] do it on every lane.
    ///
    /// # Errors
    /// A vCPU is in a call: [`Lane::abandon`] ends it. Nothing has been reset then.
    pub fn reset(&self) -> Result<(), Error> {
        self.check_idle()?;
        for payload in &self.shared.payloads {
            payload.reload();
            for slot in payload.vm().slots() {
                slot.lower();
            }
        }
        self.shared.count_reset();
        Ok(())
    }

    /// What each payload remembers, for a VMM that saves its guest: of a blob, its data. Calls that are in
    /// progress may be about to change it.
    ///
    /// With the guest's memory and vCPUs it is all that a world has, if no vCPU is in a call. Clocks,
    /// [`Timers`](crate::Timers), a watchdog and entries without a call are the VMM's to save; instead of the
    /// last it can [have every CPU entered](Self::interrupt).
    pub fn data(&self) -> Vec<Vec<u8>> {
        self.payloads().map(Payload::data).collect()
    }

    /// Has the payloads remember what those of another world did, or of this one before a
    /// [reset](Self::reset): the same blobs, to the byte, or else they find what they cannot understand.
    ///
    /// # Errors
    /// A vCPU is in a call, it is not as much as these payloads remember, or the host has no random numbers.
    /// Nothing has changed then.
    pub fn set_data(&self, data: &[Vec<u8>]) -> Result<(), Error> {
        // A lane that follows a reset meanwhile would write an older count of changes back.
        let _regions = self.shared.ram.change();
        self.check_idle()?;
        let payloads = &self.shared.payloads;
        let own = payloads.iter().map(|payload| payload.blob().data_size());
        if !own.eq(data.iter().map(Vec::len)) {
            return Err(Error::OtherData);
        }
        let mut changes = [0];
        if !entropy(&mut changes) {
            return Err(Error::Kvm {
                what: "get a random number",
                cause: io::Error::last_os_error(),
            });
        }
        for (payload, data) in payloads.iter().zip(data) {
            payload.set_data(data, changes[0]);
        }
        Ok(())
    }

    fn check_idle(&self) -> Result<(), Error> {
        let mut payloads = self.payloads();
        let busy = payloads.find_map(|payload| payload.vm().busy());
        busy.map_or(Ok(()), |cpu| Err(Error::Busy(cpu)))
    }

    /// How many vCPUs it was made for.
    pub fn cpus(&self) -> u32 {
        self.shared.cpus
    }

    /// The payloads, in the order of the blobs.
    pub fn payloads(&self) -> impl Iterator<Item = &Payload> {
        self.shared.payloads.iter().map(|payload| &**payload)
    }

    /// Who carries the calls of the first payload: [`Engine::Kernel`] or [`Engine::Userspace`].
    pub fn engine(&self) -> Engine {
        match self.payloads().any(Payload::is_bound) {
            true => Engine::Kernel,
            false => Engine::Userspace,
        }
    }

    /// Has a payload entered without a call on CPU number `cpu`, as soon as that CPU is not in a call
    /// (docs/abi.md, "Entry without a call"): the CPU's thread finds [`Lane::is_due`] true from now on.
    /// Several of these that have not been delivered are one.
    ///
    /// Get the vCPU out of KVM_RUN afterwards, by whatever the VMM has for that. A CPU or payload that
    /// there is not, and a blob that has no place for such entries, are left alone.
    pub fn interrupt(&self, cpu: u32, payload: usize) {
        let there = (self.shared.payloads.get(payload)).filter(|_| cpu < self.shared.cpus);
        if let Some(payload) = there.filter(|payload| payload.blob().takes_entries()) {
            payload.vm().slot(cpu).raise();
        }
    }

    /// Tells the payloads that the guest's memory is another, before anybody can see the next change.
    fn announce(&self, _locked: &RwLockWriteGuard<'_, Regions>) {
        for payload in &self.shared.payloads {
            payload.announce_memory();
        }
    }
}
