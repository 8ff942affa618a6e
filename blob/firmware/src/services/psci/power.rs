// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The functions of PSCI that change what runs, each returning what the caller gets.
//!
//! They take their arguments from x1 on, of the width that the function's convention has.

use fakemon_abi::Width;

use super::refused;
use crate::call::Call;
use crate::error::Error;
use crate::platform::PowerState;

/// The affinity fields of an MPIDR (DEN 0022, 5.1.4): the others are zero in an argument.
const AFFINITY: u64 = 0xff_00ff_ffff;
/// The highest affinity level.
const MAX_LEVEL: u64 = 3;

/// Power state of CPU_SUSPEND, original format (DEN 0022, 5.4.2): bits that are zero.
const STATE_RESERVED: u64 = 0xfcfe_0000;
/// Power state: the CPU loses its registers.
const STATE_POWER_DOWN: u64 = 1 << 16;
/// Power state: where the level lies. CPU, cluster and system are 0 to 2.
const STATE_LEVEL_SHIFT: u32 = 24;
const STATE_MAX_LEVEL: u64 = 2;

/// SYSTEM_RESET2: the types from here on are the vendor's.
const RESET_VENDOR: u64 = 1 << 31;
/// SYSTEM_RESET2: the only architectural type.
const RESET_WARM: u64 = 0;

/// CPU_SUSPEND(power state, entry, context). A power-down at `machine_level` or above is the whole
/// machine's.
pub(crate) fn cpu_suspend(call: &mut Call<'_>, machine_level: Option<u64>) -> Result<(), Error> {
    // The power state is 32 bits wide in either convention.
    let state = call.arg(1) & 0xffff_ffff;
    let level = state >> STATE_LEVEL_SHIFT;
    let (entry, context) = (call.arg(2), call.arg(3));
    if state & STATE_RESERVED != 0 || level > STATE_MAX_LEVEL {
        return Err(Error::InvalidParameters);
    }
    let power_down = state & STATE_POWER_DOWN != 0;
    if power_down && !is_entry(call.width(), entry) {
        return Err(Error::InvalidAddress);
    }
    let platform = call.platform();
    if power_down && machine_level.is_some_and(|machine| machine <= level) {
        return Err(refused(platform.system_suspend(entry, context)));
    }
    match platform.wait_for_interrupt() {
        Err(_) => Err(Error::InternalFailure),
        Ok(()) if power_down => Err(refused(platform.cpu_resume(entry, context))),
        Ok(()) => Ok(()),
    }
}

/// CPU_OFF().
pub(crate) fn cpu_off(call: &mut Call<'_>) -> Error {
    // DENIED is the only code that the specification lets this function return.
    let _ = call.platform().cpu_off();
    Error::Denied
}

/// CPU_ON(target, entry, context).
pub(crate) fn cpu_on(call: &mut Call<'_>) -> Result<(), Error> {
    let (target, entry, context) = (call.arg(1), call.arg(2), call.arg(3));
    if target & !AFFINITY != 0 {
        return Err(Error::InvalidParameters);
    }
    if !is_entry(call.width(), entry) {
        return Err(Error::InvalidAddress);
    }
    call.platform().cpu_on(target, entry, context)
}

/// AFFINITY_INFO(target, lowest level).
pub(super) fn affinity_info(call: &mut Call<'_>) -> Result<i32, Error> {
    let (target, level) = (call.arg(1), call.arg(2));
    if target & !AFFINITY != 0 || level > MAX_LEVEL {
        return Err(Error::InvalidParameters);
    }
    let state = call.platform().cpu_affinity(target, level)?;
    Ok(state as i32)
}

/// SYSTEM_SUSPEND(entry, context): the last CPU that is on puts the whole machine to sleep.
pub(super) fn system_suspend(call: &mut Call<'_>, mpidr: fn(u32) -> u64) -> Error {
    let (entry, context) = (call.arg(1), call.arg(2));
    if !is_entry(call.width(), entry) {
        return Error::InvalidAddress;
    }
    let platform = call.platform();
    let caller = platform.cpu();
    for other in (0..platform.cpus()).filter(|&cpu| cpu != caller) {
        if platform.cpu_affinity(mpidr(other), 0) != Ok(PowerState::Off) {
            return Error::Denied;
        }
    }
    refused(platform.system_suspend(entry, context))
}

/// SYSTEM_RESET2(type, cookie).
pub(super) fn system_reset2(call: &mut Call<'_>) -> Error {
    // The type is 32 bits wide in either convention.
    let (kind, cookie) = (call.arg(1) & 0xffff_ffff, call.arg(2));
    if kind != RESET_WARM && kind < RESET_VENDOR {
        return Error::InvalidParameters;
    }
    refused(call.platform().system_reset(kind, cookie))
}

/// Tells whether a CPU of `width` can begin at `entry`. Bit 0 makes an AArch32 CPU begin in Thumb
/// state.
fn is_entry(width: Width, entry: u64) -> bool {
    match width {
        Width::AArch64 => entry & 3 == 0,
        Width::AArch32 => entry & 3 != 2,
    }
}
