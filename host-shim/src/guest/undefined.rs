// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a CPU does with an UNDEFINED instruction at EL1, for a call that the guest must not have.
//!
//! A board without EL3 answers SMC with an Undefined Instruction exception, and one without EL2
//! answers HVC with it. KVM forwards the call to the VMM instead, already past the instruction, and
//! has no request that injects this exception. So the shim does what the CPU would have done: it
//! computes the registers after the exception from those before it, and sets them before the next
//! KVM_RUN. The rules are those of AArch64.TakeException and AArch32.EnterMode (Arm ARM, DDI 0487,
//! D1.3 and G1.12), and KVM's own injection inside the kernel follows the same ones.
//!
//! Some bits of PSTATE exist only with an extension. Those below are RES0 without theirs, so they
//! are written as if the CPU had FEAT_PAN, FEAT_UAO, FEAT_DIT, FEAT_SSBS, FEAT_BTI and FEAT_MTE2.
//! The ones of FEAT_NMI, FEAT_GCS and FEAT_EBEP become 0: these extensions are taken to be absent.
//!
//! When it steps over the instruction, KVM clears PSTATE.SS and PSTATE.BTYPE and advances CPSR.IT.
//! What they were is lost, and the SPSR holds what KVM left. For IT that is 0: SMC is legal in an
//! IT block only as the last instruction, and HVC not at all.

/// Registers of a vCPU after KVM has forwarded its SMC or HVC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    /// Program counter, past the instruction, which has 4 bytes in every instruction set.
    pub pc_after: u64,
    /// PSTATE in the layout of SPSR_EL2, which is KVM's, for 32-bit guests too.
    pub pstate: u64,
    /// VBAR_EL1 or VBAR.
    pub vbar: u64,
    /// SCTLR_EL1 or SCTLR.
    pub sctlr: u64,
}

/// Registers of a 64-bit EL1 that has taken the exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct After64 {
    /// Program counter: an entry of the vector table.
    pub pc: u64,
    /// PSTATE in the layout of SPSR_EL2.
    pub pstate: u64,
    /// ELR_EL1: address of the instruction.
    pub elr_el1: u64,
    /// SPSR_EL1: PSTATE before.
    pub spsr_el1: u64,
    /// ESR_EL1: unknown reason, 32-bit instruction.
    pub esr_el1: u64,
}

/// Registers of a 32-bit EL1 that has taken the exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct After32 {
    /// Program counter: an entry of the vector table.
    pub pc: u32,
    /// CPSR in the layout of SPSR_EL2, as KVM takes it for PSTATE.
    pub cpsr: u32,
    /// SPSR_und: CPSR before, in the layout of AArch32.
    pub spsr_und: u32,
    /// LR_und, which is the low half of X22: the instruction's address and 4 (A32) or 2 (T32).
    pub lr_und: u32,
}

/// Length of SMC and HVC in A64, A32 and T32.
const INSTRUCTION_SIZE: u64 = 4;

/// Bits of SPSR_EL2 that both execution states have (Arm ARM C5.2).
mod spsr {
    pub(super) const NZCV: u64 = 0xf << 28;
    pub(super) const DIT: u64 = 1 << 24;
    pub(super) const PAN: u64 = 1 << 22;
    pub(super) const A: u64 = 1 << 8;
    pub(super) const I: u64 = 1 << 7;
    pub(super) const F: u64 = 1 << 6;
    /// M[4]: AArch32.
    pub(super) const AARCH32: u64 = 1 << 4;
}

/// SCTLR_EL1.SPAN and SCTLR.SPAN: an exception leaves PAN as it is. RES1 without FEAT_PAN.
const SCTLR_SPAN: u64 = 1 << 23;

/// Takes the exception to AArch64 EL1.
pub(crate) fn aarch64(before: &Before) -> After64 {
    use spsr::{A, AARCH32, DIT, F, I, NZCV, PAN};
    const TCO: u64 = 1 << 25;
    const SSBS: u64 = 1 << 12;
    const D: u64 = 1 << 9;
    const EL1T: u64 = 0b0100;
    const EL1H: u64 = 0b0101;
    const DSSBS: u64 = 1 << 44;
    /// ESR_EL1.IL with an exception class of 0.
    const UNKNOWN_REASON: u64 = 1 << 25;

    // UAO, SS, IL and BTYPE become 0.
    let mut pstate = before.pstate & (NZCV | DIT | PAN) | TCO | D | A | I | F | EL1H;
    if before.sctlr & SCTLR_SPAN == 0 {
        pstate |= PAN;
    }
    if before.sctlr & DSSBS != 0 {
        pstate |= SSBS;
    }

    // The synchronous entry of one of four groups (Arm ARM D1.3.1).
    let group = match before.pstate & (AARCH32 | 0xf) {
        EL1T => 0x000,
        EL1H => 0x200,
        mode if mode & AARCH32 == 0 => 0x400,
        _ => 0x600,
    };
    After64 {
        pc: (before.vbar & !0x7ff) | group,
        pstate,
        elr_el1: before.pc_after.wrapping_sub(INSTRUCTION_SIZE),
        spsr_el1: before.pstate,
        esr_el1: UNKNOWN_REASON,
    }
}

/// Takes the exception to AArch32 Undefined mode.
pub(crate) fn aarch32(before: &Before) -> After32 {
    use spsr::{A, DIT, F, I, NZCV, PAN};
    const Q: u64 = 1 << 27;
    const SSBS: u64 = 1 << 23;
    const GE: u64 = 0xf << 16;
    const E: u64 = 1 << 9;
    const T: u64 = 1 << 5;
    const MODE_UND: u64 = 0b1_1011;
    const SCTLR_V: u64 = 1 << 13;
    const SCTLR_EE: u64 = 1 << 25;
    const SCTLR_TE: u64 = 1 << 30;
    const SCTLR_DSSBS: u64 = 1 << 31;
    /// Offset of the Undefined Instruction exception in the vector table (Arm ARM G1.12).
    const VECTOR: u64 = 0x04;
    const HIGH_VECTORS: u64 = 0xffff_0000;

    // Exceptions to this mode mask I alone; A and F stay. IT and IL become 0.
    let mut cpsr = before.pstate & (NZCV | Q | DIT | PAN | GE | A | F) | I | MODE_UND;
    if before.sctlr & SCTLR_SPAN == 0 {
        cpsr |= PAN;
    }
    if before.sctlr & SCTLR_DSSBS != 0 {
        cpsr |= SSBS;
    }
    if before.sctlr & SCTLR_EE != 0 {
        cpsr |= E;
    }
    if before.sctlr & SCTLR_TE != 0 {
        cpsr |= T;
    }

    let base = if before.sctlr & SCTLR_V != 0 {
        HIGH_VECTORS
    } else {
        before.vbar & !0x1f
    };
    let back = if before.pstate & T != 0 { 2 } else { 0 };
    After32 {
        pc: (base | VECTOR) as u32,
        cpsr: cpsr as u32,
        spsr_und: aarch32_layout(before.pstate),
        lr_und: before.pc_after.wrapping_sub(back) as u32,
    }
}

/// Turns SPSR_EL2 into what an AArch32 SPSR shows: DIT has another place, and SS does not exist.
fn aarch32_layout(pstate: u64) -> u32 {
    const SS: u64 = 1 << 21;
    const DIT32: u64 = 1 << 21;

    let dit = if pstate & spsr::DIT != 0 { DIT32 } else { 0 };
    (pstate & !(spsr::DIT | SS) | dit) as u32
}

#[cfg(test)]
mod tests;
