// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A PL031 real-time clock (Arm DDI 0224, PrimeCell RTC r1p3).
//!
//! It counts the seconds of a clock of the host's, from where the guest has set it to. Nothing runs here:
//! the count is worked out when it is read, and an alarm whose time has come is noticed by
//! [`Pl031::tick`] or by the next access, whichever is first, so that no guest sees the count past the
//! alarm and no interrupt.

use std::fmt;

use super::{Access, Device, Driven, Effect, IrqLine};

const DR: u64 = 0x000; // data: the count
const MR: u64 = 0x004; // match: the count that interrupts
const LR: u64 = 0x008; // load: sets the count
const CR: u64 = 0x00c; // control
const IMSC: u64 = 0x010; // interrupt mask
const RIS: u64 = 0x014; // raw interrupt
const MIS: u64 = 0x018; // masked interrupt
const ICR: u64 = 0x01c; // interrupt clear
const ID: u64 = 0xfe0; // eight identification registers

/// CR: the clock runs, which software can start but not stop. Here firmware has started it.
const START: u32 = 1;
/// The only interrupt, in all four registers.
const INTERRUPT: u32 = 1;
/// RTCPeriphID0-3 and RTCPCellID0-3.
const IDENTIFICATION: [u32; 8] = [0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1];

/// Seconds since 1970 by a clock of the host's. They may go back when somebody sets that clock.
pub type Seconds = Box<dyn Fn() -> u64 + Send>;

/// The clock.
pub struct Pl031 {
    seconds: Seconds,
    irq: Driven,
    /// What the count is ahead of the host's seconds.
    ahead: u32,
    matched: u32,
    loaded: u32,
    /// The host's second in which the count reaches the match register; none before match or load
    /// register is written, and none after that second.
    due: Option<u64>,
    raw: bool,
    is_unmasked: bool,
}

impl fmt::Debug for Pl031 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pl031 {{ ahead {}, due {:?} }}", self.ahead, self.due)
    }
}

impl Pl031 {
    /// Bytes of address space that the clock takes.
    pub const SIZE: u64 = 0x1000;

    /// A clock that shows what `seconds` says, without an alarm.
    pub fn new(seconds: Seconds, irq: Box<dyn IrqLine>) -> Self {
        Pl031 {
            seconds,
            irq: Driven::new(irq),
            ahead: 0,
            matched: 0,
            loaded: 0,
            due: None,
            raw: false,
            is_unmasked: false,
        }
    }

    /// Raises the interrupt if its time has come.
    pub fn tick(&mut self) {
        if self.due.is_some_and(|due| due <= (self.seconds)()) {
            self.due = None;
            self.raw = true;
        }
        self.irq.set(self.masked());
    }

    /// Tells whether an interrupt will come by itself.
    pub fn has_alarm(&self) -> bool {
        self.is_unmasked && self.due.is_some()
    }

    /// The count in a second of the host's.
    fn count(&self, second: u64) -> u32 {
        // 32 bits are what the device has.
        (second as u32).wrapping_add(self.ahead)
    }

    /// Works out when the count is the match register: now, or when it comes there next.
    fn aim(&mut self) {
        let now = (self.seconds)();
        let left = self.matched.wrapping_sub(self.count(now));
        self.due = Some(now.saturating_add(left.into()));
    }

    fn masked(&self) -> bool {
        self.raw && self.is_unmasked
    }
}

impl Device for Pl031 {
    fn read(&mut self, access: Access) -> u64 {
        self.tick();
        let register = access.offset & !3;
        let value = match register {
            DR => self.count((self.seconds)()),
            MR => self.matched,
            LR => self.loaded,
            CR => START,
            IMSC => u32::from(self.is_unmasked),
            RIS => u32::from(self.raw),
            MIS => u32::from(self.masked()),
            ID..=0xffc => IDENTIFICATION[((register - ID) / 4) as usize],
            _ => 0,
        };
        u64::from(value) >> (8 * (access.offset & 3))
    }

    fn write(&mut self, access: Access, value: u64) -> Effect {
        if access.size != 4 {
            return Effect::None;
        }
        self.tick();
        let value = value as u32;
        let bit = value & INTERRUPT != 0;
        match access.offset {
            MR => {
                self.matched = value;
                self.aim();
            }
            LR => {
                self.loaded = value;
                self.ahead = value.wrapping_sub((self.seconds)() as u32);
                self.aim();
            }
            IMSC => self.is_unmasked = bit,
            ICR if bit => self.raw = false,
            _ => {}
        }
        self.tick();
        Effect::None
    }
}

#[cfg(test)]
mod tests;
