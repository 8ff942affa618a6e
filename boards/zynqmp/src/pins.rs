// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pins: what each of the multiplexed ones is for, and its electrical settings.
//!
//! [`table`] says which functions there are and which groups of pins can have them, [`query`] shows
//! it, and this file is the state. Rules from PMU firmware's pm_pinctrl.c.

use fakemon_firmware::Lock;

use crate::api::{DONE, Reply, Status, value};
use table::{Function, PINS};

pub mod query;
pub mod table;

/// A setting: where it lies in a pin's byte, and its largest value.
#[derive(Clone, Copy)]
struct Setting(u8, u8);

/// How fast edges are: 1 slow.
const SLEW: Setting = Setting(0, 1);
/// Whether the resistor is connected.
const BIAS: Setting = Setting(1, 1);
/// Where the resistor leads to: 1 up.
const PULL: Setting = Setting(2, 1);
/// Whether the input is a Schmitt trigger.
const SCHMITT: Setting = Setting(3, 1);
/// 0 to 3 are 2, 4, 8 and 12 mA.
const DRIVE: Setting = Setting(4, 3);
/// What the pin's bank is supplied with: 1 is 1.8 V. The board does that, and nobody can set it.
const VOLTAGE: Setting = Setting(6, 1);
/// Whether the output is off.
const TRISTATE: Setting = Setting(7, 1);

/// The settings by number.
const SETTINGS: [Setting; 7] = [SLEW, BIAS, PULL, SCHMITT, DRIVE, VOLTAGE, TRISTATE];
/// The number of [`VOLTAGE`].
const READ_ONLY: u32 = 5;

/// The largest drive with a resistor that pulls up, at 1.8 V.
const AT_BOOT: u8 = 1 << BIAS.0 | 1 << PULL.0 | 3 << DRIVE.0 | 1 << VOLTAGE.0;

#[derive(Clone, Copy, Debug)]
struct Pin {
    requested: bool,
    function: u8,
    settings: u8,
}

/// The pins.
#[derive(Debug)]
pub struct Pins(Lock<[Pin; PINS]>);

impl Pins {
    /// As a ZCU102's boot loader leaves them.
    pub const fn new() -> Self {
        let mut pins = [Pin {
            requested: false,
            function: 0,
            settings: AT_BOOT,
        }; PINS];
        let mut n = 0;
        while n < PINS {
            let (function, receives) = table::AT_HANDOVER[n];
            pins[n].function = function;
            pins[n].settings |= (receives as u8) << TRISTATE.0;
            n += 1;
        }
        Pins(Lock::new(pins))
    }

    /// PINCTRL_REQUEST(pin).
    pub fn request(&self, pin: u32) -> Reply {
        self.with(pin, |pin| {
            pin.requested = true;
            DONE
        })
    }

    /// PINCTRL_RELEASE(pin).
    pub fn release(&self, pin: u32) -> Reply {
        self.with(pin, |pin| match core::mem::take(&mut pin.requested) {
            true => DONE,
            // The PMU says FAILURE, which has the number of ARGS.
            false => Err(Status::ARGS),
        })
    }

    /// PINCTRL_GET_FUNCTION(pin).
    pub fn function(&self, pin: u32) -> Reply {
        self.with(pin, |pin| value(pin.function.into()))
    }

    /// PINCTRL_SET_FUNCTION(pin, function).
    pub fn set_function(&self, number: u32, function: u32) -> Reply {
        self.with(number, |pin| {
            if !pin.requested {
                return Err(Status::NO_ACCESS);
            }
            let found = table::FUNCTIONS.get(function as usize);
            let can_have = |found: &Function| (0..found.count()).any(|n| found.has(n, number));
            if !found.is_some_and(can_have) {
                return Err(Status::INVALID_PARAM);
            }
            pin.function = function as u8;
            DONE
        })
    }

    /// PINCTRL_CONFIG_PARAM_GET(pin, setting).
    pub fn setting(&self, pin: u32, setting: u32) -> Reply {
        let Setting(at, largest) = place(setting)?;
        self.with(pin, |pin| value((pin.settings >> at & largest).into()))
    }

    /// PINCTRL_CONFIG_PARAM_SET(pin, setting, value).
    pub fn set(&self, pin: u32, setting: u32, value: u32) -> Reply {
        let Setting(at, largest) = place(setting)?;
        self.with(pin, |pin| {
            if !pin.requested {
                return Err(Status::NO_ACCESS);
            }
            if setting == READ_ONLY || value > largest.into() {
                return Err(Status::INVALID_PARAM);
            }
            pin.settings = pin.settings & !(largest << at) | (value as u8) << at;
            DONE
        })
    }

    fn with(&self, pin: u32, work: impl FnOnce(&mut Pin) -> Reply) -> Reply {
        self.0.with(|pins| match pins.get_mut(pin as usize) {
            Some(pin) => work(pin),
            None => Err(Status::INVALID_PARAM),
        })
    }
}

fn place(setting: u32) -> Result<Setting, Status> {
    let found = SETTINGS.get(setting as usize);
    found.copied().ok_or(Status::INVALID_PARAM)
}

impl Default for Pins {
    fn default() -> Self {
        Pins::new()
    }
}
