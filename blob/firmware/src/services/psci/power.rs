// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The functions of PSCI that change what runs, each returning what the caller gets.
//!
//! They take their arguments from x1 on, of the width that the function's convention has.

use fakemon_abi::Width;

use super::refused;
use super::state::StateFormat;
use crate::call::Call;
use crate::error::Error;
use crate::platform::PowerState;
use crate::power::PowerChange;
use fakemon_abi::mpidr::AFFINITY;

/// The highest affinity level, which is the highest power level as well.
const MAX_LEVEL: u64 = 3;

/// SYSTEM_RESET2: the types from here on are the vendor's.
const RESET_VENDOR: u64 = 1 << 31;
/// SYSTEM_RESET2: the only architectural type.
const RESET_WARM: u64 = 0;

/// CPU_SUSPEND(power state, entry, context). A power-down at `machine_level` or above is the whole
/// machine's.
pub(crate) fn cpu_suspend(
    call: &mut Call<'_>,
    format: StateFormat,
    machine_level: Option<u64>,
) -> Result<(), Error> {
    // The power state is 32 bits wide in either convention.
    let state = format
        .decode(call.arg(1) as u32)
        .ok_or(Error::InvalidParameters)?;
    let (entry, context) = (call.arg(2), call.arg(3));
    if state.power_down && !is_entry(call.width(), entry) {
        return Err(Error::InvalidAddress);
    }
    if state.power_down && machine_level.is_some_and(|machine| machine <= state.level) {
        return Err(suspend(call, entry, context));
    }
    let waited = call.platform().wait_for_interrupt();
    waited.map_err(|_| Error::InternalFailure)?;
    if !state.power_down {
        return Ok(());
    }
    call.cpu_power(PowerChange::PowerDown);
    let error = call.platform().cpu_resume(entry, context);
    call.cpu_power(PowerChange::Refused);
    Err(refused(error))
}

/// Puts the whole machine to sleep, of which the calling CPU wakes up at `entry`.
fn suspend(call: &mut Call<'_>, entry: u64, context: u64) -> Error {
    call.cpu_power(PowerChange::PowerDown);
    let error = call.platform().system_suspend(entry, context);
    call.cpu_power(PowerChange::Refused);
    refused(error)
}

/// CPU_OFF().
pub(crate) fn cpu_off(call: &mut Call<'_>) -> Error {
    // DENIED is the only code that the specification lets this function return.
    call.cpu_power(PowerChange::Off);
    let _ = call.platform().cpu_off();
    call.cpu_power(PowerChange::Refused);
    Error::Denied
}

/// CPU_ON(target, entry, context).
pub(crate) fn cpu_on(call: &mut Call<'_>) -> Result<(), Error> {
    let (target, entry, context) = (call.arg(1), call.arg(2), call.arg(3));
    if !is_entry(call.width(), entry) {
        return Err(Error::InvalidAddress);
    }
    call.platform().cpu_on(target & AFFINITY, entry, context)
}

/// AFFINITY_INFO(target, lowest level).
pub(super) fn affinity_info(call: &mut Call<'_>) -> Result<i32, Error> {
    let (target, level) = (call.arg(1), call.arg(2));
    if level > MAX_LEVEL {
        return Err(Error::InvalidParameters);
    }
    let state = call.platform().cpu_affinity(target & AFFINITY, level)?;
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
    suspend(call, entry, context)
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
