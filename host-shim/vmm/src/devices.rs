// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The devices that a guest can touch: a UART, a clock, and, of `fakemon-devices`, what a board describes
//! as data.
//!
//! As there, a device is a plain state machine; an interrupt goes out through [`IrqLine`].

pub mod pl011;
pub mod pl031;

pub use fakemon_devices::{Access, Bus, Device, Effect, pages};

/// An interrupt line of level type.
pub trait IrqLine: Send {
    /// Drives the line.
    fn set(&self, high: bool);
}

/// An interrupt line, low at first, that is driven only when its level changes.
struct Driven {
    line: Box<dyn IrqLine>,
    is_high: bool,
}

impl Driven {
    fn new(line: Box<dyn IrqLine>) -> Self {
        let is_high = false;
        Driven { line, is_high }
    }

    fn set(&mut self, high: bool) {
        if high != self.is_high {
            self.is_high = high;
            self.line.set(high);
        }
    }
}
