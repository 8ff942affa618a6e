// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Raises an UNDEFINED exception in a guest whose call nobody is to answer.

use crate::fd::AsKvmFd;
use crate::guest::undefined::{Before, aarch32, aarch64};
use crate::regs::{self, RegisterError, Registers};
use crate::width::Width;

/// Makes the guest's vCPU, which has just exited with KVM_EXIT_HYPERCALL, take the exception that
/// the SMC or HVC raises on a CPU without EL3 or EL2.
///
/// # Errors
/// What the kernel says of the first register that cannot be read or written.
pub fn inject_undefined(vcpu: &impl AsKvmFd, width: Width) -> Result<(), RegisterError> {
    let vcpu = Registers::of(vcpu);
    let before = Before {
        pc_after: vcpu.get(regs::PC)?,
        pstate: vcpu.get(regs::PSTATE)?,
        vbar: vcpu.get(regs::VBAR_EL1)?,
        sctlr: vcpu.get(regs::SCTLR_EL1)?,
    };
    match width {
        Width::AArch64 => {
            let after = aarch64(&before);
            vcpu.set(regs::ELR_EL1, after.elr_el1)?;
            vcpu.set(regs::SPSR_EL1, after.spsr_el1)?;
            vcpu.set(regs::ESR_EL1, after.esr_el1)?;
            vcpu.set(regs::PSTATE, after.pstate)?;
            vcpu.set(regs::PC, after.pc)
        }
        Width::AArch32 => {
            let after = aarch32(&before);
            vcpu.set(regs::SPSR_UND, after.spsr_und.into())?;
            vcpu.set(regs::LR_UND, after.lr_und.into())?;
            vcpu.set(regs::PSTATE, after.cpsr.into())?;
            vcpu.set(regs::PC, after.pc.into())
        }
    }
}
