// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The fuses that belong to the board's maker: each bit can be set once and never cleared.

use core::ops::Range;

/// Bytes of fuses.
pub(crate) const SIZE: usize = 0xc0;

/// The fuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fuses(pub(crate) [u8; SIZE]);

impl Fuses {
    /// A MAC address is all that the maker has put there.
    pub(crate) const RESET: Fuses = {
        let mut bytes = [0; SIZE];
        let mac = [0x02, 0xa1, 0xfa, 0xce, 0x00, 0x01];
        let mut at = 0;
        while at < mac.len() {
            bytes[at] = mac[at];
            at += 1;
        }
        Fuses(bytes)
    };

    /// Makes the fuses at `place` hold `bytes`; false, and nothing done, if that is not so many
    /// bytes or a set bit would have to be cleared.
    pub(crate) fn blow(&mut self, place: Range<usize>, bytes: &[u8]) -> bool {
        let Some(fuses) = self.0.get_mut(place) else {
            return false;
        };
        let possible =
            fuses.len() == bytes.len() && fuses.iter().zip(bytes).all(|(old, new)| old & !new == 0);
        if possible {
            fuses.copy_from_slice(bytes);
        }
        possible
    }
}

/// The place of `size` bytes from `offset`, if there are any and all of them are fuses.
pub(crate) fn place(offset: u32, size: u32) -> Option<Range<usize>> {
    let (start, size) = (offset as usize, size as usize);
    let end = start.checked_add(size)?;
    (size > 0 && end <= SIZE).then_some(start..end)
}
