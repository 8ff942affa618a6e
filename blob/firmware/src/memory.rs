// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest's memory as services reach it: by copy, and only where the guest has memory.
//!
//! An address in a call is the guest's claim. It may point at a device, at the blob itself, or at
//! nothing, and what lies there may change while somebody looks. So there are no pointers to guest
//! memory: [`Host::read_memory`] copies out of it and [`Host::write_memory`] into it, both refuse
//! what does not lie in one stretch of the guest's memory, and a service decides on its copy.

#[cfg(any(target_os = "none", test, feature = "fakes"))]
use fakemon_abi::status::INVALID_ADDRESS;

use crate::host::Host;

/// A stretch of guest memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    /// First guest physical address.
    pub base: u64,
    /// Bytes.
    pub size: u64,
    /// Whether the blob may write there.
    pub writable: bool,
}

impl Stretch {
    /// Tells whether `size` bytes from `address` lie in here.
    pub fn holds(&self, address: u64, size: usize) -> bool {
        address.checked_sub(self.base).is_some_and(|offset| {
            offset
                .checked_add(size as u64)
                .is_some_and(|end| end <= self.size)
        })
    }
}

/// Words in guest memory, little-endian.
///
/// # Errors
/// All of these fail with INVALID_ADDRESS where a part of the word is not guest memory.
impl dyn Host + '_ {
    /// Reads 32 bits.
    #[allow(clippy::missing_errors_doc)]
    pub fn read_u32(&mut self, address: u64) -> Result<u32, i32> {
        let mut bytes = [0; 4];
        self.read_memory(address, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Reads 64 bits.
    #[allow(clippy::missing_errors_doc)]
    pub fn read_u64(&mut self, address: u64) -> Result<u64, i32> {
        let mut bytes = [0; 8];
        self.read_memory(address, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Writes 32 bits.
    #[allow(clippy::missing_errors_doc)]
    pub fn write_u32(&mut self, address: u64, value: u32) -> Result<(), i32> {
        self.write_memory(address, &value.to_le_bytes())
    }

    /// Writes 64 bits.
    #[allow(clippy::missing_errors_doc)]
    pub fn write_u64(&mut self, address: u64, value: u64) -> Result<(), i32> {
        self.write_memory(address, &value.to_le_bytes())
    }
}

/// Picks the stretch that holds `size` bytes from `address` and, if asked, takes writes.
#[cfg(any(target_os = "none", test, feature = "fakes"))]
pub(crate) fn find(
    stretches: impl IntoIterator<Item = Stretch>,
    address: u64,
    size: usize,
    write: bool,
) -> Result<Stretch, i32> {
    stretches
        .into_iter()
        .find(|stretch| stretch.holds(address, size) && (stretch.writable || !write))
        .ok_or(INVALID_ADDRESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeHost;

    #[test]
    fn only_what_lies_whole_in_one_stretch_is_guest_memory() {
        let stretch = Stretch {
            base: 0x1000,
            size: 0x1000,
            writable: false,
        };
        assert!(stretch.holds(0x1000, 0x1000) && stretch.holds(0x1fff, 1));
        assert!(stretch.holds(0x2000, 0), "nothing is everywhere");
        for (address, size) in [
            (0xfff, 1),
            (0x1fff, 2),
            (0x2000, 1),
            (u64::MAX, 1),
            (0x1001, usize::MAX),
        ] {
            assert!(!stretch.holds(address, size), "{address:#x} {size:#x}");
        }
        assert_eq!(find([stretch], 0x1000, 4, false), Ok(stretch));
        assert_eq!(find([stretch], 0x1000, 4, true), Err(INVALID_ADDRESS));
    }

    #[test]
    fn words_are_little_endian_and_errors_leave_memory_alone() {
        let mut fake = FakeHost::new(1).with_memory(0x8000, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let host: &mut dyn Host = &mut fake;
        assert_eq!(host.read_u32(0x8001), Ok(0x0504_0302));
        assert_eq!(host.read_u64(0x8000), Ok(0x0807_0605_0403_0201));
        assert_eq!(host.read_u64(0x8002), Err(INVALID_ADDRESS));
        assert_eq!(host.write_u32(0x8006, 0), Err(INVALID_ADDRESS));
        assert_eq!(host.write_u32(0x8000, 0xaabb_ccdd), Ok(()));
        assert_eq!(
            fake.memory(0x8000, 9),
            [0xdd, 0xcc, 0xbb, 0xaa, 5, 6, 7, 8, 9]
        );
        assert_eq!(fake.written, [(0x8000, 4)]);
    }
}
