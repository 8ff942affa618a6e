// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Commands for the level 2 cache controller, a PL310 that takes secure writes alone (Arm DDI
//! 0246, 3.1).

use fakemon_blob::Host;

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
pub(crate) fn control(host: &mut dyn Host, value: u64) -> Result<(), Refused> {
    write(host, CONTROL, value)
}

/// L2X0SETUP1.
pub(crate) fn latencies(
    host: &mut dyn Host,
    tag: u64,
    data: u64,
    prefetch: u64,
) -> Result<(), Refused> {
    write(host, TAG_LATENCY, tag)?;
    write(host, DATA_LATENCY, data)?;
    write(host, PREFETCH_CONTROL, prefetch)
}

/// L2X0SETUP2.
pub(crate) fn settings(host: &mut dyn Host, power: u64, auxiliary: u64) -> Result<(), Refused> {
    write(host, POWER_CONTROL, power)?;
    write(host, AUXILIARY_CONTROL, auxiliary)
}

/// L2X0INVALL. The emulated controller has no cache, so there is nothing to wait for.
pub(crate) fn invalidate(host: &mut dyn Host) -> Result<(), Refused> {
    write(host, INVALIDATE_WAY, ALL_WAYS)
}

/// L2X0DEBUG.
pub(crate) fn debug(host: &mut dyn Host, value: u64) -> Result<(), Refused> {
    write(host, DEBUG_CONTROL, value)
}

fn write(host: &mut dyn Host, register: u64, value: u64) -> Result<(), Refused> {
    Ok(host.mmio_write(PL310 + register, 4, value)?)
}
