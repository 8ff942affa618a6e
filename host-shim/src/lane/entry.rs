// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Entering a payload without a call, as an FIQ enters firmware: with the guest wherever it is.
//!
//! A call in progress comes first. KVM does not tell of the end of one that it carries, so such a call's
//! return is caught: the payload's vectors are set to those that come to this library's doorbell.

use fakemon_abi::frame::REGS;

use super::seat::Switch;
use super::{Lane, State};
use crate::error::Error;
use crate::fault::FaultReason;
use crate::regs::RegisterError;
use crate::step::Step;

impl Lane {
    /// Whether a payload is to be entered without a call ([`World::interrupt`](crate::World::interrupt)),
    /// and there is something to [`deliver`](Self::deliver) before the guest runs on.
    pub fn is_due(&self) -> bool {
        let waits = self.catching && self.bound_in_call().is_some();
        matches!(self.state, State::Idle | State::Stale) && !waits && self.is_raised()
    }

    /// Whether a payload is to be entered without a call, now or when the call in progress is over: a
    /// guest that waits for an interrupt ([`Request::WaitForInterrupt`](crate::Request::WaitForInterrupt)) has waited long enough.
    pub fn is_raised(&self) -> bool {
        self.due().is_some()
    }

    /// The first seat whose payload is to be entered without a call.
    fn due(&self) -> Option<usize> {
        let mut seats = self.seats.iter();
        seats.position(|seat| seat.blob.vcpu.slot().is_raised())
    }

    /// Enters a payload that [is due](Self::is_due), with the guest where it is. A call that KVM has in
    /// progress ends first, by the VMM's running the guest, and comes back here as [`trap`](Self::trap):
    /// with nothing due, this is how a VMM has such a call end that is to do something else.
    ///
    /// The guest's vCPU must have left KVM_RUN with nothing to complete: after an exit for an access to
    /// a device, run it with `immediate_exit` set, which ends in EINTR.
    ///
    /// # Errors
    /// As for [`trap`](Self::trap).
    pub fn deliver(&mut self) -> Result<Step, Error> {
        self.free()?;
        let due = self.due();
        let step = self.enter_due();
        if let (Some(seat), Err(Error::Register(_) | Error::Kvm { .. })) = (due, &step) {
            // It was the host that failed, so the entry stays due.
            self.seats[seat].blob.vcpu.slot().raise();
        }
        self.settle(&step);
        step
    }

    fn enter_due(&mut self) -> Result<Step, Error> {
        if let Some(seat) = self.bound_in_call() {
            self.catching = true;
            self.seats[seat].blob.catch_return()?;
            return Ok(Step::Run);
        }
        if self.catching {
            // That call was over for KVM in another way: the VMM has reset the guest's vCPU, or the blob has
            // made the gate's HVC elsewhere.
            self.stop_catching()?;
        }
        let Some(seat) = self.due() else {
            return Ok(Step::Run);
        };
        self.current = seat;
        self.read_interrupted(REGS)?;
        self.blob().vcpu.slot().lower();
        self.record.is_entry = true;
        let blob = &self.seats[seat].blob;
        blob.load_entry(&self.record, self.guest.width());
        self.begin()
    }

    /// The payload has come to the gate from a call that KVM carries, because its return is to be seen
    /// here.
    pub(super) fn caught(&mut self) -> Result<Step, Error> {
        let seat = &self.seats[self.current];
        let spsr = match seat.blob.check_return(self.guest.width()) {
            Ok(spsr) => spsr,
            Err(reason) => return self.fail(reason, true),
        };
        let Switch::Kernel(binding) = &seat.switch else {
            return Err(Error::OutOfTurn);
        };
        if self.begun_in_progress().is_none() {
            self.read_carried(binding.outputs()?)?;
        }
        let seat = &self.seats[self.current];
        if !(seat.blob).give_back(spsr, &mut self.record, &self.guest)? {
            return self.fail(FaultReason::no_such_mode(spsr), true);
        }
        seat.give_up()?;
        seat.blob.vcpu.complete_access();
        self.stop_catching()?;
        self.is_over(true);
        Ok(Step::Run)
    }

    /// Has KVM see returns by itself again.
    pub(super) fn stop_catching(&mut self) -> Result<(), RegisterError> {
        let mut bound = (self.seats.iter()).filter(|seat| matches!(seat.switch, Switch::Kernel(_)));
        bound.try_for_each(|seat| seat.blob.stop_catching())?;
        self.catching = false;
        Ok(())
    }
}
