// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest's memory slots, as the VMM has told KVM of them, and what of them payloads can see.
//!
//! Payloads see RAM. What the guest cannot write, such as flash, is left to the VMM's bus, which knows
//! what a load from it means; so is what lies where the monitor VMs have their own memory.

use std::collections::BTreeMap;
use std::ops::Range;

use fakemon_host::abi::layout::MONITOR_BASE;

/// KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY and KVM_MEM_GUEST_MEMFD.
pub(crate) const LOG_DIRTY: u32 = 1 << 0;
pub(crate) const READ_ONLY: u32 = 1 << 1;
pub(crate) const GUEST_MEMFD: u32 = 1 << 2;

/// A slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) flags: u32,
    pub(crate) guest: u64,
    pub(crate) size: u64,
    pub(crate) host: u64,
}

/// What the payloads have to be told, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// RAM that is gone.
    pub(crate) removed: Option<Slot>,
    /// RAM that is new.
    pub(crate) added: Option<Slot>,
    /// Whether KVM is now to keep track of what is written.
    pub(crate) log_dirty: Option<bool>,
}

/// All slots by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Slots(BTreeMap<u32, Slot>);

impl Slot {
    /// Whether payloads see it.
    fn is_ram(&self) -> bool {
        let end = self.guest.checked_add(self.size);
        self.flags & (READ_ONLY | GUEST_MEMFD) == 0 && end.is_some_and(|end| end <= MONITOR_BASE)
    }
}

impl Slots {
    /// Takes what KVM has taken: a slot that is new, moved, has other flags, or, without size, is gone.
    pub(crate) fn set(&mut self, number: u32, slot: Slot) -> Change {
        let logged = self.is_logged();
        let before = match slot.size {
            0 => self.0.remove(&number),
            _ => self.0.insert(number, slot),
        };
        let before = before.filter(Slot::is_ram);
        let after = Some(slot).filter(|slot| slot.size != 0 && slot.is_ram());
        let place = |slot: Slot| (slot.guest, slot.size, slot.host);
        let moved = before.map(place) != after.map(place);
        Change {
            removed: before.filter(|_| moved),
            added: after.filter(|_| moved),
            log_dirty: (self.is_logged() != logged).then(|| self.is_logged()),
        }
    }

    /// All RAM.
    pub(crate) fn ram(&self) -> impl Iterator<Item = &Slot> {
        self.0.values().filter(|slot| slot.is_ram())
    }

    /// The RAM of a slot.
    pub(crate) fn get(&self, number: u32) -> Option<&Slot> {
        self.0.get(&number).filter(|slot| slot.is_ram())
    }

    /// The RAM that this address is in.
    pub(crate) fn find(&self, address: u64) -> Option<&Slot> {
        let offset = |slot: &Slot| address.checked_sub(slot.guest);
        self.ram()
            .find(|slot| offset(slot).is_some_and(|offset| offset < slot.size))
    }

    /// Whether this address is RAM.
    pub(crate) fn holds(&self, address: u64) -> bool {
        self.find(address).is_some()
    }

    /// Whether there is a slot, of whatever kind, in some of these addresses.
    pub(crate) fn overlap(&self, range: &Range<u64>) -> bool {
        let mut slots = self.0.values();
        slots.any(|slot| {
            slot.guest < range.end && range.start < slot.guest.saturating_add(slot.size)
        })
    }

    /// Whether the VMM wants to know which pages of some slot are written.
    pub(crate) fn is_logged(&self) -> bool {
        self.ram().any(|slot| slot.flags & LOG_DIRTY != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAM: Slot = Slot {
        flags: 0,
        guest: 0x4000_0000,
        size: 0x1000_0000,
        host: 0x7f00_0000_0000,
    };

    #[test]
    fn ram_comes_moves_and_goes() {
        let mut slots = Slots::default();
        let change = slots.set(3, RAM);
        assert_eq!((change.removed, change.added), (None, Some(RAM)));
        assert!(slots.holds(RAM.guest) && slots.holds(RAM.guest + RAM.size - 1));
        assert!(!slots.holds(RAM.guest - 1) && !slots.holds(RAM.guest + RAM.size));
        let moved = Slot {
            guest: 0x8000_0000,
            ..RAM
        };
        let change = slots.set(3, moved);
        assert_eq!((change.removed, change.added), (Some(RAM), Some(moved)));
        let change = slots.set(3, Slot { size: 0, ..moved });
        assert_eq!((change.removed, change.added), (Some(moved), None));
        assert!(!slots.holds(moved.guest));
    }

    #[test]
    fn what_lies_in_a_slot_in_part_is_taken() {
        let mut slots = Slots::default();
        let flash = Slot {
            flags: READ_ONLY,
            ..RAM
        };
        slots.set(0, flash);
        let (start, end) = (RAM.guest, RAM.guest + RAM.size);
        for taken in [start - 1..start + 1, end - 1..end + 1, 0..u64::MAX] {
            assert!(slots.overlap(&taken), "{taken:x?}");
        }
        assert!(!slots.overlap(&(0..start)) && !slots.overlap(&(end..u64::MAX)));
    }

    #[test]
    fn dirty_logging_moves_nothing() {
        let mut slots = Slots::default();
        slots.set(0, RAM);
        let logged = Slot {
            flags: LOG_DIRTY,
            ..RAM
        };
        let mut change = Change {
            log_dirty: Some(true),
            ..Change::default()
        };
        assert_eq!(slots.set(0, logged), change);
        assert_eq!(slots.set(0, logged), Change::default());
        change.log_dirty = Some(false);
        assert_eq!(slots.set(0, RAM), change);
    }

    #[test]
    fn flash_guest_private_and_high_memory_are_not_ram() {
        let mut slots = Slots::default();
        for (flags, guest) in [
            (READ_ONLY, RAM.guest),
            (GUEST_MEMFD, RAM.guest),
            (0, MONITOR_BASE - RAM.size + 0x1000),
            (0, u64::MAX - 0x1000),
        ] {
            let slot = Slot {
                flags,
                guest,
                ..RAM
            };
            assert_eq!(slots.set(1, slot), Change::default(), "{slot:x?}");
            assert_eq!(slots.get(1), None);
        }
        // Flash that becomes writable.
        assert_eq!(slots.set(1, RAM).added, Some(RAM));
        let flash = Slot {
            flags: READ_ONLY,
            ..RAM
        };
        assert_eq!(slots.set(1, flash).removed, Some(RAM));
    }
}
