// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Entering a blob: what the gate, or KVM, finds of a call, and where its return goes.

use fakemon_abi::frame::SPSR_IL;
use fakemon_abi::layout::{
    FRAME, GATE, HYP_VECTORS, VECTOR_FIQ_AARCH32, VECTOR_FIQ_AARCH64, VECTOR_LOWER_AARCH32,
    VECTOR_LOWER_AARCH64,
};

use crate::engine::binding::Binding;
use crate::error::Error;
use crate::payload::blob::cpu::BlobCpu;
use crate::payload::blob::frame::{ELR, ENTRY, ESR, SP, SPSR};
use crate::payload::blob::gate;
use crate::record::CallRecord;
use crate::regs::{self, RegisterError, x};
use crate::width::{Conduit, Width};

/// ESR_ELx.IL: the instruction has 32 bits.
const INSTRUCTION_IS_32_BIT: u64 = 1 << 25;

impl BlobCpu {
    /// Leaves a call for the gate, which enters it when the vCPU runs.
    pub(crate) fn load(&self, call: &CallRecord, width: Width) {
        let (class, vector) = match (width, call.conduit) {
            (Width::AArch64, Conduit::Smc) => (0x17, VECTOR_LOWER_AARCH64),
            (Width::AArch64, Conduit::Hvc) => (0x16, HYP_VECTORS + VECTOR_LOWER_AARCH64),
            (Width::AArch32, Conduit::Smc) => (0x13, VECTOR_LOWER_AARCH32),
            (Width::AArch32, Conduit::Hvc) => (0x12, HYP_VECTORS + VECTOR_LOWER_AARCH32),
        };
        self.fill(call, class << 26 | INSTRUCTION_IS_32_BIT, vector);
    }

    /// Leaves an entry without a call for the gate, like [`load`](Self::load).
    pub(crate) fn load_entry(&self, interrupted: &CallRecord, width: Width) {
        let vector = match width {
            Width::AArch64 => VECTOR_FIQ_AARCH64,
            Width::AArch32 => VECTOR_FIQ_AARCH32,
        };
        self.fill(interrupted, 0, vector);
    }

    fn fill(&self, call: &CallRecord, esr: u64, vector: u64) {
        self.frame.set_x(&call.before);
        self.frame.set(ESR, esr);
        self.frame.set(ELR, call.pc);
        self.frame.set(SPSR, call.pstate | SPSR_IL);
        self.frame
            .set(ENTRY, self.payload.blob().vectors() + vector);
        self.frame.set(SP, self.stack_top());
    }

    /// Has the return of the call that KVM carries come to the doorbell, also if it has come to one of
    /// KVM's vectors already and no further.
    pub(crate) fn catch_return(&self) -> Result<(), RegisterError> {
        let (own, carried) = (self.vcpu.registers(), self.block() + GATE);
        let plain = carried + gate::PLAIN_VECTORS;
        own.set(regs::VBAR_EL1, plain)?;
        let vector = own.get(regs::PC)?.wrapping_sub(carried);
        match gate::RETURNS.contains(&vector) {
            true => own.set(regs::PC, plain + vector),
            false => Ok(()),
        }
    }

    /// Has KVM see returns by itself again.
    pub(crate) fn stop_catching(&self) -> Result<(), RegisterError> {
        let own = self.vcpu.registers();
        own.set(regs::VBAR_EL1, self.block() + GATE)
    }

    /// Has KVM begin the call that has been [loaded](Self::load), as if the guest had just made it.
    pub(crate) fn begin_in_kvm(&self, binding: &Binding, call: &CallRecord) -> Result<(), Error> {
        self.vcpu.complete_access();
        let own = self.vcpu.registers();
        let entry = self.frame.get(ENTRY);
        for n in 0..=30 {
            let value = match n {
                0..18 => call.before[n],
                18..30 => 0,
                _ => entry,
            };
            own.set(x(n as u64), value)?;
        }
        own.set(regs::SP_EL1, self.stack_top())?;
        own.set(regs::TPIDR_EL1, self.block() + FRAME)?;
        own.set(regs::ELR_EL1, call.pc)?;
        own.set(regs::SPSR_EL1, call.pstate | SPSR_IL)?;
        own.set(regs::ESR_EL1, self.frame.get(ESR))?;
        own.set(regs::PSTATE, regs::PSTATE_EL1H_MASKED)?;
        own.set(regs::PC, entry)?;
        self.vcpu.slot().count();
        binding
            .begin(call.outputs as u8)
            .map_err(|cause| Error::Kvm {
                what: "begin a call",
                cause,
            })
    }
}
