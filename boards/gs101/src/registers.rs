// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The registers of the PMU that the firmware writes for others, as offsets from its base.
//!
//! Names and numbers are those of Linux' exynos-regs-pmu.h, s3c2410_wdt.c and gs101.dtsi.

/// Left for the boot loader: which mode to start in.
pub(crate) const SYSIP_DAT0: u16 = 0x810;
/// Bit 1 resets the chip.
pub(crate) const SYSTEM_CONFIGURATION: u16 = 0x3a00;
const SWRESET_SYSTEM: u32 = 1 << 1;
/// Bit 8 keeps the power on.
pub(crate) const PAD_CTRL_PWR_HOLD: u16 = 0x3e9c;
const HOLD: u32 = 1 << 8;

/// Every register, and whether single bits of it can be written.
const REGISTERS: [(u16, bool); 11] = [
    (SYSIP_DAT0, false),
    // CLUSTER0_NONCPU_OUT and INT_EN: the watchdog's counter and its reset
    (0x1220, true),
    (0x1244, true),
    // CLUSTER1_NONCPU_OUT and INT_EN
    (0x1420, true),
    (0x1444, true),
    // CLUSTER2_NONCPU_INT_EN
    (0x1644, true),
    (SYSTEM_CONFIGURATION, false),
    (PAD_CTRL_PWR_HOLD, true),
    // PHY_CTRL_USB20, PHY_CTRL_USBDP, and UFS'
    (0x3eb0, true),
    (0x3eb4, true),
    (0x3ec8, true),
];

/// These bits of an offset make a write set, or clear, the one bit that the value names.
const BITS: u16 = 0xc000;
const SET_BIT: u16 = 0xc000;
const CLEAR_BIT: u16 = 0x8000;

/// A register and how a write to an offset changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    index: usize,
    /// Its offset, without the bits that say how.
    pub(crate) offset: u16,
    how: u16,
}

impl Target {
    /// Finds what is at an offset; [`None`] where the firmware lets nobody write.
    pub(crate) fn at(offset: u16) -> Option<Target> {
        let (how, plain) = (offset & BITS, offset & !BITS);
        let index = REGISTERS.iter().position(|&(own, _)| own == plain)?;
        let (_, has_bits) = REGISTERS[index];
        let known = how == 0 || has_bits && (how == SET_BIT || how == CLEAR_BIT);
        known.then_some(Target {
            index,
            offset: plain,
            how,
        })
    }

    /// Tells whether this is the register itself, and not one of its bits.
    pub(crate) fn is_whole(self) -> bool {
        self.how == 0
    }

    /// Tells what the register holds after a write of `value`; [`None`] if that names no bit.
    pub(crate) fn written(self, old: u32, value: u32) -> Option<u32> {
        if self.is_whole() {
            return Some(value);
        }
        let bit = 1_u32.checked_shl(value)?;
        Some(if self.how == SET_BIT {
            old | bit
        } else {
            old & !bit
        })
    }
}

/// What a write does to the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    None,
    /// It is reset.
    Reset,
    /// It loses its power.
    Off,
}

/// What the registers hold.
#[derive(Debug)]
pub(crate) struct Registers([u32; REGISTERS.len()]);

impl Registers {
    /// The registers after reset: the power is held, all else is zero.
    pub(crate) const fn new() -> Self {
        let mut words = [0; REGISTERS.len()];
        let mut at = 0;
        while at < REGISTERS.len() {
            if REGISTERS[at].0 == PAD_CTRL_PWR_HOLD {
                words[at] = HOLD;
            }
            at += 1;
        }
        Registers(words)
    }

    pub(crate) fn read(&self, target: Target) -> u32 {
        self.0.get(target.index).copied().unwrap_or(0)
    }

    pub(crate) fn write(&mut self, target: Target, value: u32) -> Effect {
        let old = self.read(target);
        if let Some(word) = self.0.get_mut(target.index) {
            *word = value;
        }
        match target.offset {
            SYSTEM_CONFIGURATION if value & SWRESET_SYSTEM != 0 => Effect::Reset,
            PAD_CTRL_PWR_HOLD if old & !value & HOLD != 0 => Effect::Off,
            _ => Effect::None,
        }
    }
}
