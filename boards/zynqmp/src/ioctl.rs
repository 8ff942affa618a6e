// SPDX-License-Identifier: Apache-2.0 OR MIT
//! PM_IOCTL: PLLs' fractional mode, and storage by index.

use crate::api::{Reply, Status};
use crate::clocks::Clocks;
use crate::registers::{HEALTH, PERSISTENT, Registers, STORAGE, STORAGES};

const SET_PLL_FRACTIONAL: u32 = 8;
const GET_PLL_FRACTIONAL: u32 = 9;
const SET_PLL_FRACTION: u32 = 10;
const GET_PLL_FRACTION: u32 = 11;
const WRITE_STORAGE: u32 = 12;
const READ_STORAGE: u32 = 13;
const WRITE_PERSISTENT: u32 = 14;
const READ_PERSISTENT: u32 = 15;
const SET_HEALTH: u32 = 17;

const HEALTH_BIT: u32 = 1;

/// Serves `[node, ioctl, argument, argument]`. None of these is about a node.
pub(crate) fn serve(
    clocks: &Clocks,
    registers: &Registers,
    [_, ioctl, first, second]: [u32; 4],
) -> Reply {
    match ioctl {
        SET_PLL_FRACTIONAL => clocks.set_fractional(first, second),
        GET_PLL_FRACTIONAL => clocks.fractional(first),
        SET_PLL_FRACTION => clocks.set_fraction(first, second),
        GET_PLL_FRACTION => clocks.fraction(first),
        WRITE_STORAGE => registers.write(indexed(STORAGE, first)?, u32::MAX, second),
        READ_STORAGE => registers.read(indexed(STORAGE, first)?),
        WRITE_PERSISTENT => registers.write(indexed(PERSISTENT, first)?, u32::MAX, second),
        READ_PERSISTENT => registers.read(indexed(PERSISTENT, first)?),
        SET_HEALTH => registers.write(HEALTH, HEALTH_BIT, first),
        _ => Err(Status::NO_FEATURE),
    }
}

/// The address of the register number `index` of a storage.
fn indexed(base: u32, index: u32) -> Result<u32, Status> {
    if index < STORAGES {
        Ok(base + 4 * index)
    } else {
        Err(Status::ARGS)
    }
}
