// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The bus: finds the device behind an address.
//!
//! A page can lie inside a larger one (a power register in a block of system registers); the
//! smallest range that holds an address answers. Each device has its own lock, so two vCPUs meet
//! only when they touch the same device.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// One load or store that reached a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Bytes from the start of the device's range.
    pub offset: u64,
    /// Width: 1, 2, 4 or 8 bytes.
    pub size: usize,
    /// Whether the secure world made it: true for a blob, false for the guest.
    pub secure: bool,
}

/// What a write does to the machine as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub enum Effect {
    /// Nothing.
    #[default]
    None,
    /// Powers it off.
    Off,
    /// Resets it.
    Reset,
}

/// A device on the bus.
pub trait Device: Send {
    /// The value of a load; bits beyond its size are dropped.
    fn read(&mut self, access: Access) -> u64;
    /// Carries out a store.
    fn write(&mut self, access: Access, value: u64) -> Effect;
}

struct Range {
    base: u64,
    size: u64,
    device: Arc<Mutex<dyn Device>>,
}

/// All devices of a machine.
#[derive(Default)]
pub struct Bus {
    /// Ascending by size, so that the first match is the innermost.
    ranges: Vec<Range>,
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.ranges.iter().map(|r| (r.base, r.size)))
            .finish()
    }
}

impl Bus {
    /// Puts a device on `size` bytes from `base`.
    pub fn attach(&mut self, base: u64, size: u64, device: Arc<Mutex<dyn Device>>) {
        let at = self.ranges.partition_point(|range| range.size <= size);
        self.ranges.insert(at, Range { base, size, device });
    }

    /// Carries out a load of `data.len()` bytes; where nothing is, it reads as zero and the answer
    /// is false.
    pub fn read(&self, address: u64, data: &mut [u8], secure: bool) -> bool {
        data.fill(0);
        let Some((range, access)) = self.find(address, data.len(), secure) else {
            return false;
        };
        let value = range
            .device
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .read(access);
        data.copy_from_slice(&value.to_le_bytes()[..data.len()]);
        true
    }

    /// Carries out a store; [`None`] where nothing is, and the value is lost.
    pub fn write(&self, address: u64, data: &[u8], secure: bool) -> Option<Effect> {
        let (range, access) = self.find(address, data.len(), secure)?;
        let mut bytes = [0; 8];
        bytes[..data.len()].copy_from_slice(data);
        let mut device = range.device.lock().unwrap_or_else(PoisonError::into_inner);
        Some(device.write(access, u64::from_le_bytes(bytes)))
    }

    fn find(&self, address: u64, size: usize, secure: bool) -> Option<(&Range, Access)> {
        if !matches!(size, 1 | 2 | 4 | 8) {
            return None;
        }
        let range = self.ranges.iter().find(|range| {
            address
                .checked_sub(range.base)
                .is_some_and(|offset| offset < range.size)
        })?;
        Some((
            range,
            Access {
                offset: address - range.base,
                size,
                secure,
            },
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads as a fixed number, and remembers the last access.
    struct Probe(u64, Option<Access>);

    impl Device for Probe {
        fn read(&mut self, access: Access) -> u64 {
            self.1 = Some(access);
            self.0
        }
        fn write(&mut self, access: Access, _: u64) -> Effect {
            self.1 = Some(access);
            Effect::Reset
        }
    }

    #[test]
    fn the_smallest_range_that_holds_an_address_answers() {
        let mut bus = Bus::default();
        let outer = Arc::new(Mutex::new(Probe(1, None)));
        let inner = Arc::new(Mutex::new(Probe(2, None)));
        bus.attach(0x1000, 4, inner.clone());
        bus.attach(0x0800, 0x1000, outer.clone());
        let mut data = [0xff; 4];
        assert!(bus.read(0x1000, &mut data, false));
        assert_eq!(data, [2, 0, 0, 0]);
        assert!(bus.read(0x1004, &mut data, true));
        assert_eq!(data, [1, 0, 0, 0]);
        let seen = outer.lock().expect("not poisoned").1;
        assert_eq!(
            seen,
            Some(Access {
                offset: 0x804,
                size: 4,
                secure: true
            })
        );
        assert_eq!(bus.write(0x1002, &[1], false), Some(Effect::Reset));
    }

    #[test]
    fn nothing_reads_as_zero_and_takes_no_write() {
        let bus = Bus::default();
        let mut data = [0xff; 8];
        assert!(!bus.read(u64::MAX, &mut data, false));
        assert_eq!(data, [0; 8]);
        assert_eq!(bus.write(0, &[0; 4], true), None);
    }

    #[test]
    fn a_width_that_no_load_has_finds_nothing() {
        let mut bus = Bus::default();
        bus.attach(0, 0x1000, Arc::new(Mutex::new(Probe(1, None))));
        assert!(!bus.read(0, &mut [0; 3], false));
        assert_eq!(bus.write(0, &[0; 16], false), None);
    }
}
