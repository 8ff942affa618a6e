// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reset and clock control: single bits that the normal world may change through the secure one.
//!
//! The registers are the machine's, for everybody to read. Requests and the list of bits are those
//! of STMicroelectronics' own firmware.

use fakemon_firmware::{Lock, Platform};

use crate::status::{FAILED, INVALID_PARAMS, OK};

/// Where reset and clock control is.
pub const BASE: u32 = 0x5000_0000;
/// Bytes of it.
const SIZE: u32 = 0x1000;

/// Request: the bits become those of the value.
pub const WRITE: u32 = 1;
/// Request: the value's bits are set.
pub const SET: u32 = 2;
/// Request: the value's bits are cleared.
pub const CLEAR: u32 = 3;

/// RCC_TZCR, which is not to be changed from outside.
const TZCR: u32 = 0x000;
/// RCC_MP_GCR.
pub const MP_GCR: u32 = 0x10c;
/// RCC_MP_GCR: the Cortex-M4 may boot when its reset ends.
pub const BOOT_MCU: u32 = 1 << 0;
/// RCC_MP_CIER.
pub const MP_CIER: u32 = 0x414;
/// RCC_MP_CIFR.
pub const MP_CIFR: u32 = 0x418;
/// RCC_MP_CIER and RCC_MP_CIFR: wake-up from CStop.
pub const WKUP: u32 = 1 << 20;

/// The service.
#[derive(Debug)]
pub struct Rcc {
    /// Held while a register is read, changed and written.
    change: Lock<()>,
}

impl Rcc {
    /// The service as it comes out of reset.
    pub(crate) const fn new() -> Self {
        Rcc {
            change: Lock::new(()),
        }
    }

    /// Serves `request` for the register at `place`, an offset or an address.
    pub(crate) fn serve(
        &self,
        platform: &mut dyn Platform,
        request: u32,
        place: u32,
        value: u32,
    ) -> i32 {
        let offset = match place {
            0..SIZE => place,
            _ if place & !(SIZE - 1) == BASE => place & (SIZE - 1),
            _ => return INVALID_PARAMS,
        };
        let (register, bits) = match offset {
            // Linux 6.12 does not look up its register any more before it calls, and means this.
            TZCR | MP_GCR => (MP_GCR, BOOT_MCU),
            MP_CIER => (MP_CIER, WKUP),
            // A flag that is cleared by writing 1. Nothing here raises it.
            MP_CIFR if (WRITE..=CLEAR).contains(&request) => return OK,
            _ => return INVALID_PARAMS,
        };
        let value = value & bits;
        let change = |old: u32| match request {
            WRITE => Some(old & !bits | value),
            SET => Some(old | value),
            CLEAR => Some(old & !value),
            _ => None,
        };
        let address = u64::from(BASE | register);
        self.change.with(|()| {
            let Ok(old) = platform.mmio_read(address, 4) else {
                return FAILED;
            };
            let Some(new) = change(old as u32) else {
                return INVALID_PARAMS;
            };
            let written = platform.mmio_write(address, 4, new.into());
            written.map_or(FAILED, |()| OK)
        })
    }
}
