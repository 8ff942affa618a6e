// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A call that KVM carries by itself, at the moments when it needs user space.
//!
//! Most calls never come here. KVM enters the blob when the guest executes its SMC, finds the blob's
//! return by the first instruction of the gate's vectors, and goes on with the guest. When the
//! monitor's vCPU leaves for user space on the way, because of a host call, a secure access or a
//! fault, KVM_RUN of the *guest's* vCPU ends with KVM_EXIT_HYPERCALL, which the VMM brings here as
//! it brings any call; why is in the monitor's `kvm_run`. [`Step::Done`] then says nothing but "run
//! the guest's vCPU", which is to go on with the call.

use std::io;

use kvm_bindings::{KVM_EXIT_HYPERCALL, KVM_EXIT_INTR, KVM_EXIT_MMIO, KVM_EXIT_UNKNOWN};

use crate::engine::error::Error;
use crate::engine::exit::Exit;
use crate::engine::frame::SPSR;
use crate::engine::host::Host;
use crate::engine::record::{CallRecord, monotonic_ns};
use crate::engine::regs::{RegisterError, x};
use crate::engine::step::{Step, Trap};
use crate::engine::vcpu::{MonitorVcpu, State};
use crate::fault::FaultReason;

impl MonitorVcpu {
    /// Tells whether KVM has a call in progress.
    pub(crate) fn is_carried(&self) -> bool {
        self.carrier
            .as_ref()
            .is_some_and(|carrier| carrier.in_call())
    }

    /// Does what KVM needs user space for.
    pub(crate) fn serve_carried(&mut self, trap: Trap, host: &mut dyn Host) -> Result<Step, Error> {
        if !self.is_carried() {
            // Only the log was full.
            return Ok(Step::Done);
        }
        (self.record.function, self.record.conduit) = (trap.function, trap.conduit);
        let step = self.serve_exit(host)?;
        if !self.is_carried() {
            self.record_end(trap, step)?;
        }
        Ok(step)
    }

    /// Puts a call on record that has ended here, of which KVM's log does not tell. The caller's
    /// registers are still as they were, but for an answer in the first.
    fn record_end(&mut self, trap: Trap, step: Step) -> Result<(), RegisterError> {
        let mut record = CallRecord {
            function: trap.function,
            conduit: trap.conduit,
            ..CallRecord::NONE
        };
        if let Some(range) = self.claim(trap) {
            (record.inputs, record.outputs) = (range.inputs.into(), range.outputs.into());
        }
        for n in 0..record.inputs {
            record.before[n] = self.guest.get(x(n as u64))?;
        }
        record.after = record.before;
        record.before[0] = trap.function.into();
        if self.shared.config.log != 0 {
            record.begin_ns = monotonic_ns();
        }
        self.record = record;
        self.end_record(step == Step::Done);
        Ok(())
    }

    fn serve_exit(&mut self, host: &mut dyn Host) -> Result<Step, Error> {
        match self.exit_of_monitor(host) {
            Exit::Mmio => Ok(Step::Done),
            Exit::HostCall => {
                let step = self.host_call(host)?.unwrap_or(Step::Done);
                self.slot().set_paused(self.state == State::Suspended);
                Ok(step)
            }
            // The gate has come to its doorbell because KVM did not take this for a return.
            Exit::Returned => {
                let spsr = self.frame.get(SPSR);
                let problem = "KVM does not let the caller have this mode";
                let taken = FaultReason::BadReturn { spsr, problem };
                let reason = self.check_return().err().unwrap_or(taken);
                self.fail(reason, true, host)
            }
            Exit::Interrupted => {
                if let Some(reason) = self.timeout() {
                    return self.fail(reason, false, host);
                }
                self.state = State::Suspended;
                self.slot().set_paused(true);
                Ok(Step::Interrupted)
            }
            Exit::Fault(reason) => self.fail(reason, false, host),
        }
    }

    /// Lets KVM go on with a call that was left.
    pub(crate) fn resume_carried(&mut self) -> Step {
        self.state = State::Idle;
        self.slot().set_paused(false);
        Step::Done
    }

    /// Reads why the monitor's vCPU has left, and does a secure access.
    fn exit_of_monitor(&mut self, host: &mut dyn Host) -> Exit {
        let doorbell = self.doorbell;
        let run = self.fd.get_kvm_run();
        match run.exit_reason {
            KVM_EXIT_MMIO => {
                // SAFETY: for this reason KVM has filled in this arm of the union.
                let mmio = unsafe { &mut run.__bindgen_anon_1.mmio };
                let length = mmio.data.len().min(mmio.len as usize);
                let (address, data) = (mmio.phys_addr, &mut mmio.data[..length]);
                if mmio.is_write != 0 {
                    Exit::write(address, data, host)
                } else {
                    Exit::read(doorbell, address, data, host)
                }
            }
            KVM_EXIT_HYPERCALL => {
                // SAFETY: as above.
                let call = unsafe { run.__bindgen_anon_1.hypercall };
                Exit::Fault(FaultReason::NestedCall(call.nr as u32))
            }
            KVM_EXIT_INTR => {
                run.immediate_exit = 0;
                Exit::Interrupted
            }
            KVM_EXIT_UNKNOWN => {
                // SAFETY: as above.
                let error = unsafe { run.__bindgen_anon_1.hw.hardware_exit_reason };
                Exit::fault(io::Error::from_raw_os_error(error as i32))
            }
            reason => Exit::fault(format!("exit {reason} of KVM_RUN")),
        }
    }

    /// Hands out the calls that are over and have not been handed out, from the oldest, and leaves
    /// the newest in [`last_call`](Self::last_call).
    ///
    /// Have a VMM with a trace do this after each [`call`](Self::call), and when the guest's vCPU
    /// has stopped for good. Calls that KVM carries are here only if there is a
    /// [log](crate::Config::log); the userspace engine keeps no more than the last one.
    pub fn drain_log(&mut self, mut each: impl FnMut(&CallRecord)) {
        while let Some(record) = self.carrier.as_mut().and_then(|carrier| carrier.take()) {
            each(&record);
            if !self.unread {
                self.record = record;
            }
        }
        // A call that ended in user space is younger than what KVM has carried.
        if std::mem::take(&mut self.unread) {
            each(&self.record);
        }
    }
}
