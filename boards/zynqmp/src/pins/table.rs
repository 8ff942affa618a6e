// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The multiplexer of the pins: functions, the groups of pins that can have them, and how the boot
//! loader leaves it.
//!
//! Numbers and groups are those of TF-A's pm_api_pinctrl.c. Device trees know a group by its
//! function and its place there: `i2c0_3_grp` is the fourth group of i2c0.

use Groups::{Row, Sets, Single};

/// There are so many pins.
pub const PINS: usize = 78;

/// A set of pins that are no more than 32 apart: the first, and a bit for it and each that follows.
/// A blob has little room for five hundred sets.
#[derive(Clone, Copy, Debug)]
pub struct Set(u8, u32);

impl Set {
    const fn has(self, pin: u32) -> bool {
        let Set(first, pins) = self;
        let at = pin.wrapping_sub(first as u32);
        at < u32::BITS && pins >> at & 1 != 0
    }
}

/// What pins can be for.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Its name, filled up with zeros.
    pub name: [u8; NAME],
    /// The number of its first group; the others follow.
    pub first: u16,
    /// Its groups: which pins must have this function together.
    groups: Groups,
}

/// The longest name.
pub const NAME: usize = 10;

/// Groups of pins, most of which follow a rule.
#[derive(Clone, Copy, Debug)]
enum Groups {
    /// So many groups of so many pins: each begins `step` pins after the one before.
    Row {
        groups: u8,
        first: u8,
        step: u8,
        pins: u8,
    },
    /// Groups of one pin.
    Single(&'static [u8]),
    /// Any others.
    Sets(&'static [Set]),
}

impl Function {
    /// How many groups there are.
    pub fn count(&self) -> u32 {
        match self.groups {
            Row { groups, .. } => groups.into(),
            Single(pins) => pins.len() as u32,
            Sets(sets) => sets.len() as u32,
        }
    }

    /// Tells whether this pin belongs to the group at a place.
    pub fn has(&self, place: u32, pin: u32) -> bool {
        match self.groups {
            Row {
                first, step, pins, ..
            } => pin.wrapping_sub(u32::from(first) + place * u32::from(step)) < pins.into(),
            Single(all) => all
                .get(place as usize)
                .is_some_and(|&one| pin == one.into()),
            Sets(sets) => sets.get(place as usize).is_some_and(|set| set.has(pin)),
        }
    }
}

/// `count` pins from `first` on.
const fn run(first: u8, count: u32) -> Set {
    Set(first, (1 << count) - 1)
}

/// The pins of a list, the lowest first.
const fn set(pins: &[u8]) -> Set {
    let mut bits = 0;
    let mut n = 0;
    while n < pins.len() {
        bits |= 1 << (pins[n] - pins[0]);
        n += 1;
    }
    Set(pins[0], bits)
}

/// The groups of a controller for cards: with eight data lines, with four and with one. A bank has
/// its clock and command line and then its data lines; `wide` of the banks have eight.
const fn cards<const N: usize>(banks: &[([u8; 2], &[u8])], wide: usize) -> [Set; N] {
    let mut groups = [Set(0, 0); N];
    let mut n = 0;
    let mut lines = 8;
    while lines > 0 {
        let mut bank = 0;
        while bank < banks.len() && (lines < 8 || bank < wide) {
            let (control, data) = banks[bank];
            let mut at = 0;
            while at < data.len() {
                let first = if data[at] < control[0] {
                    data[at]
                } else {
                    control[0]
                };
                let mut bits = 1 << (control[0] - first) | 1 << (control[1] - first);
                let mut line = at;
                while line < at + lines {
                    bits |= 1 << (data[line] - first);
                    line += 1;
                }
                groups[n] = Set(first, bits);
                n += 1;
                at += lines;
            }
            bank += 1;
        }
        lines = if lines == 8 { 4 } else { lines / 4 };
    }
    groups
}

const BANKS_0: [([u8; 2], &[u8]); 3] = [
    ([21, 22], &[13, 14, 15, 16, 17, 18, 19, 20]),
    ([38, 40], &[41, 42, 43, 44, 45, 46, 47, 48]),
    ([64, 66], &[67, 68, 69, 70, 71, 72, 73, 74]),
];
const BANKS_1: [([u8; 2], &[u8]); 2] = [
    ([50, 51], &[39, 40, 41, 42, 46, 47, 48, 49]),
    ([75, 76], &[71, 72, 73, 74]),
];

/// Every other pair of pins, and those between them.
const EVEN: Groups = row(19, 2, 4, 2);
const ODD: Groups = row(20, 0, 4, 2);

const fn row(groups: u8, first: u8, step: u8, pins: u8) -> Groups {
    Row {
        groups,
        first,
        step,
        pins,
    }
}

const fn function(text: &str, first: u16, groups: Groups) -> Function {
    let mut name = [0; NAME];
    let mut n = 0;
    while n < text.len() {
        name[n] = text.as_bytes()[n];
        n += 1;
    }
    Function {
        name,
        first,
        groups,
    }
}

/// The functions; a place here is the number.
#[rustfmt::skip]
pub static FUNCTIONS: [Function; 57] = [
    function("can0", 136, EVEN),
    function("can1", 155, ODD),
    function("ethernet0", 0, row(1, 26, 0, 12)),
    function("ethernet1", 1, row(1, 38, 0, 12)),
    function("ethernet2", 2, row(1, 52, 0, 12)),
    function("ethernet3", 3, row(1, 64, 0, 12)),
    function("gemtsu0", 4, Single(&[26, 50, 51])),
    function("gpio0", 376, row(78, 0, 1, 1)),
    function("i2c0", 213, EVEN),
    function("i2c1", 232, ODD),
    function("mdio0", 7, row(1, 76, 0, 2)),
    function("mdio1", 8, Sets(&[run(50, 2), run(76, 2)])),
    function("mdio2", 10, row(1, 76, 0, 2)),
    function("mdio3", 11, row(1, 76, 0, 2)),
    function("qspi0", 12, Sets(const { &[set(&[0, 1, 2, 3, 4, 8, 9, 10, 11, 12]), run(0, 5)] })),
    function("qspi_fbclk", 16, row(1, 6, 0, 1)),
    function("qspi_ss", 14, Sets(const { &[set(&[5, 7]), set(&[5])] })),
    function("spi0", 17, Sets(const { &[
        set(&[0, 4, 5]), set(&[12, 16, 17]), set(&[26, 30, 31]),
        set(&[38, 42, 43]), set(&[52, 56, 57]), set(&[64, 68, 69]),
    ] })),
    function("spi1", 41, Sets(const { &[
        set(&[6, 10, 11]), set(&[18, 22, 23]), set(&[32, 36, 37]),
        set(&[44, 48, 49]), set(&[58, 62, 63]), set(&[70, 74, 75]),
    ] })),
    function("spi0_ss", 23, Single(&[
        3, 2, 1, 15, 14, 13, 29, 28, 27, 41, 40, 39, 55, 54, 53, 67, 66, 65,
    ])),
    function("spi1_ss", 47, Single(&[
        9, 8, 7, 21, 20, 19, 35, 34, 33, 47, 46, 45, 61, 60, 59, 73, 72, 71,
    ])),
    function("sdio0", 65, Sets(const { &cards::<33>(&BANKS_0, 3) })),
    function("sdio0_pc", 98, Single(&[23, 49, 75])),
    function("sdio0_cd", 101, Single(&[24, 39, 65])),
    function("sdio0_wp", 104, Single(&[25, 50, 76])),
    function("sdio1", 107, Sets(const { &cards::<16>(&BANKS_1, 1) })),
    function("sdio1_pc", 123, Single(&[43, 70])),
    function("sdio1_cd", 125, Single(&[45, 77])),
    function("sdio1_wp", 127, Single(&[44, 69])),
    function("nand0", 129, row(1, 13, 0, 13)),
    function("nand0_ce", 130, Single(&[9, 26])),
    function("nand0_rb", 132, Sets(&[run(10, 2), run(27, 2)])),
    function("nand0_dqs", 134, Single(&[12, 32])),
    function("ttc0_clk", 252, row(9, 6, 8, 1)),
    function("ttc0_wav", 261, row(9, 7, 8, 1)),
    function("ttc1_clk", 270, row(9, 4, 8, 1)),
    function("ttc1_wav", 279, row(9, 5, 8, 1)),
    function("ttc2_clk", 288, row(9, 2, 8, 1)),
    function("ttc2_wav", 297, row(9, 3, 8, 1)),
    function("ttc3_clk", 306, row(9, 0, 8, 1)),
    function("ttc3_wav", 315, row(9, 1, 8, 1)),
    function("uart0", 175, EVEN),
    function("uart1", 194, row(19, 0, 4, 2)),
    function("usb0", 454, row(1, 52, 0, 12)),
    function("usb1", 455, row(1, 64, 0, 12)),
    function("swdt0_clk", 324, Single(&[
        6, 10, 18, 22, 30, 34, 42, 46, 50, 62, 66, 70, 74,
    ])),
    function("swdt0_rst", 337, Single(&[
        7, 11, 19, 23, 31, 35, 43, 47, 51, 63, 67, 71, 75,
    ])),
    function("swdt1_clk", 350, Single(&[
        4, 8, 16, 20, 24, 32, 36, 44, 48, 56, 64, 68, 72,
    ])),
    function("swdt1_rst", 363, Single(&[
        5, 9, 17, 21, 25, 33, 37, 45, 49, 57, 65, 69, 73,
    ])),
    function("pmu0", 456, row(12, 26, 1, 1)),
    function("pcie0", 468, Single(&[29, 30, 31, 33, 34, 35, 36, 37])),
    function("csu0", 476, Single(&[18, 19, 20, 21, 22, 23, 24, 25, 26, 31, 32, 33])),
    function("dpaux0", 488, Sets(&[run(27, 2), run(29, 2), run(34, 2), run(36, 2)])),
    function("pjtag0", 492, Sets(&[
        run(0, 4), run(12, 4), run(26, 4), run(38, 4), run(52, 4), run(58, 4),
    ])),
    function("trace0", 498, Sets(&[run(2, 16), Set(26, 0x3cfff), run(54, 16)])),
    function("trace0_clk", 501, Sets(&[run(0, 2), run(38, 2), run(52, 2)])),
    function("testscan0", 504, row(1, 0, 0, 38)),
];

const GPIO: u8 = 7;

/// What the pins of a ZCU102 are for, from first to last, but for those that are GPIO.
const AT_BOOT: [(u8, u8, u8); 19] = [
    (0, 4, 14),
    (5, 5, 16),
    (6, 6, 15),
    (7, 7, 16),
    (8, 12, 14),
    (14, 15, 8),
    (16, 17, 9),
    (18, 19, 41),
    (20, 21, 42),
    (24, 25, 1),
    (27, 30, 52),
    (32, 37, 49),
    (39, 42, 25),
    (44, 44, 28),
    (45, 45, 27),
    (46, 51, 25),
    (52, 63, 43),
    (64, 75, 5),
    (76, 77, 13),
];

/// The pins of a ZCU102 that receive.
const INPUTS: [u8; 16] = [
    18, 21, 25, 28, 30, 44, 45, 52, 53, 55, 70, 71, 72, 73, 74, 75,
];

/// The function that the boot loader gives each pin, and whether the pin receives.
pub const AT_HANDOVER: [(u8, bool); PINS] = {
    let mut pins = [(GPIO, false); PINS];
    let mut n = 0;
    while n < AT_BOOT.len() {
        let (mut pin, last, function) = AT_BOOT[n];
        while pin <= last {
            pins[pin as usize].0 = function;
            pin += 1;
        }
        n += 1;
    }
    let mut n = 0;
    while n < INPUTS.len() {
        pins[INPUTS[n] as usize].1 = true;
        n += 1;
    }
    pins
};
