// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The DRAM: the PLL that makes its clock, and how it saves power.

use fakemon_firmware::Platform;

const MHZ: u32 = 1_000_000;
/// The crystal that all PLLs start from, in MHz.
const CRYSTAL: u32 = 24;

/// The DRAM's PLL in the clock and reset unit. The upper half of a word that is written says which
/// bits of the lower half are meant.
const DPLL: u64 = 0xff76_0040;
/// Feedback divider in bits 11:0.
pub(crate) const CON0: u64 = DPLL;
/// Reference divider in bits 5:0, post dividers in bits 10:8 and 14:12.
pub(crate) const CON1: u64 = DPLL + 4;
/// Bit 31: locked.
const CON2: u64 = DPLL + 8;
/// Bits 9:8: 1 is the PLL, 0 the crystal.
const CON3: u64 = DPLL + 0xc;
const LOCKED: u32 = 1 << 31;
const NORMAL: u32 = 1 << 8;
const WRITE_ALL: u32 = 0xffff << 16;

/// A rate and how the PLL makes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// The rate in MHz.
    pub(crate) mhz: u32,
    feedback: u32,
    post1: u32,
    post2: u32,
}

const fn rate(mhz: u32, feedback: u32, post1: u32, post2: u32) -> Rate {
    Rate {
        mhz,
        feedback,
        post1,
        post2,
    }
}

/// All rates, the highest first. The reference divider is 1.
pub(crate) const RATES: [Rate; 9] = [
    rate(928, 116, 3, 1),
    rate(800, 100, 3, 1),
    rate(732, 61, 2, 1),
    rate(666, 111, 4, 1),
    rate(600, 50, 2, 1),
    rate(528, 66, 3, 1),
    rate(400, 50, 3, 1),
    rate(300, 50, 4, 1),
    rate(200, 50, 3, 2),
];
/// The rate at boot, in MHz.
const BOOT: u32 = 800;

/// Leaves the PLL as the boot loader does. Where there is none there is nobody to tell.
pub(crate) fn start(platform: &mut dyn Platform) {
    let _ = platform.mmio_write(CON2, 4, u64::from(LOCKED));
    let _ = platform.mmio_write(CON3, 4, u64::from(WRITE_ALL | NORMAL));
    program(platform, nearest(BOOT));
}

/// Returns the rate in Hz that the PLL's registers make; 0 if they make none.
pub(crate) fn get_rate(platform: &mut dyn Platform) -> u32 {
    let mut read = |register| platform.mmio_read(register, 4).unwrap_or(0) as u32;
    let (con0, con1) = (read(CON0), read(CON1));
    let feedback = con0 & 0xfff;
    // The kernel can write there, too, and so there may be any divider.
    let mhz = CRYSTAL
        .checked_div(con1 & 0x3f)
        .and_then(|reference| reference.checked_mul(feedback))
        .and_then(|vco| vco.checked_div(con1 >> 8 & 7))
        .and_then(|rate| rate.checked_div(con1 >> 12 & 7));
    mhz.unwrap_or(0).wrapping_mul(MHZ)
}

/// Returns the rate in Hz that `hz` becomes.
pub(crate) fn round_rate(hz: u32) -> u32 {
    nearest(hz / MHZ).mhz * MHZ
}

/// Changes to the rate that `hz` becomes, and returns it in MHz.
pub(crate) fn set_rate(platform: &mut dyn Platform, hz: u32) -> u32 {
    let rate = nearest(hz / MHZ);
    program(platform, rate);
    rate.mhz
}

/// The highest rate that is not above `mhz`, or else the lowest.
fn nearest(mhz: u32) -> Rate {
    let below = RATES.iter().find(|rate| rate.mhz <= mhz);
    *below.unwrap_or(&RATES[RATES.len() - 1])
}

fn program(platform: &mut dyn Platform, rate: Rate) {
    let dividers = rate.post2 << 12 | rate.post1 << 8 | 1;
    let _ = platform.mmio_write(CON0, 4, u64::from(WRITE_ALL | rate.feedback));
    let _ = platform.mmio_write(CON1, 4, u64::from(WRITE_ALL | dividers));
}

/// How the DRAM saves power: after how many cycles of rest it does what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PowerSaving {
    /// Self-refresh, in 1024 cycles of the controller.
    pub(crate) self_refresh: u8,
    /// Self-refresh with controller and memory clock off, in 1024 cycles.
    pub(crate) self_refresh_gated: u8,
    /// Standby, in cycles.
    pub(crate) standby: u16,
    /// Power down, in cycles.
    pub(crate) power_down: u16,
    /// Self-refresh and power down of LPDDR4, in 1024 cycles.
    pub(crate) power_down_lite: u16,
    /// Whether the bus is terminated on the die.
    pub(crate) termination: bool,
}

impl PowerSaving {
    /// None.
    pub(crate) const RESET: PowerSaving = PowerSaving {
        self_refresh: 0,
        self_refresh_gated: 0,
        standby: 0,
        power_down: 0,
        power_down_lite: 0,
        termination: false,
    };

    /// Takes the three words of the call apart.
    pub(crate) fn from_words(first: u32, second: u32, third: u32) -> PowerSaving {
        PowerSaving {
            self_refresh: first as u8,
            self_refresh_gated: (first >> 8) as u8,
            standby: (first >> 16) as u16,
            power_down: second as u16 & 0xfff,
            power_down_lite: (second >> 16) as u16 & 0xfff,
            termination: third & 1 != 0,
        }
    }
}
