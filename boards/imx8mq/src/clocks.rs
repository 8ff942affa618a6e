// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The clocks of the DRAM, in the registers of the PLLs and of the clock roots.
//!
//! ```text
//! dram_pll ---------------\
//!                          core --- DRAM
//! alt root --- divide by 4 /
//! apb root ------------------------ the controller's registers
//! ```
//!
//! The PLL makes the highest frequency. For the lower ones it is bypassed, with a fixed clock
//! through the alt root.

use fakemon_firmware::{Error, Platform};

/// The PLLs (anatop): configuration words 0 of those of the frac and of the SSCG kind.
const ANATOP: u64 = 0x3036_0000;
const FRAC_PLLS: [u64; 6] = [0x00, 0x08, 0x10, 0x18, 0x20, 0x28];
const SSCG_PLLS: [u64; 3] = [0x48, 0x54, DRAM_PLL];
const DRAM_PLL: u64 = 0x60;
/// Configuration word 2 of an SSCG PLL, after word 0.
const SSCG_DIVIDERS: u64 = 8;
/// Locked, in word 0 of either kind.
const LOCKED: u32 = 1 << 31;
/// New dividers are in use, in word 0 of a frac PLL.
const ACKNOWLEDGED: u32 = 1 << 11;
/// Dividers for 800 MHz from the 25 MHz oscillator.
pub(crate) const DIVIDERS_800M: u32 = 0x00ec_e580;

/// The clock roots (CCM).
const CCM: u64 = 0x3038_0000;
pub(crate) const CORE: u64 = CCM + 0x9800;
pub(crate) const ALT: u64 = CCM + 0xa000;
pub(crate) const APB: u64 = CCM + 0xa080;
/// A root is on.
const ENABLE: u32 = 1 << 28;
/// In [`CORE`]: the alt root instead of the PLL.
const CORE_FROM_ALT: u32 = 1 << 24;

/// The setting of a clock root: which of its eight inputs, and a divider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    mux: u32,
    divider: u32,
}

impl Root {
    /// The bits that a setting decides on.
    const MASK: u32 = 7 << 24 | 7 << 16;

    const fn bits(self) -> u32 {
        (self.mux & 7) << 24 | (self.divider.wrapping_sub(1) & 7) << 16
    }
}

/// A frequency of the DRAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frequency {
    /// Transfers per second, in millions: four for each cycle of the core clock.
    pub(crate) rate: u32,
    /// The alt root if the PLL is bypassed.
    alt: Option<Root>,
    apb: Root,
}

/// All frequencies, the one at boot first.
pub(crate) const FREQUENCIES: [Frequency; 3] = [
    // From the PLL; the registers' clock is 800 MHz / 5.
    Frequency {
        rate: 3200,
        alt: None,
        apb: Root { mux: 4, divider: 5 },
    },
    // 800 MHz / 2; 160 MHz / 2.
    Frequency {
        rate: 400,
        alt: Some(Root { mux: 1, divider: 2 }),
        apb: Root { mux: 3, divider: 2 },
    },
    // 100 MHz; 40 MHz / 2.
    Frequency {
        rate: 100,
        alt: Some(Root { mux: 2, divider: 1 }),
        apb: Root { mux: 2, divider: 2 },
    },
];

impl Frequency {
    /// The parents of the core clock, the alt root and the apb root, counted from 1; 0 is any.
    pub(crate) fn parents(self) -> (u32, u32, u32) {
        let core = if self.alt.is_some() { 2 } else { 1 };
        let alt = self.alt.map_or(0, |alt| alt.mux + 1);
        (core, alt, self.apb.mux + 1)
    }
}

/// A frequency by number.
pub(crate) fn frequency(number: u64) -> Option<Frequency> {
    let number = usize::try_from(number).ok()?;
    FREQUENCIES.get(number).copied()
}

/// Leaves the clocks as the boot loader does: PLLs locked, the DRAM at its highest frequency.
///
/// Where there are no such registers there is nobody to tell.
pub(crate) fn start(platform: &mut dyn Platform) {
    let frac = FRAC_PLLS.map(|pll| (pll, LOCKED | ACKNOWLEDGED));
    let sscg = SSCG_PLLS.map(|pll| (pll, LOCKED));
    for (pll, value) in frac.into_iter().chain(sscg) {
        let _ = platform.mmio_write(ANATOP + pll, 4, u64::from(value));
    }
    let dividers = ANATOP + DRAM_PLL + SSCG_DIVIDERS;
    let _ = platform.mmio_write(dividers, 4, u64::from(DIVIDERS_800M));
    for root in [CORE, ALT, APB] {
        let _ = platform.mmio_write(root, 4, u64::from(ENABLE));
    }
    let _ = switch(platform, FREQUENCIES[0]);
}

/// Changes the clocks over to a frequency.
///
/// # Errors
/// The platform's, if the machine has no such registers.
pub(crate) fn switch(platform: &mut dyn Platform, to: Frequency) -> Result<(), Error> {
    // The root that the core clock is about to come from must be right before.
    if let Some(alt) = to.alt {
        modify(platform, ALT, Root::MASK, alt.bits())?;
    }
    modify(platform, APB, Root::MASK, to.apb.bits())?;
    let core = if to.alt.is_some() { CORE_FROM_ALT } else { 0 };
    modify(platform, CORE, CORE_FROM_ALT, core)
}

fn modify(platform: &mut dyn Platform, register: u64, mask: u32, bits: u32) -> Result<(), Error> {
    let old = platform.mmio_read(register, 4)? as u32;
    platform.mmio_write(register, 4, u64::from(old & !mask | bits))
}
