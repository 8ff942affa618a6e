// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The clock tree: names, parts and sources, and how the boot loader leaves them.
//!
//! Numbers are those of Linux' include/dt-bindings/clock/xlnx-zynqmp-clk.h, which device trees use;
//! parts and sources those of TF-A's pm_api_clock.c. The settings are a ZCU102's.

use super::Setting;
use super::part::{
    BASIC, CRITICAL, CROSSING, EASY_GATE, FREE_DIV1, FREE_MUX, GATE, IGNORE_UNUSED, Kind, MUX,
    MUX_DIV_DIV, MUX_DIV_DIV_GATE, MUX_DIV_GATE, MUX_DIV_KEPT, NO_REPARENT, Part, RATE_PARENT,
    THROUGH_MUX, VIDEO_FLAGS,
};

/// A clock that the chip puts out.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Its number.
    pub id: u32,
    /// Its name, 15 letters at most.
    pub name: &'static str,
    /// What it consists of, from source to end.
    pub parts: &'static [Part],
    /// The sources of its first part: numbers, with flags in the upper half, or [`NO_CLOCK`].
    pub parents: &'static [u32],
    /// How the boot loader leaves it.
    pub boot: Setting,
}

impl Clock {
    /// Tells whether one of the parts is of this kind.
    pub fn has(&self, kind: Kind) -> bool {
        self.parts.iter().any(|part| part.0 & 0xf == kind as u32)
    }
}

/// A source that is not there.
pub const NO_CLOCK: u32 = 0xffff_fffe;
/// The largest value of a divider, which has six bits.
pub const MAX_DIVIDER: u32 = 63;
/// Numbers of clocks are below this, inputs of the chip included.
pub const IDS: u32 = 125;

/// The CPUs' clock.
pub const ACPU: u32 = 10;
/// The memory's clock.
pub const DDR_REF: u32 = 21;

const IOPLL: u32 = 0;
const RPLL: u32 = 1;
const APLL: u32 = 2;
const DPLL: u32 = 3;
const VPLL: u32 = 4;
const IOPLL_TO_FPD: u32 = 5;
const RPLL_TO_FPD: u32 = 6;
const DPLL_TO_LPD: u32 = 8;
const VPLL_TO_LPD: u32 = 9;
const GEM0_REF: u32 = 104;
const GEM0_REF_UNGATED: u32 = 108;

/// A parent that is an input of the chip.
const EXTERNAL: u32 = 5 << 16;
/// A parent that is the third part of a clock.
const THIRD_PART: u32 = 3 << 16;
const PSS_REF: u32 = 113 | EXTERNAL;
const VIDEO: u32 = 114 | EXTERNAL;
const PSS_ALT_REF: u32 = 115 | EXTERNAL;
const AUX_REF: u32 = 116 | EXTERNAL;
const GT_CRX_REF: u32 = 117 | EXTERNAL;
const GEM0_TX_EXT: u32 = 120 | EXTERNAL;
const GEM0_RX_EXT: u32 = 124 | EXTERNAL;

/// The name of input `id`.
pub fn input_name(id: u32) -> Option<&'static str> {
    Some(match id | EXTERNAL {
        PSS_REF => "pss_ref_clk",
        VIDEO => "video_clk",
        PSS_ALT_REF => "pss_alt_ref_clk",
        AUX_REF => "aux_ref_clk",
        GT_CRX_REF => "gt_crx_ref_clk",
        GEM0_TX_EXT => "gem0_tx_ext",
        GEM0_RX_EXT => "gem0_rx_ext",
        _ => return None,
    })
}

/// The number of the loop of PLL number `pll`; its other parts follow.
pub const fn loop_id(pll: u32) -> u32 {
    76 + 5 * pll
}

const REFERENCES: &[u32] = &[
    PSS_REF,
    PSS_REF,
    PSS_REF,
    PSS_REF,
    VIDEO,
    PSS_ALT_REF,
    AUX_REF,
    GT_CRX_REF,
];
/// Most devices of the low-power domain.
const FROM_IOPLL: &[u32] = &[IOPLL, NO_CLOCK, RPLL, DPLL_TO_LPD];
/// Buses and DMA of the low-power domain.
const FROM_RPLL: &[u32] = &[RPLL, NO_CLOCK, IOPLL, DPLL_TO_LPD];
const FOR_SD: &[u32] = &[IOPLL, NO_CLOCK, RPLL, VPLL_TO_LPD];

const fn set(parent: u8, dividers: [u8; 2], open: bool) -> Setting {
    Setting {
        parent,
        dividers,
        open,
    }
}

const fn clock(
    id: u32,
    name: &'static str,
    parts: &'static [Part],
    parents: &'static [u32],
    boot: Setting,
) -> Clock {
    assert!(name.len() < 16 && id < IDS);
    Clock {
        id,
        name,
        parts,
        parents,
        boot,
    }
}

/// The six clocks of a PLL: loop, input, half, whole or half, bypass source, and what comes out.
macro_rules! pll {
    ($name:literal, $pll:expr, $loop_flags:expr) => {{
        const LOOP: u32 = loop_id($pll);
        const INPUT: u32 = LOOP + 1;
        const HALF: u32 = LOOP + 2;
        const HALVER: u32 = LOOP + 3;
        const BYPASS: u32 = LOOP + 4;
        let whole = set(0, [0, 0], true);
        let halved = set(1, [0, 0], true);
        const MULTIPLY: &[Part] = &[Part::new(Kind::Pll, NO_REPARENT | $loop_flags)];
        const HALVE: &[Part] = &[Part::new(Kind::FixedFactor, NO_REPARENT | RATE_PARENT)];
        [
            clock(LOOP, concat!($name, "_int"), MULTIPLY, &[INPUT], whole),
            clock(
                INPUT,
                concat!($name, "_pre_src"),
                &[FREE_MUX],
                REFERENCES,
                whole,
            ),
            clock(HALF, concat!($name, "_half"), HALVE, &[LOOP], whole),
            clock(
                HALVER,
                concat!($name, "_int_mux"),
                &[THROUGH_MUX],
                &[LOOP, HALF],
                halved,
            ),
            clock(
                BYPASS,
                concat!($name, "_post_src"),
                &[FREE_MUX],
                REFERENCES,
                whole,
            ),
            clock($pll, $name, &[THROUGH_MUX], &[HALVER, BYPASS], whole),
        ]
    }};
}

const PLLS: [[Clock; 6]; 5] = [
    pll!("iopll", IOPLL, 0),
    pll!("rpll", RPLL, 0),
    pll!("apll", APLL, IGNORE_UNUSED),
    pll!("dpll", DPLL, 0),
    pll!("vpll", VPLL, IGNORE_UNUSED),
];

#[rustfmt::skip]
const DEVICES: [Clock; 23] = [
    clock(IOPLL_TO_FPD, "iopll_to_fpd", CROSSING, &[IOPLL], set(0, [3, 0], true)),
    clock(RPLL_TO_FPD, "rpll_to_fpd", &[Part::new(Kind::Div1, RATE_PARENT | BASIC)], &[RPLL], set(0, [2, 0], true)),
    clock(DPLL_TO_LPD, "dpll_to_lpd", CROSSING, &[DPLL], set(0, [2, 0], true)),
    clock(VPLL_TO_LPD, "vpll_to_lpd", CROSSING, &[VPLL], set(0, [3, 0], true)),
    clock(ACPU, "acpu", &[MUX, FREE_DIV1], &[APLL, NO_CLOCK, DPLL, VPLL], set(0, [1, 0], true)),
    clock(16, "dp_video_ref", &[Part::new(Kind::Mux, VIDEO_FLAGS), Part::new(Kind::Div1, VIDEO_FLAGS), Part::new(Kind::Div2, VIDEO_FLAGS), GATE],
        &[VPLL, NO_CLOCK, DPLL, RPLL_TO_FPD], set(0, [5, 1], true)),
    clock(DDR_REF, "ddr_ref", &[MUX, Part::new(Kind::Div1, CRITICAL | BASIC)], &[DPLL, VPLL], set(0, [2, 0], true)),
    clock(28, "topsw_lsbus", MUX_DIV_KEPT, &[APLL, NO_CLOCK, IOPLL_TO_FPD, DPLL], set(2, [5, 0], true)),
    clock(31, "lpd_lsbus", MUX_DIV_KEPT, FROM_RPLL, set(2, [15, 0], true)),
    clock(32, "usb0_bus_ref", MUX_DIV_DIV_GATE, FROM_IOPLL, set(0, [6, 1], true)),
    clock(34, "usb3_dual_ref", MUX_DIV_DIV_GATE, FROM_IOPLL, set(0, [5, 15], true)),
    clock(45, "gem0_tx", &[EASY_GATE], &[GEM0_REF], set(0, [0, 0], true)),
    clock(49, "gem0_rx", &[Part::new(Kind::Gate, BASIC)], &[GEM0_RX_EXT], set(0, [0, 0], true)),
    clock(53, "qspi_ref", MUX_DIV_DIV_GATE, FROM_IOPLL, set(0, [12, 1], true)),
    clock(54, "sdio0_ref", MUX_DIV_DIV_GATE, FOR_SD, set(0, [8, 1], false)),
    clock(55, "sdio1_ref", MUX_DIV_DIV_GATE, FOR_SD, set(0, [8, 1], true)),
    clock(56, "uart0_ref", MUX_DIV_DIV_GATE, FROM_IOPLL, set(0, [15, 1], true)),
    clock(57, "uart1_ref", MUX_DIV_DIV_GATE, FROM_IOPLL, set(0, [15, 1], true)),
    clock(61, "i2c0_ref", MUX_DIV_DIV_GATE, FROM_IOPLL, set(0, [15, 1], true)),
    clock(68, "adma_ref", MUX_DIV_GATE, FROM_RPLL, set(2, [3, 0], true)),
    clock(71, "pl0_ref", &[MUX, FREE_DIV1, Part::new(Kind::Div2, RATE_PARENT | BASIC), EASY_GATE], FROM_IOPLL, set(0, [15, 1], true)),
    clock(GEM0_REF, "gem0_ref", &[THROUGH_MUX], &[GEM0_REF_UNGATED | THIRD_PART, GEM0_TX_EXT], set(0, [0, 0], true)),
    clock(GEM0_REF_UNGATED, "gem0_ref_ung", MUX_DIV_DIV, FROM_IOPLL, set(0, [12, 1], true)),
];

/// How many clocks there are.
pub const COUNT: usize = 6 * PLLS.len() + DEVICES.len();

/// All clocks.
pub static CLOCKS: [Clock; COUNT] = {
    let mut all = [DEVICES[0]; COUNT];
    let mut n = 0;
    while n < COUNT {
        all[n] = if n < 6 * PLLS.len() {
            PLLS[n / 6][n % 6]
        } else {
            DEVICES[n - 6 * PLLS.len()]
        };
        n += 1;
    }
    all
};
