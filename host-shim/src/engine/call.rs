// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One SMC, from the guest's exit to the moment when the guest can go on.
//!
//! This is the hot path. It makes two world switches and touches no register that the call does not
//! use: the caller's PC, PSTATE and the inputs of its function are read, the outputs that changed
//! are written back. The monitor's side needs no register ioctl at all, because the gate loads and
//! stores the frame. Nothing is allocated, and no lock is shared with another vCPU.
//!
//! That is the userspace engine. Where KVM carries calls by itself, only those that need user space
//! come here, and are sent on to `carried.rs`.

use fakemon_abi::frame::{REGS, SPSR_IL};
use fakemon_abi::layout::{HYP_VECTORS, VECTOR_LOWER_AARCH32, VECTOR_LOWER_AARCH64};
use fakemon_abi::note::{CONDUIT_HVC, CONDUIT_SMC, Range, WINDOW_LEGACY32};
use fakemon_abi::status;
use kvm_ioctls::VcpuExit;

use crate::engine::error::Error;
use crate::engine::exit::Exit;
use crate::engine::frame::{self, ELR, ENTRY, ESR, SP, SPSR};
use crate::engine::host::Host;
use crate::engine::record::monotonic_ns;
use crate::engine::regs::{self, RegisterError, x};
use crate::engine::step::{Step, Trap};
use crate::engine::vcpu::{MonitorVcpu, State};
use crate::fault::FaultReason;
use crate::width::{Conduit, Width};

const NZCV: u64 = 0xf << 28;

impl MonitorVcpu {
    /// Serves a call of the guest's vCPU, which has just exited with KVM_EXIT_HYPERCALL.
    ///
    /// A call that the blob does not claim is answered NOT_SUPPORTED, which is what KVM does with
    /// it by itself.
    ///
    /// # Errors
    /// The blob failed and the policy is to stop, or the host could not carry the call out.
    pub fn call(&mut self, trap: Trap, host: &mut dyn Host) -> Result<Step, Error> {
        if self.state != State::Idle {
            return Err(Error::OutOfTurn);
        }
        if self.carrier.is_some() {
            return self.serve_carried(trap, host);
        }
        let Some(range) = self.claim(trap) else {
            self.answer_not_supported()?;
            return Ok(Step::Done);
        };
        self.load(trap, range)?;
        self.slot().begin();
        self.run(host)
    }

    /// Goes on with a call that ended in [`Step::Interrupted`] or [`Step::WaitForInterrupt`].
    ///
    /// # Errors
    /// As for [`call`](Self::call).
    pub fn resume(&mut self, host: &mut dyn Host) -> Result<Step, Error> {
        if self.is_carried() {
            return Ok(self.resume_carried());
        }
        if self.state != State::Suspended {
            return Err(Error::OutOfTurn);
        }
        self.run(host)
    }

    /// Tells whether a call has been left and can go on: by [`resume`](Self::resume), or, if it was
    /// left by a signal while KVM carried it, by nothing more than KVM_RUN of the guest's vCPU.
    pub fn in_call(&self) -> bool {
        self.state == State::Suspended || self.is_carried()
    }

    /// The claimed range that a call falls into, if its conduit is served at all.
    pub(crate) fn claim(&self, trap: Trap) -> Option<Range> {
        let conduit = match trap.conduit {
            Conduit::Smc => CONDUIT_SMC,
            Conduit::Hvc => CONDUIT_HVC,
        };
        let served = self.shared.blob.note().conduits & conduit != 0;
        let ranges = self.shared.blob.ranges().iter().filter(|_| served);
        ranges
            .copied()
            .find(|range| (range.first..=range.last).contains(&trap.function))
    }

    /// Copies the caller's registers into the frame.
    fn load(&mut self, trap: Trap, range: Range) -> Result<(), RegisterError> {
        let record = &mut self.record;
        record.function = trap.function;
        record.conduit = trap.conduit;
        record.inputs = range.inputs.into();
        record.outputs = range.outputs.into();
        if self.shared.config.log != 0 {
            record.begin_ns = monotonic_ns();
        }
        record.before = [0; REGS];
        // KVM has read w0 already, and nothing else of x0 means anything to SMCCC (DEN 0028, 2.5).
        // A legacy call has data there, of which later kernels may mask bits in `nr`.
        record.before[0] = trap.function.into();
        let known = usize::from(self.shared.blob.note().window != WINDOW_LEGACY32);
        for n in known..record.inputs {
            record.before[n] = self.guest.get(x(n as u64))?;
        }
        record.after = record.before;
        record.pc = self.guest.get(regs::PC)?;
        record.pstate = self.guest.get(regs::PSTATE)?;

        for (n, value) in record.before.iter().enumerate() {
            self.frame.set(frame::x(n), *value);
        }
        let (class, vector) = match (self.width, trap.conduit) {
            (Width::AArch64, Conduit::Smc) => (0x17, VECTOR_LOWER_AARCH64),
            (Width::AArch64, Conduit::Hvc) => (0x16, HYP_VECTORS + VECTOR_LOWER_AARCH64),
            (Width::AArch32, Conduit::Smc) => (0x13, VECTOR_LOWER_AARCH32),
            (Width::AArch32, Conduit::Hvc) => (0x12, HYP_VECTORS + VECTOR_LOWER_AARCH32),
        };
        const INSTRUCTION_IS_32_BIT: u64 = 1 << 25;
        self.frame.set(ESR, class << 26 | INSTRUCTION_IS_32_BIT);
        self.frame.set(ELR, record.pc);
        self.frame.set(SPSR, record.pstate | SPSR_IL);
        self.frame.set(ENTRY, self.shared.blob.vectors() + vector);
        self.frame.set(SP, self.stack_top());
        Ok(())
    }

    /// Runs the blob until the call is over or the VMM is needed.
    fn run(&mut self, host: &mut dyn Host) -> Result<Step, Error> {
        let result = self.serve(host);
        if let (State::Idle, Ok(step)) = (self.state, &result) {
            self.end_record(*step == Step::Done);
        }
        result
    }

    /// The call on record is over.
    pub(crate) fn end_record(&mut self, returned: bool) {
        self.record.returned = returned;
        if self.shared.config.log != 0 {
            self.record.end_ns = monotonic_ns();
        }
        self.unread = true;
    }

    fn serve(&mut self, host: &mut dyn Host) -> Result<Step, Error> {
        self.state = State::Idle;
        loop {
            match self.enter(host) {
                Exit::Mmio => {}
                Exit::HostCall => {
                    if let Some(step) = self.host_call(host)? {
                        return Ok(step);
                    }
                }
                Exit::Returned => match self.check_return() {
                    Ok(()) => {
                        self.store()?;
                        return Ok(Step::Done);
                    }
                    Err(reason) => return self.fail(reason, true, host),
                },
                Exit::Interrupted => {
                    if let Some(reason) = self.timeout() {
                        return self.fail(reason, false, host);
                    }
                    self.state = State::Suspended;
                    return Ok(Step::Interrupted);
                }
                Exit::Fault(reason) => return self.fail(reason, false, host),
            }
        }
    }

    /// One KVM_RUN of the monitor's vCPU, which alone is the blob's time, and a secure access if it
    /// ends with one.
    fn enter(&mut self, host: &mut dyn Host) -> Exit {
        let slot = self.shared.watchdog.slot(self.cpu);
        slot.enter();
        let exit = self.fd.run();
        slot.leave();
        match exit {
            Ok(VcpuExit::MmioRead(address, data)) => Exit::read(self.doorbell, address, data, host),
            Ok(VcpuExit::MmioWrite(address, data)) => Exit::write(address, data, host),
            Ok(VcpuExit::Hypercall(call)) => Exit::Fault(FaultReason::NestedCall(call.nr as u32)),
            Ok(VcpuExit::Intr) => Exit::Interrupted,
            Ok(other) => Exit::fault(format!("{other:?}")),
            Err(error) if matches!(error.errno(), libc::EINTR | libc::EAGAIN) => {
                self.fd.set_kvm_immediate_exit(0);
                Exit::Interrupted
            }
            Err(error) => Exit::fault(error),
        }
    }

    /// Gives the caller the outputs that changed, and its PC and PSTATE if the blob changed them.
    fn store(&mut self) -> Result<(), RegisterError> {
        let record = &mut self.record;
        let mask = self.width.mask();
        let known = usize::from(self.shared.blob.note().window != WINDOW_LEGACY32);
        for n in 0..record.outputs {
            let value = self.frame.get(frame::x(n)) & mask;
            record.after[n] = value;
            // What was not read may have been anything before, as the upper half of x0.
            let read = (known..record.inputs).contains(&n);
            if !read || value != record.before[n] {
                self.guest.set(x(n as u64), value)?;
            }
        }
        let pc = self.frame.get(ELR);
        if pc != record.pc {
            self.guest.set(regs::PC, pc & mask)?;
        }
        let spsr = self.frame.get(SPSR);
        const SS: u64 = 1 << 21;
        const AIF: u64 = 0x7 << 6;
        let settable = match self.width {
            Width::AArch64 => !(SPSR_IL | SS),
            // An illegal return carries only these over.
            Width::AArch32 => NZCV | AIF,
        };
        if (spsr ^ record.pstate) & settable != 0 {
            self.guest
                .set(regs::PSTATE, record.pstate & !settable | spsr & settable)?;
        }
        Ok(())
    }

    pub(crate) fn answer_not_supported(&mut self) -> Result<(), RegisterError> {
        let answer = i64::from(status::NOT_SUPPORTED) as u64 & self.width.mask();
        self.record.after[0] = answer;
        self.guest.set(x(0), answer)
    }
}
