// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Commands for the level 2 cache controller, a PL310 that takes secure writes alone (Arm DDI
//! 0246, 3.1).

use fakemon_firmware::Platform;

use crate::Refused;

/// Where `board.toml` has the controller, and where Exynos 4 has it.
pub(crate) const PL310: u64 = 0x1050_2000;

const CONTROL: u64 = 0x100;
const AUXILIARY_CONTROL: u64 = 0x104;
const TAG_LATENCY: u64 = 0x108;
const DATA_LATENCY: u64 = 0x10c;
const INVALIDATE_WAY: u64 = 0x77c;
const DEBUG_CONTROL: u64 = 0xf40;
const PREFETCH_CONTROL: u64 = 0xf60;
const POWER_CONTROL: u64 = 0xf80;

/// The controller's 16 ways, one bit for each.
const ALL_WAYS: u64 = 0xffff;

/// L2X0CTRL.
pub(crate) fn control(platform: &mut dyn Platform, value: u64) -> Result<(), Refused> {
    write(platform, CONTROL, value)
}

/// L2X0SETUP1.
pub(crate) fn latencies(
    platform: &mut dyn Platform,
    tag: u64,
    data: u64,
    prefetch: u64,
) -> Result<(), Refused> {
    write(platform, TAG_LATENCY, tag)?;
    write(platform, DATA_LATENCY, data)?;
    write(platform, PREFETCH_CONTROL, prefetch)
}

/// L2X0SETUP2.
pub(crate) fn settings(
    platform: &mut dyn Platform,
    power: u64,
    auxiliary: u64,
) -> Result<(), Refused> {
    write(platform, POWER_CONTROL, power)?;
    write(platform, AUXILIARY_CONTROL, auxiliary)
}

/// L2X0INVALL. The emulated controller has no cache, so there is nothing to wait for.
pub(crate) fn invalidate(platform: &mut dyn Platform) -> Result<(), Refused> {
    write(platform, INVALIDATE_WAY, ALL_WAYS)
}

/// L2X0DEBUG.
pub(crate) fn debug(platform: &mut dyn Platform, value: u64) -> Result<(), Refused> {
    write(platform, DEBUG_CONTROL, value)
}

fn write(platform: &mut dyn Platform, register: u64, value: u64) -> Result<(), Refused> {
    Ok(platform.mmio_write(PL310 + register, 4, value)?)
}
