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

use crate::error::Error;
use crate::platform::Platform;

/// The clock roots (CCM).
const CCM: u64 = 0x3038_0000;
pub(super) const CORE: u64 = CCM + 0x9800;
pub(super) const ALT: u64 = CCM + 0xa000;
pub(super) const APB: u64 = CCM + 0xa080;
/// A root is on.
const ENABLE: u32 = 1 << 28;
/// In [`CORE`]: the alt root instead of the PLL.
const CORE_FROM_ALT: u32 = 1 << 24;

/// Some bits of a 32-bit register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The register's address.
    pub register: u64,
    /// The bits that are meant.
    pub mask: u32,
    /// What they are.
    pub bits: u32,
}

impl Field {
    /// Bits that are 1.
    pub const fn ones(register: u64, bits: u32) -> Field {
        Field {
            register,
            mask: bits,
            bits,
        }
    }

    /// All of a register.
    pub const fn whole(register: u64, bits: u32) -> Field {
        Field {
            register,
            mask: u32::MAX,
            bits,
        }
    }

    fn set(self, platform: &mut dyn Platform) -> Result<(), Error> {
        let old = platform.mmio_read(self.register, 4)? as u32;
        let new = old & !self.mask | self.bits & self.mask;
        platform.mmio_write(self.register, 4, u64::from(new))
    }
}

/// The setting of a clock root: which of its eight inputs, and a divider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Root {
    mux: u32,
    divider: u32,
}

impl Root {
    const fn field(self, register: u64) -> Field {
        Field {
            register,
            mask: 7 << 24 | 7 << 16,
            bits: (self.mux & 7) << 24 | (self.divider.wrapping_sub(1) & 7) << 16,
        }
    }
}

/// A frequency of the DRAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frequency {
    /// Without the PLL: MT/s, which is four for each cycle of the core clock, and the alt root.
    alt: Option<(u32, Root)>,
    apb: Root,
}

/// How many frequencies there are.
pub(super) const COUNT: usize = FREQUENCIES.len();

/// All frequencies, the one at boot first. Without the PLL they are 800 MHz / 2 and 100 MHz, by 4 for the core
/// clock, and 4 for each of its cycles. The registers' clock has 800 MHz / 5, 160 MHz / 2 and 40 MHz / 2.
const FREQUENCIES: &[Frequency] = &[
    Frequency {
        alt: None,
        apb: Root { mux: 4, divider: 5 },
    },
    Frequency {
        alt: Some((400, Root { mux: 1, divider: 2 })),
        apb: Root { mux: 3, divider: 2 },
    },
    Frequency {
        alt: Some((100, Root { mux: 2, divider: 1 })),
        apb: Root { mux: 2, divider: 2 },
    },
];

impl Frequency {
    /// MT/s, unless that is the PLL's to say.
    pub(super) fn rate(self) -> Option<u32> {
        self.alt.map(|(rate, _)| rate)
    }

    /// The parents of the core clock, the alt root and the apb root, counted from 1; 0 is any.
    pub(super) fn parents(self) -> (u32, u32, u32) {
        let core = if self.alt.is_some() { 2 } else { 1 };
        let alt = self.alt.map_or(0, |(_, root)| root.mux + 1);
        (core, alt, self.apb.mux + 1)
    }
}

/// A frequency by number.
pub(super) fn frequency(number: u64) -> Option<Frequency> {
    let number = usize::try_from(number).ok()?;
    FREQUENCIES.get(number).copied()
}

/// Leaves the clocks as the boot loader does: PLLs locked, the DRAM at its highest frequency.
///
/// Where there are no such registers there is nobody to tell.
pub(super) fn start(platform: &mut dyn Platform, plls: &[Field]) {
    for pll in plls {
        let _ = pll.set(platform);
    }
    for root in [CORE, ALT, APB] {
        let _ = Field::whole(root, ENABLE).set(platform);
    }
    let _ = switch(platform, FREQUENCIES[0]);
}

/// Changes the clocks over to a frequency.
///
/// # Errors
/// The platform's, if the machine has no such registers.
pub(super) fn switch(platform: &mut dyn Platform, to: Frequency) -> Result<(), Error> {
    // The root that the core clock is about to come from must be right before.
    if let Some((_, alt)) = to.alt {
        alt.field(ALT).set(platform)?;
    }
    to.apb.field(APB).set(platform)?;
    let core = Field {
        register: CORE,
        mask: CORE_FROM_ALT,
        bits: if to.alt.is_some() { CORE_FROM_ALT } else { 0 },
    };
    core.set(platform)
}
