// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The level 2 cache: a PL310 (Arm DDI 0246), which takes secure writes alone.

use fakemon_firmware::{Error, Platform};

/// The controller that `board.toml` puts into the machine.
pub(crate) const PL310: u64 = 0x5004_3000;
/// Control: bit 0 is on.
pub(crate) const CONTROL: u64 = PL310 + 0x100;
/// Auxiliary control.
pub(crate) const AUXILIARY: u64 = PL310 + 0x104;
/// Cache sync.
pub(crate) const SYNC: u64 = PL310 + 0x730;
/// Invalidate by way.
pub(crate) const INVALIDATE_WAYS: u64 = PL310 + 0x77c;
/// Clean and invalidate by way.
pub(crate) const CLEAN_AND_INVALIDATE_WAYS: u64 = PL310 + 0x7fc;
/// A bit for each way; a controller ignores those of ways that it has not.
pub(crate) const ALL_WAYS: u64 = 0xffff;

/// Switches an empty cache on.
pub(crate) fn enable(platform: &mut dyn Platform, auxiliary: u64) -> Result<(), Error> {
    if is_on(platform)? {
        return Ok(());
    }
    platform.mmio_write(AUXILIARY, 4, auxiliary)?;
    platform.mmio_write(INVALIDATE_WAYS, 4, ALL_WAYS)?;
    platform.mmio_write(SYNC, 4, 0)?;
    platform.mmio_write(CONTROL, 4, 1)
}

/// Switches the cache on with what it holds.
pub(crate) fn reenable(platform: &mut dyn Platform, auxiliary: u64) -> Result<(), Error> {
    if is_on(platform)? {
        return Ok(());
    }
    // The auxiliary control register takes writes only while the cache is off.
    platform.mmio_write(AUXILIARY, 4, auxiliary)?;
    platform.mmio_write(CONTROL, 4, 1)
}

/// Writes back what `ways` hold, and switches the cache off.
pub(crate) fn disable(platform: &mut dyn Platform, ways: u64) -> Result<(), Error> {
    if !is_on(platform)? {
        return Ok(());
    }
    platform.mmio_write(CLEAN_AND_INVALIDATE_WAYS, 4, ways & ALL_WAYS)?;
    platform.mmio_write(SYNC, 4, 0)?;
    platform.mmio_write(CONTROL, 4, 0)
}

fn is_on(platform: &mut dyn Platform) -> Result<bool, Error> {
    Ok(platform.mmio_read(CONTROL, 4)? & 1 != 0)
}
