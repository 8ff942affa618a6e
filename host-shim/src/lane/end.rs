// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a call ends: on record, or by a fault after which the payload starts over.

use super::seat::Switch;
use super::{Lane, State};
use crate::error::Error;
use crate::fault::FaultReason;
use crate::limits::Limit;
use crate::monitor::slot::Verdict;
use crate::policy::OnFault;
use crate::regs::RegisterError;
use crate::step::Step;

impl Lane {
    /// Why the current call is to end, if that is what has interrupted it.
    pub(super) fn interruption(&self) -> Option<FaultReason> {
        let vcpu = &self.blob().vcpu;
        let signalled = vcpu.signal().take();
        // Whoever sent the signal, the VMM hears of it by the step.
        let verdict = vcpu.slot().fired()?;
        if signalled {
            // A fault tells of the watchdog's alone, and one may have been the VMM's own.
            vcpu.signal().give_back();
        }
        let config = &self.world.config;
        Some(match verdict {
            Verdict::Limit(limit @ Limit::CpuTime) => FaultReason::Timeout(limit, config.watchdog),
            Verdict::Limit(limit @ Limit::WallTime) => {
                FaultReason::Timeout(limit, config.watchdog_wall)
            }
            Verdict::Reload => FaultReason::Reloaded,
        })
    }

    /// Reports a fault and makes the payload fit for the next call.
    #[cold]
    pub(super) fn fail(&mut self, reason: FaultReason, in_gate: bool) -> Result<Step, Error> {
        let function = self.record.function;
        let hangs = matches!(reason, FaultReason::Timeout(..));
        let fault = self.blob().describe(function, reason, in_gate)?;
        let fault = Box::new(fault);
        self.start_over()?;
        if hangs {
            self.blob().payload.spoil(self.cpu, &self.world.config);
        }
        match self.world.config.on_fault {
            OnFault::Fatal => Err(Error::Blob(fault)),
            OnFault::NotSupported => {
                // An entry without a call has nobody to answer.
                if !self.record.is_entry {
                    self.record.after = self.record.before;
                    self.record.after[0] = self.guest.answer_not_supported()?;
                }
                self.end(true)?;
                Ok(Step::Fault(fault))
            }
        }
    }

    /// Abandons what the payload was doing, with all the EL1 state that it leaves, and parks it.
    #[cold]
    pub(super) fn start_over(&mut self) -> Result<(), Error> {
        self.state = State::Stale;
        self.seats[self.current].start_over(&self.guest)?;
        if self.catching {
            // It may be another seat whose return was to be seen here.
            self.stop_catching()?;
        }
        self.state = State::Idle;
        Ok(())
    }

    /// Makes sure that no call is in progress that user space knows of.
    #[inline(always)]
    pub(super) fn free(&mut self) -> Result<(), Error> {
        match self.state {
            State::Idle if self.resets == self.world.resets() => Ok(()),
            State::Idle => self.follow_reset(),
            State::Stale => self.start_over().and_then(|()| self.follow_reset()),
            State::Left | State::Asking(..) => Err(Error::OutOfTurn),
        }
    }

    /// The payloads have been reset, and so are their vCPUs here, unless KVM has begun a call meanwhile.
    #[cold]
    pub(super) fn follow_reset(&mut self) -> Result<(), Error> {
        let resets = self.world.resets();
        if self.resets == resets || self.bound_in_call().is_some() {
            return Ok(());
        }
        for seat in &mut self.seats {
            // Its frame counts changes of the guest's memory, which wait for this.
            let regions = self.world.ram.regions();
            seat.blob.forget();
            drop(regions);
            seat.start_over(&self.guest)?;
        }
        self.resets = resets;
        Ok(())
    }

    /// After an error of the host's a payload can be anywhere in its call: gives that up.
    #[inline(always)]
    pub(super) fn settle(&mut self, step: &Result<Step, Error>) {
        if let Err(Error::Register(_) | Error::Kvm { .. }) = step {
            self.give_up();
        }
    }

    #[cold]
    fn give_up(&mut self) {
        if let Some(seat) = self.bound_in_call() {
            self.current = seat;
        }
        // The caller has the error that came first. What fails here fails again before the next call,
        // unless it has passed by then.
        let _stale = self.start_over();
    }

    /// The call on record is over.
    #[inline]
    pub(super) fn end(&mut self, returned: bool) -> Result<(), RegisterError> {
        let seat = &self.seats[self.current];
        match seat.switch {
            Switch::Userspace => seat.blob.vcpu.slot().end(),
            // KVM's log tells of calls that return to the guest by themselves.
            Switch::Kernel(_) if !self.record.is_entry => self.record_given_up()?,
            Switch::Kernel(_) => {}
        }
        self.is_over(returned);
        Ok(())
    }
}
