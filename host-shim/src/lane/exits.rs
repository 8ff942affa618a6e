// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a payload's leaving its vCPU means for the call: it has returned, asks, fails, or is interrupted.

use fakemon_abi::note::{GUEST_MEMORY_NONE, GUEST_MEMORY_READ};

use super::seat::Switch;
use super::{Lane, Place, State};
use crate::error::Error;
use crate::fault::FaultReason;
use crate::payload::blob::leave::Event;
use crate::record::CallRecord;
use crate::request::Request;
use crate::step::{Step, Trap};

impl Lane {
    /// Runs the payload until the call is over or the VMM is needed.
    #[inline]
    pub(super) fn run(&mut self) -> Result<Step, Error> {
        self.blob_mut().vcpu.come_here()?;
        loop {
            let blob = self.blob();
            let exit = blob.vcpu.run();
            let Some(event) = blob.event(exit) else {
                return self.at_gate();
            };
            if let Some(step) = self.serve_event(event)? {
                return Ok(step);
            }
        }
    }

    /// Does what KVM needs user space for in a call that it carries.
    pub(super) fn exit_of_monitor(&mut self, seat: usize, trap: Trap) -> Result<Step, Error> {
        self.current = seat;
        match self.begun_in_progress() {
            Some(begun) => self.record = begun,
            None => {
                (self.record.function, self.record.conduit) = (trap.function, trap.conduit);
                self.record.is_entry = false;
            }
        }
        let blob = self.blob();
        let exit = blob.vcpu.last_exit();
        match blob.event(exit) {
            Some(event) => Ok(self.serve_event(event)?.unwrap_or(Step::Run)),
            None if self.catching => self.caught(),
            None => self.refused_by_kvm(),
        }
    }

    /// What KVM has in progress for the current payload, if this library has had it begin that.
    pub(super) fn begun_in_progress(&self) -> Option<CallRecord> {
        let Switch::Kernel(binding) = &self.seats[self.current].switch else {
            return None;
        };
        let (number, begun) = self.begun?;
        (binding.call() == Some(number)).then_some(begun)
    }

    /// [`None`] lets the payload go on.
    pub(super) fn serve_event(&mut self, event: Event) -> Result<Option<Step>, Error> {
        match event {
            Event::HostCall => self.host_call(),
            Event::Load { address, size } => {
                if let Some(value) = self.load(address, size) {
                    self.blob_mut().vcpu.finish_load(value);
                    return Ok(None);
                }
                let request = Request::Read { address, size };
                Ok(Some(self.ask(request, Place::Access)))
            }
            Event::Store { address, .. } if self.is_forbidden(address) => {
                self.fail(FaultReason::ReadOnly(address), false).map(Some)
            }
            Event::Store {
                address,
                size,
                value,
            } => {
                if self.sees_memory() && self.world.ram.write(address, size, value) {
                    return Ok(None);
                }
                let request = Request::Write {
                    address,
                    size,
                    value,
                };
                Ok(Some(self.ask(request, Place::Access)))
            }
            Event::Interrupted => match self.interruption() {
                Some(reason) => self.fail(reason, false).map(Some),
                None => {
                    self.blob().vcpu.take_kick();
                    self.state = State::Left;
                    self.blob().vcpu.slot().set_paused(true);
                    Ok(Some(Step::Interrupted))
                }
            },
            Event::Fault(reason) => self.fail(*reason, false).map(Some),
        }
    }

    /// Whether a store there is one to guest memory that the payload has asked to read alone.
    fn is_forbidden(&self, address: u64) -> bool {
        let access = self.blob().payload.blob().note().guest_memory;
        access == GUEST_MEMORY_READ && self.world.ram.holds(address)
    }

    /// What is in the guest's memory there, which the payload's VM has not got for the moment in which
    /// that changes.
    fn load(&self, address: u64, size: usize) -> Option<u64> {
        (self.sees_memory()).then(|| self.world.ram.read(address, size))?
    }

    /// Whether the payload has the guest's memory where the guest has it.
    fn sees_memory(&self) -> bool {
        self.blob().payload.blob().note().guest_memory != GUEST_MEMORY_NONE
    }

    pub(super) fn ask(&mut self, request: Request, place: Place) -> Step {
        self.blob().vcpu.slot().set_paused(true);
        self.state = State::Asking(request.clone(), place);
        Step::Ask(request)
    }

    /// The payload has come to the gate: if it has returned, gives the guest what changed.
    #[inline]
    fn at_gate(&mut self) -> Result<Step, Error> {
        let blob = &self.seats[self.current].blob;
        let spsr = match blob.check_return(self.guest.width()) {
            Ok(spsr) => spsr,
            Err(reason) => return self.fail(reason, true),
        };
        if !blob.give_back(spsr, &mut self.record, &self.guest)? {
            return self.fail(FaultReason::no_such_mode(spsr), true);
        }
        self.end(true)?;
        Ok(Step::Run)
    }

    /// The payload has come to the gate in a call that KVM carries, and KVM did not take that for a
    /// return.
    fn refused_by_kvm(&mut self) -> Result<Step, Error> {
        let blob = self.blob();
        let reason = match blob.check_return(self.guest.width()) {
            Err(reason) => reason,
            Ok(spsr) => FaultReason::no_such_mode(spsr),
        };
        self.fail(reason, true)
    }
}
