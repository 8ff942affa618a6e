// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What an event is, whatever has become of it.

/// How urgent an event is (DEN 0054, 4.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Its handler interrupts no other.
    Normal = 0,
    /// Its handler interrupts that of a normal event.
    Critical = 1,
}

/// An event that a board defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number, 31 bits.
    pub number: u32,
    /// Its priority.
    pub priority: Priority,
}

impl Event {
    /// The event of every SDEI: private, normal priority, signalled by software.
    pub const SOFTWARE_SIGNALLED: Event = Event::normal(0);

    /// A normal event.
    pub const fn normal(number: u32) -> Self {
        Event {
            number,
            priority: Priority::Normal,
        }
    }

    /// A critical event.
    pub const fn critical(number: u32) -> Self {
        Event {
            number,
            priority: Priority::Critical,
        }
    }
}
