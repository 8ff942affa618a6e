// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The call on record: what is read of the caller, when it is over, and how it is handed out.

use fakemon_abi::frame::REGS;
use fakemon_abi::note::Range;

use super::Lane;
use super::seat::Switch;
use crate::clock::monotonic_ns;
use crate::record::CallRecord;
use crate::regs::{self, RegisterError, x};
use crate::step::Trap;

impl Lane {
    /// The call being served, or the last one, for traces. Of the calls that KVM carries by itself
    /// it is the last that [`drain_log`](Self::drain_log) has handed out.
    pub fn last_call(&self) -> &CallRecord {
        &self.record
    }

    /// Hands out the calls that are over and have not been handed out, from the oldest, and leaves
    /// the newest in [`last_call`](Self::last_call).
    ///
    /// Have a VMM with a trace do this after each call, and when the guest's vCPU has stopped for
    /// good. Calls that KVM carries are here only if there is a [log](crate::Config::log); the
    /// userspace engine keeps no more than the last one.
    pub fn drain_log(&mut self, mut each: impl FnMut(&CallRecord)) {
        for seat in &mut self.seats {
            let Switch::Kernel(binding) = &mut seat.switch else {
                continue;
            };
            while let Some(mut record) = binding.take() {
                record.conduit = self.world.config.hvc.served_as(record.conduit);
                each(&record);
                if !self.unread {
                    self.record = record;
                }
            }
        }
        // A call that ended in user space is younger than what KVM has carried.
        if std::mem::take(&mut self.unread) {
            each(&self.record);
        }
    }

    /// Puts a call on record, with those registers of the caller that it is about.
    pub(super) fn read_caller(&mut self, trap: Trap, range: Range) -> Result<(), RegisterError> {
        let first = self.blob().first_input();
        let caller = self.guest.registers();
        let record = &mut self.record;
        record.is_entry = false;
        record.function = trap.function;
        record.conduit = trap.conduit;
        record.inputs = range.inputs.into();
        record.outputs = range.outputs.into();
        if self.world.config.log != 0 {
            record.begin_ns = monotonic_ns();
        }
        record.before = [0; REGS];
        record.before[0] = trap.function.into();
        for n in first..record.inputs {
            record.before[n] = caller.get(x(n as u64))?;
        }
        record.pc = caller.get(regs::PC)?;
        record.pstate = caller.get(regs::PSTATE)?;
        Ok(())
    }

    /// Puts a call on record that KVM has begun by itself, and gives back so many registers. The caller's are
    /// still as they were; when they were so first, nobody knows.
    pub(super) fn read_carried(&mut self, outputs: usize) -> Result<(), RegisterError> {
        let (function, conduit) = (self.record.function, self.record.conduit);
        let claim = self.blob().claim(function, conduit);
        let inputs = claim.map_or(outputs, |range| range.inputs.into());
        self.read_interrupted(inputs.max(outputs))?;
        let record = &mut self.record;
        (record.function, record.conduit) = (function, conduit);
        (record.inputs, record.outputs) = (inputs, outputs);
        if self.world.config.log != 0 {
            record.begin_ns = monotonic_ns();
        }
        Ok(())
    }

    /// Puts on record where the guest is, with as many of its registers, all of which may change.
    pub(super) fn read_interrupted(&mut self, registers: usize) -> Result<(), RegisterError> {
        let guest = self.guest.registers();
        let mut record = CallRecord {
            inputs: registers,
            outputs: registers,
            ..CallRecord::NONE
        };
        for n in 0..registers {
            record.before[n] = guest.get(x(n as u64))?;
        }
        record.pc = guest.get(regs::PC)?;
        record.pstate = guest.get(regs::PSTATE)?;
        self.record = record;
        Ok(())
    }

    /// Puts on record that the call is over.
    pub(super) fn is_over(&mut self, returned: bool) {
        self.record.returned = returned;
        if self.world.config.log != 0 {
            self.record.end_ns = monotonic_ns();
        }
        self.unread = !self.record.is_entry;
    }

    /// Puts a call on record that KVM has carried and user space has ended. The caller's registers are
    /// still as they were, but for an answer in the first.
    #[cold]
    pub(super) fn record_given_up(&mut self) -> Result<(), RegisterError> {
        let (function, conduit) = (self.record.function, self.record.conduit);
        let mut record = CallRecord {
            function,
            conduit,
            ..CallRecord::NONE
        };
        if let Some(range) = self.blob().claim(function, conduit) {
            (record.inputs, record.outputs) = (range.inputs.into(), range.outputs.into());
        }
        for n in 0..record.inputs {
            record.before[n] = self.guest.registers().get(x(n as u64))?;
        }
        record.after = record.before;
        record.before[0] = function.into();
        if self.world.config.log != 0 {
            record.begin_ns = monotonic_ns();
        }
        self.record = record;
        Ok(())
    }
}
