// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The registers of the PMC, as offsets from its base, and what they do beyond keeping a value.
//!
//! Names and numbers are those of Linux' drivers/soc/tegra/pmc.c and of TF-A's
//! plat/nvidia/tegra/include/drivers/pmc.h.

/// Bytes of registers.
pub(crate) const SIZE: u16 = 0xc00;

/// Offsets, first and last, that the secure world keeps to itself.
pub(crate) const SECURE: [(u16, u16); 7] = [
    // PMC_DPD_ENABLE
    (0x24, 0x24),
    // SECURE_SCRATCH0 to 5
    (0xb0, 0xc4),
    // CRYPTO_OP
    (0xf4, 0xf4),
    // SECURE_SCRATCH6 and 7
    (0x224, 0x228),
    // SECURE_SCRATCH8 to 79
    (0x300, 0x41c),
    // FUSE_CONTROL
    (0x450, 0x450),
    // SECURE_SCRATCH80 to 119
    (0xa98, 0xb34),
];

/// Control. Bit 4 resets the machine.
pub(crate) const CNTRL: u16 = 0x0;
const MAIN_RST: u32 = 1 << 4;

/// Wake-up events that have come, 0 to 31 and 32 to 63; a 1 written clears one.
const WAKE_STATUS: u16 = 0x14;
const WAKE2_STATUS: u16 = 0x168;

/// Partitions whose outputs are clamped; read only.
pub(crate) const CLAMP_STATUS: u16 = 0x2c;
/// Bit 8 turns the power of the partition in bits 4:0 over, and is zero again when that is done.
pub(crate) const PWRGATE_TOGGLE: u16 = 0x30;
const START: u32 = 1 << 8;
/// A 1 written takes a partition's clamps off.
pub(crate) const REMOVE_CLAMPING: u16 = 0x34;
/// Partitions with power; read only.
pub(crate) const PWRGATE_STATUS: u16 = 0x38;

/// Why the chip was reset; read only.
pub(crate) const RST_STATUS: u16 = 0x1b4;
const WATCHDOG: u32 = 1;

/// Deep power down of pads: bits 31:30 of a request say what becomes of the pads in the others.
pub(crate) const IO_DPD_REQ: u16 = 0x1b8;
const IO_DPD2_REQ: u16 = 0x1c0;
const DPD_OFF: u32 = 1;
const DPD_ON: u32 = 2;
const DPD_PADS: u32 = (1 << 30) - 1;
/// Pads that are in deep power down; read only.
pub(crate) const IO_DPD_STATUS: u16 = 0x1bc;
const IO_DPD2_STATUS: u16 = 0x1c4;

/// Bit 0 clamps the GPU, whose power is no partition's.
const GPU_RG_CNTRL: u16 = 0x2d4;

/// Partitions that have power after reset, besides the CPUs': their rail (crail), their cluster
/// (c0nc), and the internal memory (iram).
const POWERED: u32 = 1 << 0 | 1 << 15 | 1 << 24;
/// Partitions that this controller switches: 0 to 29, but for the GPU's (1) and the numbers that
/// only other Tegras use.
const PARTITIONS: u32 =
    0x3fff_ffff & !(1 << 1 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 12 | 1 << 13 | 1 << 16);
/// The CPUs' partitions: CPUs 1 to 3 and then 0.
const CPU_PARTITIONS: u32 = 0b111 << 9 | 1 << 14;

/// The bit of a CPU's partition; no bit for one beyond the fourth.
pub(crate) fn cpu_partition(cpu: u32) -> u32 {
    match cpu {
        0 => 1 << 14,
        1..=3 => 1 << (8 + cpu),
        _ => 0,
    }
}

/// What the registers hold.
#[derive(Debug)]
pub(crate) struct Registers([u32; SIZE as usize / 4]);

impl Registers {
    /// The registers after a reset by the watchdog, with nothing else left of before.
    pub(crate) const fn new() -> Self {
        let mut words = [0; SIZE as usize / 4];
        words[RST_STATUS as usize / 4] = WATCHDOG;
        words[PWRGATE_STATUS as usize / 4] = POWERED;
        words[CLAMP_STATUS as usize / 4] = PARTITIONS & !POWERED & !CPU_PARTITIONS;
        words[GPU_RG_CNTRL as usize / 4] = 1;
        Registers(words)
    }

    /// Reads a register; zero where there is none.
    pub(crate) fn read(&self, offset: u16) -> u32 {
        self.0.get(usize::from(offset / 4)).copied().unwrap_or(0)
    }

    /// Writes a register and tells whether that resets the machine.
    pub(crate) fn write(&mut self, offset: u16, value: u32) -> bool {
        match offset {
            CNTRL => {
                self.set(CNTRL, value & !MAIN_RST);
                return value & MAIN_RST != 0;
            }
            CLAMP_STATUS | PWRGATE_STATUS | RST_STATUS | IO_DPD_STATUS | IO_DPD2_STATUS => {}
            WAKE_STATUS | WAKE2_STATUS => self.set(offset, self.read(offset) & !value),
            PWRGATE_TOGGLE => {
                self.set(PWRGATE_TOGGLE, value & !START);
                if value & START != 0 {
                    self.toggle(1 << (value & 0x1f));
                }
            }
            REMOVE_CLAMPING => self.set(CLAMP_STATUS, self.read(CLAMP_STATUS) & !value),
            IO_DPD_REQ | IO_DPD2_REQ => {
                self.set(offset, value);
                self.power_down(offset + 4, value);
            }
            _ => self.set(offset, value),
        }
        false
    }

    fn set(&mut self, offset: u16, value: u32) {
        if let Some(word) = self.0.get_mut(usize::from(offset / 4)) {
            *word = value;
        }
    }

    /// Turns a partition's power over. One without power has its clamps on, and they stay until
    /// they are taken off.
    fn toggle(&mut self, partition: u32) {
        let partition = partition & PARTITIONS & !CPU_PARTITIONS;
        let powered = self.read(PWRGATE_STATUS) ^ partition;
        self.set(PWRGATE_STATUS, powered);
        self.set(CLAMP_STATUS, self.read(CLAMP_STATUS) | partition);
    }

    /// Serves a request for pads whose state is in the register `status`.
    fn power_down(&mut self, status: u16, request: u32) {
        let (asleep, pads) = (self.read(status), request & DPD_PADS);
        match request >> 30 {
            DPD_OFF => self.set(status, asleep & !pads),
            DPD_ON => self.set(status, asleep | pads),
            _ => {}
        }
    }
}
