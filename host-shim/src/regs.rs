// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Registers of a vCPU by KVM_GET_ONE_REG and KVM_SET_ONE_REG, on any VMM's vCPU file descriptor.
//!
//! They are made without the C library, which takes its time over a call with a variable number of
//! arguments: this is the hot path.
//!
//! Ids are those of Documentation/virt/kvm/api.rst, 4.68: architecture, size, then either the
//! 32-bit word offset in `struct kvm_regs` (core registers) or a system register's encoding.

use std::io;
use std::os::fd::BorrowedFd;

use kvm_bindings::{KVMIO, kvm_one_reg};
use rustix::ioctl::{Opcode, Setter, ioctl, opcode};

use crate::fd::AsKvmFd;
use crate::width::Width;

const GET_ONE_REG: Opcode = opcode::write::<kvm_one_reg>(KVMIO as u8, 0xab);
const SET_ONE_REG: Opcode = opcode::write::<kvm_one_reg>(KVMIO as u8, 0xac);

/// The id of a register of 64 bits.
///
/// KVM copies as many bytes as the id says, up to 256 of an SVE register, so no other size may come
/// by here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Register(u64);

impl Register {
    /// Takes an id of the KVM API; [`None`] unless its size field says 64 bits.
    ///
    /// ```
    /// # #[cfg(all(target_arch = "aarch64", target_os = "linux"))] {
    /// use fakemon_host::regs::{PC, Register};
    ///
    /// assert_eq!(Register::new(0x6030_0000_0010_0040), Some(PC));
    /// // V0 has 128 bits.
    /// assert_eq!(Register::new(0x6040_0000_0010_0054), None);
    /// # }
    /// ```
    pub const fn new(id: u64) -> Option<Register> {
        const SIZE: u64 = 0xf << 52;
        const SIZE_U64: u64 = 3 << 52;
        if id & SIZE == SIZE_U64 {
            Some(Register(id))
        } else {
            None
        }
    }

    /// The id, as KVM spells it.
    pub const fn id(self) -> u64 {
        self.0
    }
}

/// A register of 64 bits that the architecture's number names within its group, 16 bits wide.
const fn arm64(group: u64, number: u64) -> Register {
    assert!(number <= 0xffff);
    Register(0x6030_0000_0000_0000 | group << 16 | number)
}

/// A 64-bit core register at a word offset in `struct kvm_regs`.
const fn core(word: u64) -> Register {
    arm64(0x10, word)
}

/// A 64-bit system register, by its encoding.
///
/// # Panics
/// A field has more bits than the encoding has for it.
pub const fn sysreg(op0: u64, op1: u64, crn: u64, crm: u64, op2: u64) -> Register {
    assert!(op0 < 4 && op1 < 8 && crn < 16 && crm < 16 && op2 < 8);
    arm64(0x13, op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2)
}

/// The firmware pseudo-register that tells the state of SMCCC_ARCH_WORKAROUND_1, 2 or 3, by this
/// number (Documentation/virt/kvm/arm/fw-pseudo-registers.rst).
pub(crate) const fn arch_workaround(number: u64) -> Register {
    arm64(0x14, number)
}

/// x0 to x30 by number; r0 to r12 of an AArch32 guest are x0 to x12.
///
/// # Panics
/// There is no such register.
pub const fn x(number: u64) -> Register {
    assert!(number <= 30, "x0 to x30");
    core(2 * number)
}

/// The PC.
pub const PC: Register = core(64);
/// PSTATE, or the CPSR of an AArch32 guest.
pub const PSTATE: Register = core(66);
/// SP_EL1.
pub const SP_EL1: Register = core(68);
/// ELR_EL1.
pub const ELR_EL1: Register = core(70);
/// SPSR_EL1, the SPSR_svc of an AArch32 guest.
pub const SPSR_EL1: Register = core(72);
/// SPSR_und of an AArch32 guest.
pub const SPSR_UND: Register = core(76);
/// LR_und of an AArch32 guest (Arm ARM D1.20.1, "R14_und").
pub const LR_UND: Register = x(22);

/// MPIDR_EL1.
pub const MPIDR_EL1: Register = sysreg(3, 0, 0, 0, 5);
/// SCTLR_EL1.
pub const SCTLR_EL1: Register = sysreg(3, 0, 1, 0, 0);
/// TTBR0_EL1.
pub const TTBR0_EL1: Register = sysreg(3, 0, 2, 0, 0);
/// TTBR1_EL1.
pub const TTBR1_EL1: Register = sysreg(3, 0, 2, 0, 1);
/// TCR_EL1.
pub const TCR_EL1: Register = sysreg(3, 0, 2, 0, 2);
/// TCR2_EL1 (FEAT_TCR2).
pub const TCR2_EL1: Register = sysreg(3, 0, 2, 0, 3);
/// PIR_EL1 (FEAT_S1PIE).
pub const PIR_EL1: Register = sysreg(3, 0, 10, 2, 3);
/// ESR_EL1.
pub const ESR_EL1: Register = sysreg(3, 0, 5, 2, 0);
/// MAIR_EL1.
pub const MAIR_EL1: Register = sysreg(3, 0, 10, 2, 0);
/// TPIDR_EL1.
pub const TPIDR_EL1: Register = sysreg(3, 0, 13, 0, 4);
/// VBAR_EL1.
pub const VBAR_EL1: Register = sysreg(3, 0, 12, 0, 0);

/// PSTATE of a CPU that PSCI starts in AArch64: EL1h with all interrupts masked (DEN 0022, 6.4).
pub const PSTATE_EL1H_MASKED: u64 = 0x3c5;
/// CPSR of a CPU that PSCI starts in AArch32: Supervisor mode, ARM state, all interrupts masked.
pub const CPSR_SVC_MASKED: u64 = 0x1d3;

/// A vCPU of whatever VMM, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Registers<'a>(BorrowedFd<'a>);

impl<'a> Registers<'a> {
    /// Names the vCPU whose registers are meant.
    pub fn of(vcpu: &'a impl AsKvmFd) -> Self {
        Registers(vcpu.as_kvm_fd())
    }

    /// Reads a 64-bit register.
    ///
    /// # Errors
    /// What the kernel says, with the register's id.
    #[inline]
    pub fn get(&self, register: Register) -> Result<u64, RegisterError> {
        let mut value = 0_u64;
        let request = kvm_one_reg {
            id: register.id(),
            addr: (&raw mut value).expose_provenance() as u64,
        };
        // SAFETY: KVM reads a kvm_one_reg for this request.
        let request = unsafe { Setter::<GET_ONE_REG, kvm_one_reg>::new(request) };
        // SAFETY: the size field of a `Register` says 64 bits, so the kernel writes eight bytes to
        // `value`, which outlives the call.
        let result = unsafe { ioctl(self.0, request) };
        RegisterError::check(result, register, "read").map(|()| value)
    }

    /// Writes a 64-bit register.
    ///
    /// # Errors
    /// What the kernel says, with the register's id.
    #[inline]
    pub fn set(&self, register: Register, value: u64) -> Result<(), RegisterError> {
        let request = kvm_one_reg {
            id: register.id(),
            addr: (&raw const value).expose_provenance() as u64,
        };
        // SAFETY: KVM reads a kvm_one_reg for this request.
        let request = unsafe { Setter::<SET_ONE_REG, kvm_one_reg>::new(request) };
        // SAFETY: the size field of a `Register` says 64 bits, so the kernel reads eight bytes from
        // `value`, which outlives the call.
        let result = unsafe { ioctl(self.0, request) };
        RegisterError::check(result, register, "write")
    }

    /// Puts an initialised vCPU into the state in which PSCI starts a CPU: at `entry`, `context` in
    /// x0 or r0, at EL1h or in Supervisor mode, interrupts masked. Bit 0 of an AArch32 `entry`
    /// selects Thumb.
    ///
    /// The MMU is off because KVM_ARM_VCPU_INIT leaves it so; call that first for a vCPU that has
    /// run.
    ///
    /// # Errors
    /// What the kernel says of the first register that cannot be written.
    pub fn start_at(&self, width: Width, entry: u64, context: u64) -> Result<(), RegisterError> {
        const THUMB: u64 = 1 << 5;
        let (pc, pstate, context) = match width {
            Width::AArch64 => (entry, PSTATE_EL1H_MASKED, context),
            Width::AArch32 => {
                let thumb = if entry & 1 != 0 { THUMB } else { 0 };
                (
                    entry & 0xffff_fffe,
                    CPSR_SVC_MASKED | thumb,
                    context & 0xffff_ffff,
                )
            }
        };
        self.set(PSTATE, pstate)?;
        self.set(PC, pc)?;
        self.set(x(0), context)
    }
}

/// A register of a vCPU could not be read or written: the host's fault.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} vCPU register {:#x}: {cause}", .register.id())]
pub struct RegisterError {
    verb: &'static str,
    register: Register,
    cause: io::Error,
}

impl RegisterError {
    /// The register is there, and KVM does not take this value for it.
    pub(crate) fn is_refusal(&self) -> bool {
        self.cause.raw_os_error() == Some(libc::EINVAL)
    }

    fn check(
        result: rustix::io::Result<()>,
        register: Register,
        verb: &'static str,
    ) -> Result<(), RegisterError> {
        result.map_err(|error| RegisterError {
            verb,
            register,
            cause: io::Error::from_raw_os_error(error.raw_os_error()),
        })
    }
}
