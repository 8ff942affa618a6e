// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A payload: a blob, in a monitor VM of its own.

pub(crate) mod blob;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fakemon_abi::note::{GUEST_MEMORY_NONE, GUEST_MEMORY_READ};
use fakemon_abi::status::INVALID_PARAMETERS;
use kvm_ioctls::Kvm;

use crate::blob::Blob;
use crate::error::Error;
use crate::guest::ram::{GuestAccess, Ram};
use crate::layout::Stage2;
use crate::monitor::slot::Slot;
use crate::monitor::{Vcpus, Vm};
use crate::policy::Config;
use crate::request::Reply;

use self::blob::{frame, image};

/// What serves the guest's calls that it claims.
#[derive(Debug)]
pub struct Payload {
    vm: Arc<Vm>,
    blob: Blob,
    /// The blob has hung, and its data is as that left it.
    spoiled: AtomicBool,
    repairing: Mutex<()>,
}

impl Payload {
    /// Makes the VM and loads the blob; it has no memory of the guest's yet.
    pub(crate) fn new(
        kvm: &Kvm,
        blob: &Blob,
        vcpus: Vcpus,
        stage_2: Stage2,
    ) -> Result<Arc<Self>, Error> {
        let cpus = vcpus.slots.len() as u32;
        let memory = image::new(blob, cpus, vcpus.bound, stage_2).map_err(Error::Memory)?;
        let access = match blob.note().guest_memory {
            GUEST_MEMORY_NONE => GuestAccess::None,
            GUEST_MEMORY_READ => GuestAccess::Read,
            _ => GuestAccess::Write,
        };
        Ok(Arc::new(Payload {
            vm: Vm::new(kvm, memory, access, vcpus)?,
            blob: blob.clone(),
            spoiled: AtomicBool::new(false),
            repairing: Mutex::new(()),
        }))
    }

    /// Where it runs.
    pub(crate) fn vm(&self) -> &Arc<Vm> {
        &self.vm
    }

    /// Whether KVM carries this payload's calls by itself.
    pub fn is_bound(&self) -> bool {
        self.vm.is_bound()
    }

    /// What runs in the VM.
    pub fn blob(&self) -> &Blob {
        &self.blob
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
        self.count_memory_changes(1);
    }

    fn count_memory_changes(&self, changes: u64) {
        for cpu in 0..self.vm.cpus() {
            frame::count_memory_changes(self.vm.memory(), cpu, changes);
        }
    }

    /// A call of this library's has begun on this CPU: makes sure that the blob's data is fit for it.
    pub(crate) fn make_fit(&self, cpu: u32) {
        if self.spoiled.load(Ordering::SeqCst) {
            self.begin_spoiled(cpu);
        }
    }

    /// Such a call is in progress only when it is its turn, so that whoever is making the data anew does not
    /// end it.
    #[cold]
    fn begin_spoiled(&self, cpu: u32) {
        self.vm.slot(cpu).end();
        let _turn = self.turn();
        self.vm.slot(cpu).begin();
        self.repair(cpu);
    }

    /// The blob has been ended on this CPU because it hung. Its data may be in a state in which it
    /// hangs again, as with a lock that a call held which has failed; so that is made anew when no other CPU
    /// is in a call: now, or when a call of this library's begins.
    ///
    /// If calls hang in turn there is no such time. So when one has hung already and the data is still the
    /// same, the calls of all other CPUs are ended for it.
    pub(crate) fn spoil(&self, cpu: u32, config: &Config) {
        let _turn = self.turn();
        match self.spoiled.swap(true, Ordering::SeqCst) {
            false => self.repair(cpu),
            true => self.repair_by_force(cpu, config),
        }
    }

    /// Whether the blob has hung, and its data is as that left it.
    pub(crate) fn is_spoiled(&self) -> bool {
        self.spoiled.load(Ordering::SeqCst)
    }

    /// Says so of data that has been restored.
    pub(crate) fn set_spoiled(&self, is_spoiled: bool) {
        self.spoiled.store(is_spoiled, Ordering::SeqCst);
    }

    /// Waits until no other CPU looks after the data.
    fn turn(&self) -> MutexGuard<'_, ()> {
        self.repairing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn repair(&self, cpu: u32) {
        if self.spoiled.load(Ordering::SeqCst) && !self.others(cpu).any(Slot::is_in_call) {
            self.reload();
        }
    }

    /// This waits for nothing but KVM_RUN of other threads to end, and no longer than a call may hang: a host
    /// may have no CPU for them. The next call that hangs is the next try then.
    fn repair_by_force(&self, cpu: u32, config: &Config) {
        let begin = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            let signal = config.kick_signal;
            // All of them, whatever the first one says.
            let is_running = |slot: &&Slot| !slot.end_for_reload(signal);
            if self.others(cpu).filter(is_running).count() == 0 {
                return self.reload();
            }
            if begin.elapsed() > config.watchdog {
                return;
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(64));
        }
    }

    /// What is known of the other CPUs.
    fn others(&self, cpu: u32) -> impl Iterator<Item = &Slot> {
        let others = (0..self.vm.cpus()).filter(move |&other| other != cpu);
        others.map(|cpu| &**self.vm.slot(cpu))
    }

    /// Makes the blob's data what the file says.
    pub(crate) fn reload(&self) {
        image::load(self.vm.memory(), &self.blob);
        self.spoiled.store(false, Ordering::SeqCst);
    }

    /// What the blob remembers.
    pub(crate) fn data(&self) -> Vec<u8> {
        image::data(self.vm.memory(), &self.blob)
    }

    /// Has the blob remember something else, as many bytes. What it knew of the guest's memory does not hold
    /// here, however often that has changed: so this counts for so many `changes`, a number that nobody
    /// else has taken.
    pub(crate) fn set_data(&self, data: &[u8], changes: u64) {
        image::set_data(self.vm.memory(), &self.blob, data);
        self.count_memory_changes(changes);
        self.set_spoiled(false);
    }

    /// The ranges of the monitor's own addresses (docs/abi.md) that have memory, as address and size in
    /// bytes.
    pub fn memory_map(&self) -> impl Iterator<Item = (u64, u64)> {
        let pieces = self.vm.memory().pieces();
        pieces.map(|(piece, _)| (piece.address, piece.size))
    }

    /// Bytes of the monitor's own memory that have a page behind them by now.
    ///
    /// # Errors
    /// What mincore(2) says.
    pub fn touched_memory(&self) -> io::Result<u64> {
        self.vm.memory().touched()
    }

    /// Copies `size` bytes of the monitor's own memory, for debuggers; [`None`] where it has none.
    pub fn read_memory(&self, address: u64, size: usize) -> Option<Vec<u8>> {
        self.vm.memory().read(address, size)
    }
}
