// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The registers that the PMU reads and writes for others: boot mode pins and storage.
//!
//! Addresses from TF-A's plat/xilinx/zynqmp/include/zynqmp_def.h and the kernel's
//! drivers/firmware/xilinx/zynqmp.c.

use fakemon_firmware::Lock;

use crate::api::{DONE, Reply, Status, value};

/// BOOT_PIN_CTRL: outputs in 11:8, levels in 7:4, which pins are outputs in 3:0.
pub const BOOT_PINS: u32 = 0xff5e_0250;
/// The first of the global general storage registers.
pub const STORAGE: u32 = 0xffd8_0030;
/// The first of the persistent ones.
pub const PERSISTENT: u32 = 0xffd8_0050;
/// The storage register whose lowest bit says that the system has come up well.
pub const HEALTH: u32 = 0xffd8_0040;
/// There are so many registers of each storage.
pub const STORAGES: u32 = 4;

/// The board's switches: boot from the SD card with a level shifter.
const PINS: u32 = 0b1110;
const PIN_MASK: u32 = 0xf;
const LEVEL_SHIFT: u32 = 4;
const OUTPUT_SHIFT: u32 = 8;
const BOOT_PINS_WRITABLE: u32 = PIN_MASK << OUTPUT_SHIFT | PIN_MASK;

/// GGS0 to GGS4 and PGGS0 to PGGS3.
const WORDS: usize = 9;

#[derive(Clone, Copy, Debug)]
struct File {
    boot_pins: u32,
    words: [u32; WORDS],
}

/// The registers.
#[derive(Debug)]
pub struct Registers(Lock<File>);

impl Registers {
    /// All pins are inputs and the storage is empty.
    pub const fn new() -> Self {
        Registers(Lock::new(File {
            boot_pins: 0,
            words: [0; WORDS],
        }))
    }

    /// Reads the register at `address`.
    pub fn read(&self, address: u32) -> Reply {
        let file = self.0.get();
        if address == BOOT_PINS {
            return value(file.boot_pins | levels(file.boot_pins) << LEVEL_SHIFT);
        }
        let word = place(address).and_then(|at| file.words.get(at));
        word.map_or(Err(Status::NO_ACCESS), |&word| value(word))
    }

    /// Gives the bits in `mask` of the register at `address` their value in `new`.
    pub fn write(&self, address: u32, mask: u32, new: u32) -> Reply {
        // The PMU looks at the mask before it looks whether the caller may write.
        if mask == 0 {
            return DONE;
        }
        self.0.with(|file| {
            let (register, mask) = match place(address) {
                _ if address == BOOT_PINS => (&mut file.boot_pins, mask & BOOT_PINS_WRITABLE),
                Some(at) => match file.words.get_mut(at) {
                    Some(word) => (word, mask),
                    None => return Err(Status::NO_ACCESS),
                },
                None => return Err(Status::NO_ACCESS),
            };
            *register = *register & !mask | new & mask;
            DONE
        })
    }
}

impl Default for Registers {
    fn default() -> Self {
        Registers::new()
    }
}

/// What the pins show: the outputs what is put out, the others what the board's switches say.
fn levels(boot_pins: u32) -> u32 {
    let outputs = boot_pins & PIN_MASK;
    boot_pins >> OUTPUT_SHIFT & outputs | PINS & !outputs
}

/// Where in the file the storage register at `address` is.
fn place(address: u32) -> Option<usize> {
    let (base, first, count) = match address {
        STORAGE..=HEALTH => (STORAGE, 0, STORAGES + 1),
        PERSISTENT.. => (PERSISTENT, STORAGES + 1, STORAGES),
        _ => return None,
    };
    let offset = address - base;
    (offset.is_multiple_of(4) && offset / 4 < count).then(|| (first + offset / 4) as usize)
}
