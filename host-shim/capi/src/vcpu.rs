// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What this library does for a guest's vCPU beside its calls.

use std::ffi::c_int;

use fakemon_host::Width;
use fakemon_host::regs::{Register, Registers};

use crate::arguments::{self, Place, choose};
use crate::error::{Failure, fakemon_error, guard};

/// Execution state of a guest's EL1.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum fakemon_width {
    /// 64-bit registers x0 to x30.
    Aarch64 = 0,
    /// 32-bit registers r0 to r12.
    Aarch32 = 1,
}

/// The width that a number stands for.
pub(crate) fn width(number: u32) -> Result<Width, Failure> {
    let choices = [
        (fakemon_width::Aarch64 as u32, Width::AArch64),
        (fakemon_width::Aarch32 as u32, Width::AArch32),
    ];
    choose("width", number, &choices)
}

/// The register that an id of KVM names.
fn register(id: u64) -> Result<Register, Failure> {
    Register::new(id)
        .ok_or_else(|| Failure::vmm(format!("id {id:#x} is none of a register of 64 bits")))
}

/// Reads a register of 64 bits, such as SCTLR_EL1, by its id for KVM_GET_ONE_REG.
///
/// # Errors
/// The id is one of a register of another size, or KVM refuses it.
///
/// # Safety
/// `vcpu_fd` is open during this call, which does not keep it, and `*value` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_vcpu_get(
    vcpu_fd: c_int,
    id: u64,
    value: *mut u64,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is open.
        let vcpu = unsafe { arguments::file(vcpu_fd, "vcpu_fd") }?;
        // SAFETY: the caller has promised that it can be written.
        let place = unsafe { Place::new(value, "value") }?;
        place.put(Registers::of(&vcpu).get(register(id)?)?);
        Ok(())
    })
}

/// Writes a register of 64 bits, by its id for KVM_SET_ONE_REG.
///
/// # Errors
/// The id is one of a register of another size, or KVM refuses it or the value.
///
/// # Safety
/// `vcpu_fd` is open during this call, which does not keep it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_vcpu_set(vcpu_fd: c_int, id: u64, value: u64) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is open.
        let vcpu = unsafe { arguments::file(vcpu_fd, "vcpu_fd") }?;
        Ok(Registers::of(&vcpu).set(register(id)?, value)?)
    })
}

/// Makes a vCPU of this width, one of `enum fakemon_width`, run from `entry` with `context` in x0 or
/// r0, at EL1h or in Supervisor mode, interrupts masked. Bit 0 of an AArch32 `entry` selects Thumb.
///
/// The MMU is off if KVM_ARM_VCPU_INIT has left it so: call that first for a vCPU that has run.
///
/// # Errors
/// KVM refuses a register.
///
/// # Safety
/// `vcpu_fd` is open during this call, which does not keep it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_vcpu_start_at(
    vcpu_fd: c_int,
    width: u32,
    entry: u64,
    context: u64,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is open.
        let vcpu = unsafe { arguments::file(vcpu_fd, "vcpu_fd") }?;
        let width = self::width(width)?;
        Ok(Registers::of(&vcpu).start_at(width, entry, context)?)
    })
}

/// Makes a vCPU of this width, one of `enum fakemon_width`, which has just exited with
/// KVM_EXIT_HYPERCALL, take the exception that the SMC or HVC raises on a CPU without EL3 or EL2.
///
/// # Errors
/// KVM refuses a register.
///
/// # Safety
/// `vcpu_fd` is open during this call, which does not keep it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_vcpu_inject_undefined(
    vcpu_fd: c_int,
    width: u32,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is open.
        let vcpu = unsafe { arguments::file(vcpu_fd, "vcpu_fd") }?;
        Ok(fakemon_host::inject_undefined(&vcpu, self::width(width)?)?)
    })
}

/// Tells KVM to keep the stolen time structure of a vCPU (Arm DEN 0057) at guest physical `address`: a
/// multiple of 64 in memory that the guest has already been given, and zero there. Call this once for
/// each vCPU, before it runs; the address is then the answer to `FAKEMON_STEP_STOLEN_TIME`.
///
/// # Errors
/// What KVM says: ENXIO if the host's kernel keeps no such time, EINVAL for a bad address, EEXIST the
/// second time.
///
/// # Safety
/// `vcpu_fd` is open during this call, which does not keep it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_vcpu_keep_stolen_time(
    vcpu_fd: c_int,
    address: u64,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is open.
        let vcpu = unsafe { arguments::file(vcpu_fd, "vcpu_fd") }?;
        fakemon_host::keep_stolen_time(&vcpu, address).map_err(|error| {
            let text = format!("cannot have KVM keep the stolen time at {address:#x}: {error}");
            Failure::new(fakemon_error::Host, text)
        })
    })
}
