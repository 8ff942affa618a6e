// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board imx8mq: PSCI 1.1, the SoC's revision and the DRAM's frequency.
//!
//! The clocks are the machine's: firmware changes those of the DRAM when the kernel asks for another
//! frequency, and the kernel reads the result there.

#![cfg_attr(not(test), no_std)]

use fakemon_firmware::services::imx8m_dram::{Config, Field, Imx8mDram};
use fakemon_firmware::services::psci::Psci;
use fakemon_firmware::{Board, Call, Error, FunctionId, Platform, Service, dispatch};

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// The board.
#[derive(Debug)]
pub struct Imx8mq {
    dram: Imx8mDram,
}

impl Board for Imx8mq {
    const NEW: Self = Imx8mq {
        dram: Imx8mDram::new(function::SIP_DDR_DVFS, DRAM),
    };

    fn call(&self, call: &mut Call<'_>) {
        self.dram.start(call.platform());
        dispatch::smccc(&[&Psci::new(), &self.dram, &SocInfo], call);
    }
}

/// The PLLs (anatop).
const ANATOP: u64 = 0x3036_0000;
/// In configuration word 0 of a PLL: it is locked; and, of the frac kind, new dividers are in use.
const LOCKED: u32 = 1 << 31;
const ACKNOWLEDGED: u32 = 1 << 11;
/// The DRAM's PLL, of the SSCG kind, and its dividers for 800 MHz from the 25 MHz oscillator.
const DRAM_PLL: u64 = 0x60;
const DIVIDERS_800M: u32 = 0x00ec_e580;

const DRAM: Config = Config {
    fastest: 3200,
    plls: &[
        frac(0x00),
        frac(0x08),
        frac(0x10),
        frac(0x18),
        frac(0x20),
        frac(0x28),
        sscg(0x48),
        sscg(0x54),
        sscg(DRAM_PLL),
        // Configuration word 2.
        Field::whole(ANATOP + DRAM_PLL + 8, DIVIDERS_800M),
    ],
};

const fn frac(offset: u64) -> Field {
    Field::ones(ANATOP + offset, LOCKED | ACKNOWLEDGED)
}

const fn sscg(offset: u64) -> Field {
    Field::ones(ANATOP + offset, LOCKED)
}

/// Where the boot ROM tells its version: of the first silicon, and of revision 2.0 and later.
const ROM_VERSION_1: u64 = 0x800;
const ROM_VERSION_2: u64 = 0x83c;
/// A word in the fuses since revision 2.1, and what it says.
const OCOTP_REVISION: u64 = 0x3035_0040;
const SINCE_2_1: u64 = 0xff00_55aa;
/// The die's identity.
const DIGPROG: u64 = 0x3036_006c;

/// The call that tells the SoC's revision.
#[derive(Debug)]
struct SocInfo;

impl Service for SocInfo {
    fn owns(&self, id: FunctionId) -> bool {
        id == function::SIP_GET_SOC_INFO
    }

    fn handle(&self, call: &mut Call<'_>) {
        match soc_info(call.platform()) {
            Ok(info) => call.set(0, info),
            Err(_) => call.answer(Error::NotSupported),
        }
    }
}

/// Finds the SoC's revision out.
fn soc_info(platform: &mut dyn Platform) -> Result<u64, Error> {
    let die = platform.mmio_read(DIGPROG, 4)?;
    if platform.mmio_read(ROM_VERSION_1, 1)? == 0x10 {
        return Ok(die);
    }
    let revision = match platform.mmio_read(ROM_VERSION_2, 1)? {
        0x20 => 0x20,
        rom if platform.mmio_read(OCOTP_REVISION, 4)? == SINCE_2_1 => {
            if rom == 0x22 {
                0x22
            } else {
                0x21
            }
        }
        _ => die & 0xff,
    };
    Ok(die & !0xff | revision)
}

#[cfg(test)]
mod tests;
