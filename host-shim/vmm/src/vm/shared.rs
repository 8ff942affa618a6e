// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the vCPUs' threads share: the bus, the power states, the trace, and how it all ends.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use fakemon_host::{BlobFault, Cpus, Timers, World};
use fakemon_manifest::Board;

use super::Options;
use super::kick::Slot;
use super::ring::Ring;
use crate::control::{Control, Outcome};
use crate::devices::pl031::Pl031;
use crate::devices::{Bus, Effect};
use crate::memory::Region;
use crate::reports::{Kind, Reports};
use crate::say;
use crate::trace::Tracer;

/// The guest's devices.
#[derive(Debug)]
pub(super) struct Devices {
    /// Where all of them are.
    pub(super) bus: Bus,
    /// The clock.
    pub(super) rtc: Option<Arc<Mutex<Pl031>>>,
    /// Stores to the console that have not been carried out yet.
    pub(super) ring: Option<Ring>,
}

/// Shared by all vCPUs of a VM.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) board: Board,
    pub(super) cpus: Cpus,
    pub(super) control: Control,
    pub(super) tracer: Option<Arc<Tracer>>,
    pub(super) slots: Vec<Slot>,
    devices: Devices,
    memory: Vec<Region>,
    kick_signal: i32,
    /// The guest's payloads, if it has any; there from before the first vCPU runs.
    pub(super) world: OnceLock<World>,
    /// When payloads are to be entered without a call.
    pub(super) timers: Timers,
    pub(super) reports: Arc<Reports>,
}

impl Shared {
    pub(super) fn new(
        board: Board,
        devices: Devices,
        cpus: Cpus,
        memory: Vec<Region>,
        timers: Timers,
        options: &Options,
    ) -> Self {
        let slots = (0..cpus.count()).map(|_| Slot::default()).collect();
        Shared {
            board,
            cpus,
            control: Control::default(),
            tracer: options.tracer.clone(),
            slots,
            devices,
            memory,
            kick_signal: options.config.kick_signal,
            world: OnceLock::new(),
            timers,
            reports: options.reports.clone(),
        }
    }

    /// Carries out a load from the bus.
    pub(super) fn read(&self, cpu: u32, address: u64, data: &mut [u8], secure: bool) {
        self.drain();
        if !self.devices.bus.read(address, data, secure) {
            self.report(cpu, "read from", address, secure);
        }
    }

    /// Carries out a store to the bus, and what it does to the machine.
    pub(super) fn write(&self, cpu: u32, address: u64, data: &[u8], secure: bool) {
        self.drain();
        match self.devices.bus.write(address, data, secure) {
            Some(Effect::None) => {}
            Some(Effect::Off) => self.control.stop(Outcome::Off),
            Some(Effect::Reset) => self.control.stop(Outcome::Reset),
            None => self.report(cpu, "write to", address, secure),
        }
    }

    /// Carries out the stores that the guest has made to the console without an exit: before any other
    /// access, so that they stay in order.
    pub(super) fn drain(&self) {
        if let Some(ring) = &self.devices.ring {
            ring.drain(|store| {
                // The console does nothing to the machine.
                let _none = self.devices.bus.write(store.address, store.data(), false);
            });
        }
    }

    /// Tells whether a guest physical address lies in the guest's memory.
    pub(super) fn is_memory(&self, address: u64) -> bool {
        self.memory.iter().any(|region| {
            address
                .checked_sub(region.guest)
                .is_some_and(|offset| offset < region.size)
        })
    }

    /// Makes a vCPU come out of KVM_RUN.
    pub(super) fn kick(&self, cpu: usize) {
        if let Some(slot) = self.slots.get(cpu) {
            slot.kick(self.kick_signal);
        }
    }

    /// Makes all vCPUs come out of KVM_RUN.
    pub(super) fn kick_all(&self) {
        self.slots
            .iter()
            .for_each(|slot| slot.kick(self.kick_signal));
    }

    /// Has a payload entered on a CPU without a call, if that is on.
    pub(super) fn interrupt(&self, cpu: u32, payload: usize) {
        let number = cpu as usize;
        if let Some(world) = self.world.get().filter(|_| self.cpus.is_on(number)) {
            world.interrupt(cpu, payload);
            self.kick(number);
        }
    }

    /// Has the payloads entered whose time has come.
    pub(super) fn look_at_timers(&self) {
        match self.timers.take() {
            Ok(come) => come
                .into_iter()
                .for_each(|(cpu, payload)| self.interrupt(cpu, payload)),
            Err(error) => self.control.stop(Outcome::Host(format!(
                "cannot set a payload's timer: {error}"
            ))),
        }
    }

    /// Has the guest's clock look at its alarm.
    pub(super) fn tick(&self) {
        if let Some(mut rtc) = self.rtc() {
            rtc.tick();
        }
    }

    /// Tells whether the guest's clock will interrupt it by itself.
    pub(super) fn has_alarm(&self) -> bool {
        self.rtc().is_some_and(|rtc| rtc.has_alarm())
    }

    fn rtc(&self) -> Option<MutexGuard<'_, Pl031>> {
        let rtc = self.devices.rtc.as_ref()?;
        Some(rtc.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Shows a line that the blob has written to its console.
    pub(super) fn report_console(&self, cpu: u32, line: &str) {
        self.reports.add(Kind::Console, || {
            say!("blob on CPU {cpu}: {}", line.escape_debug());
        });
    }

    /// Shows a fault of the blob, after which the guest goes on.
    pub(super) fn report_fault(&self, fault: &BlobFault) {
        self.reports.add(Kind::Fault, || say!("{fault}"));
    }

    fn report(&self, cpu: u32, what: &str, address: u64, secure: bool) {
        let who = if secure { "the blob on CPU" } else { "CPU" };
        self.reports.add(Kind::Nowhere, || {
            say!("{who} {cpu}: {what} {address:#x}, where nothing is (reads as zero)");
        });
    }
}
