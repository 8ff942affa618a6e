// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A PL011 UART (Arm DDI 0183, PrimeCell UART r1p4), as much of it as a console needs.
//!
//! What is sent leaves at once, so the transmit FIFO is always empty, unless whoever reads it does not
//! any more: then it is full. Received bytes wait in a queue that is longer than the real FIFO; the
//! receive interrupt stays raised while there are any.

use std::collections::VecDeque;
use std::fmt;

use super::{Access, Device, Driven, Effect, IrqLine};

const DR: u64 = 0x000; // data
const FR: u64 = 0x018; // flags
const ILPR: u64 = 0x020; // IrDA divisor
const IBRD: u64 = 0x024; // baud rate, integer part
const FBRD: u64 = 0x028; // baud rate, fraction
const LCR_H: u64 = 0x02c; // line control
const CR: u64 = 0x030; // control
const IFLS: u64 = 0x034; // FIFO levels that interrupt
const IMSC: u64 = 0x038; // interrupt mask
const RIS: u64 = 0x03c; // raw interrupts
const MIS: u64 = 0x040; // masked interrupts
const ICR: u64 = 0x044; // interrupt clear
const DMACR: u64 = 0x048; // DMA control
const ID: u64 = 0xfe0; // eight identification registers

const FR_CTS_DSR_DCD: u32 = 0b111;
const FR_RXFE: u32 = 1 << 4;
const FR_TXFF: u32 = 1 << 5;
const FR_RXFF: u32 = 1 << 6;
const FR_TXFE: u32 = 1 << 7;
const INT_RX: u32 = 1 << 4;
const INT_TX: u32 = 1 << 5;

/// UARTPeriphID0-3 and UARTPCellID0-3 of a PL011 r1p4.
const IDENTIFICATION: [u32; 8] = [0x11, 0x10, 0x24, 0x00, 0x0d, 0xf0, 0x05, 0xb1];
/// Bytes that the real FIFO holds.
const FIFO: usize = 16;
/// Received bytes that wait at most; more are lost, as on a real line.
const BACKLOG: usize = 64 * 1024;

/// Where the bytes go that the guest sends.
pub trait Sink: Send {
    /// Takes one byte.
    fn put(&mut self, byte: u8);
    /// Tells whether it can take more. A guest that sends nevertheless may lose what it sends, as on a
    /// real line.
    fn has_room(&self) -> bool;
}

/// Where the guest reads the registers by itself while reading them changes nothing.
pub trait Window: Send {
    /// Shows these registers, by offset; all others are zero.
    fn open(&mut self, registers: &[(u64, u32)]);
    /// Has the guest ask for each register from now.
    fn close(&mut self);
}

/// The UART.
pub struct Pl011 {
    received: VecDeque<u8>,
    sink: Box<dyn Sink>,
    irq: Driven,
    window: Option<Box<dyn Window>>,
    tx_interrupt: bool,
    /// The last byte that was sent has not left.
    is_full: bool,
    mask: u32,
    /// Registers that only remember what was written: ILPR, IBRD, FBRD, LCR_H, CR, IFLS, DMACR.
    plain: [u32; 7],
}

impl fmt::Debug for Pl011 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Pl011 {{ {} received, mask {:#x} }}",
            self.received.len(),
            self.mask
        )
    }
}

impl Pl011 {
    /// Bytes of address space that the UART takes.
    pub const SIZE: u64 = 0x1000;

    /// A UART in its reset state.
    pub fn new(sink: Box<dyn Sink>, irq: Box<dyn IrqLine>) -> Self {
        Pl011 {
            received: VecDeque::new(),
            sink,
            irq: Driven::new(irq),
            window: None,
            tx_interrupt: false,
            is_full: false,
            mask: 0,
            plain: [0, 0, 0, 0, 0x300, 0x12, 0],
        }
    }

    /// Has the guest read the registers in `window` whenever that is possible.
    pub fn show_in(&mut self, window: Box<dyn Window>) {
        self.window = Some(window);
        self.update();
    }

    /// Gives the guest bytes to receive.
    pub fn receive(&mut self, bytes: &[u8]) {
        let room = BACKLOG - self.received.len();
        self.received.extend(bytes.iter().take(room));
        self.update();
    }

    /// Lets the guest send again, if it could not and now can.
    pub fn resume(&mut self) {
        if self.is_full && self.sink.has_room() {
            self.is_full = false;
            self.tx_interrupt = true;
            self.update();
        }
    }

    fn raw_interrupts(&self) -> u32 {
        let rx = if self.received.is_empty() { 0 } else { INT_RX };
        rx | if self.tx_interrupt { INT_TX } else { 0 }
    }

    fn update(&mut self) {
        self.irq.set(self.raw_interrupts() & self.mask != 0);
        let Some(mut window) = self.window.take() else {
            return;
        };
        // Reading what was received takes it, and an interrupt for sending has to come at once and
        // not when the stores that are on their way arrive.
        if self.received.is_empty() && self.mask & INT_TX == 0 {
            let registers = [FR, ILPR, IBRD, FBRD, LCR_H, CR, IFLS, IMSC, RIS, MIS, DMACR];
            let mut shown = registers
                .map(|register| (register, self.register(register)))
                .to_vec();
            shown.extend((ID..).step_by(4).zip(IDENTIFICATION));
            window.open(&shown);
        } else {
            window.close();
        }
        self.window = Some(window);
    }

    /// The value of a register that can be read without a change.
    fn register(&self, register: u64) -> u32 {
        match register {
            FR => self.flags(),
            IMSC => self.mask,
            RIS => self.raw_interrupts(),
            MIS => self.raw_interrupts() & self.mask,
            ID..=0xffc => IDENTIFICATION[((register - ID) / 4) as usize],
            _ => plain(register).map_or(0, |index| self.plain[index]),
        }
    }

    fn flags(&self) -> u32 {
        let empty = if self.received.is_empty() { FR_RXFE } else { 0 };
        let full = if self.received.len() >= FIFO {
            FR_RXFF
        } else {
            0
        };
        let sent = if self.sink.has_room() {
            FR_TXFE
        } else {
            FR_TXFF
        };
        FR_CTS_DSR_DCD | sent | empty | full
    }
}

/// Index in [`Pl011::plain`] of a register that only remembers.
fn plain(register: u64) -> Option<usize> {
    [ILPR, IBRD, FBRD, LCR_H, CR, IFLS, DMACR]
        .iter()
        .position(|&plain| plain == register)
}

impl Device for Pl011 {
    fn read(&mut self, access: Access) -> u64 {
        let register = access.offset & !3;
        let value = match register {
            DR => {
                let byte = self.received.pop_front().unwrap_or(0);
                self.update();
                byte.into()
            }
            register => self.register(register),
        };
        u64::from(value) >> (8 * (access.offset & 3))
    }

    fn write(&mut self, access: Access, value: u64) -> Effect {
        let value = value as u32;
        match access.offset {
            DR => {
                self.sink.put(value as u8);
                // The FIFO has just run empty again, or cannot.
                self.is_full = !self.sink.has_room();
                self.tx_interrupt |= !self.is_full;
            }
            IMSC => self.mask = value & 0x7ff,
            ICR if value & INT_TX != 0 => self.tx_interrupt = false,
            register => {
                if let Some(index) = plain(register) {
                    self.plain[index] = value;
                }
            }
        }
        self.update();
        Effect::None
    }
}

#[cfg(test)]
mod tests;
