// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest's vCPU: its registers and its own view of memory.

use std::os::fd::OwnedFd;

use fakemon_abi::status::NOT_SUPPORTED;

use crate::error::Error;
use crate::fd::{self, AsKvmFd};
use crate::guest::ram::Ram;
use crate::guest::translate::{Access, Regime, translate};
use crate::guest::workaround;
use crate::regs::{self, RegisterError, Registers, x};
use crate::width::{Width, register_mask};

/// A vCPU of the guest's, kept open for as long as calls of its are served.
#[derive(Debug)]
pub(crate) struct Guest {
    fd: OwnedFd,
    width: Width,
}

impl Guest {
    pub(crate) fn new(vcpu: &impl AsKvmFd, width: Width) -> Result<Self, Error> {
        let fd = fd::keep(vcpu).map_err(|cause| Error::Kvm {
            what: "keep the guest's vCPU open",
            cause,
        })?;
        Ok(Guest { fd, width })
    }

    pub(crate) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// The width of its EL1.
    pub(crate) fn width(&self) -> Width {
        self.width
    }

    pub(crate) fn registers(&self) -> Registers<'_> {
        Registers::of(&self.fd)
    }

    /// Answers its call as firmware does that knows no such function.
    pub(crate) fn answer_not_supported(&self) -> Result<u64, RegisterError> {
        let answer = i64::from(NOT_SUPPORTED) as u64 & register_mask(self.width);
        self.registers().set(x(0), answer).map(|()| answer)
    }

    /// Sets ELR_EL1 and SPSR_EL1; false for an AArch32 guest, which has none.
    pub(crate) fn set_exception(&self, elr: u64, spsr: u64) -> Result<bool, RegisterError> {
        if self.width == Width::AArch32 {
            return Ok(false);
        }
        let registers = self.registers();
        registers.set(regs::ELR_EL1, elr)?;
        registers.set(regs::SPSR_EL1, spsr)?;
        Ok(true)
    }

    /// Its VBAR_EL1; [`None`] for an AArch32 guest, whose vectors have more than one place.
    pub(crate) fn vector_base(&self) -> Result<Option<u64>, RegisterError> {
        match self.width {
            Width::AArch32 => Ok(None),
            Width::AArch64 => self.registers().get(regs::VBAR_EL1).map(Some),
        }
    }

    /// What KVM answers to SMCCC_ARCH_FEATURES of a workaround on this CPU.
    pub(crate) fn workaround(&self, function: u64) -> Option<i32> {
        let number = workaround::number(function)?;
        // A kernel that is older than the workaround has no such register.
        let state = self.registers().get(regs::arch_workaround(number)).ok()?;
        Some(workaround::answer(number, state)).filter(|&answer| answer != NOT_SUPPORTED)
    }

    /// Walks its own stage-1 tables in its RAM; [`None`] if it could not make that access.
    pub(crate) fn translate(
        &self,
        va: u64,
        write: bool,
        ram: &Ram,
    ) -> Result<Option<u64>, RegisterError> {
        let registers = self.registers();
        let regime = Regime {
            width: self.width,
            sctlr: registers.get(regs::SCTLR_EL1)?,
            tcr: registers.get(regs::TCR_EL1)?,
            // KVM has these two only for guests whose CPU has FEAT_TCR2 and FEAT_S1PIE.
            tcr2: registers.get(regs::TCR2_EL1).unwrap_or(0),
            pir: registers.get(regs::PIR_EL1).unwrap_or(0),
            ttbr0: registers.get(regs::TTBR0_EL1)?,
            ttbr1: registers.get(regs::TTBR1_EL1)?,
        };
        let access = match write {
            false => Access::Read,
            true => Access::Write,
        };
        let mut read = |address, size| ram.read(address, size);
        Ok(translate(&regime, va, access, &mut read).ok())
    }
}
