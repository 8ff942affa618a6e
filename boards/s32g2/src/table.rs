// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The clocks of an S32G2, by the numbers that NXP's device trees know them by.
//!
//! Which source feeds which clock is the chip's for most of them. The rates are plausible for it,
//! not checked against its manual. A clock with one rate comes with its source and cannot change.

use fakemon_firmware::clocks::{Clock, Rates};

/// How many clocks there are.
pub const CLOCK_COUNT: usize = 40;

const KHZ: u64 = 1_000;
const MHZ: u64 = 1_000_000;

/// The crossbar, and what is divided from it.
const XBAR: u64 = 400 * MHZ;
const XBAR_DIV2: u64 = XBAR / 2;
const XBAR_DIV3: u64 = XBAR / 3;
/// The internal oscillators, fast and slow.
const FIRC: u64 = 48 * MHZ;
const SIRC: u64 = 32 * KHZ;
/// Outputs of the peripherals' PLL.
const SERDES: u64 = 100 * MHZ;
const PER: u64 = 80 * MHZ;
const LIN_BAUD: u64 = 125 * MHZ;
const CAN: u64 = 80 * MHZ;
const GMAC_TS: u64 = 200 * MHZ;
const SPI: u64 = 100 * MHZ;
const QSPI: u64 = 400 * MHZ;
const SDHC: u64 = 400 * MHZ;
const DDR: u64 = 800 * MHZ;

/// Dividers of the clock generation module have eight bits.
const DIVIDERS: u64 = 256;

/// What Ethernet runs at with 10, 100 and 1000 Mbit/s.
static RGMII: [u64; 3] = [2_500 * KHZ, 25 * MHZ, 125 * MHZ];
static SGMII: [u64; 1] = [125 * MHZ];
static RMII: [u64; 1] = [50 * MHZ];
static MII: [u64; 2] = [2_500 * KHZ, 25 * MHZ];

/// The clocks of the cores: half of a VCO that multiplies a 40 MHz crystal by a whole number and
/// runs between 1300 and 2000 MHz.
const CORES: Rates = Rates::Range {
    min: 660 * MHZ,
    max: 1000 * MHZ,
    step: 20 * MHZ,
};

const fn clock(name: &'static str, rates: Rates, rate: u64) -> Clock {
    Clock {
        name,
        rates,
        rate,
        // Those with one rate come for nothing with what they are made from.
        on: matches!(rates, Rates::List(&[_])),
        kept: false,
    }
}

/// A clock without which the caller itself would stop.
const fn kept(clock: Clock) -> Clock {
    Clock {
        on: true,
        kept: true,
        ..clock
    }
}

/// A clock with one rate.
macro_rules! fixed {
    ($name:literal, $rate:expr) => {
        clock($name, Rates::List(&[$rate]), $rate)
    };
}

/// A clock with a divider of its own, which is 1 at reset.
const fn divided(name: &'static str, source: u64) -> Clock {
    let most = DIVIDERS;
    clock(name, Rates::Divided { source, most }, source)
}

/// A clock with a few rates, of which it has the highest at reset.
const fn one_of(name: &'static str, rates: &'static [u64]) -> Clock {
    clock(name, Rates::List(rates), rates[rates.len() - 1])
}

/// The clocks.
pub static CLOCKS: [Clock; CLOCK_COUNT] = [
    kept(clock("a53", CORES, 1000 * MHZ)),
    fixed!("serdes_axi", XBAR),
    fixed!("serdes_aux", FIRC),
    fixed!("serdes_apb", XBAR_DIV3),
    fixed!("serdes_ref", SERDES),
    fixed!("ftm0_sys", PER),
    divided("ftm0_ext", FIRC),
    fixed!("ftm1_sys", PER),
    divided("ftm1_ext", FIRC),
    fixed!("flexcan_reg", XBAR_DIV3),
    fixed!("flexcan_sys", XBAR_DIV3),
    fixed!("flexcan_can", CAN),
    fixed!("flexcan_ts", XBAR_DIV2),
    fixed!("linflex_xbar", LIN_BAUD / 2),
    fixed!("linflex_lin", LIN_BAUD),
    divided("gmac0_ts", GMAC_TS),
    one_of("gmac0_rx_sgmii", &SGMII),
    one_of("gmac0_tx_sgmii", &SGMII),
    one_of("gmac0_rx_rgmii", &RGMII),
    one_of("gmac0_tx_rgmii", &RGMII),
    one_of("gmac0_rx_rmii", &RMII),
    one_of("gmac0_tx_rmii", &RMII),
    one_of("gmac0_rx_mii", &MII),
    one_of("gmac0_tx_mii", &MII),
    fixed!("gmac0_axi", XBAR),
    fixed!("spi_reg", SPI),
    fixed!("spi_module", SPI),
    fixed!("qspi_reg", XBAR_DIV3),
    fixed!("qspi_ahb", XBAR_DIV3),
    divided("qspi_flash2x", QSPI),
    divided("qspi_flash1x", QSPI / 2),
    fixed!("usdhc_ahb", XBAR),
    fixed!("usdhc_module", XBAR_DIV3),
    divided("usdhc_core", SDHC),
    fixed!("usdhc_mod32k", SIRC),
    kept(fixed!("ddr_reg", XBAR_DIV3)),
    kept(fixed!("ddr_pll_ref", DDR)),
    kept(fixed!("ddr_axi", DDR)),
    fixed!("sram_axi", XBAR),
    fixed!("sram_reg", XBAR_DIV3),
];
