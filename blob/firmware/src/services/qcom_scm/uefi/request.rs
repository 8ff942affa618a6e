// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A request to the application, copied out of guest memory once.

use super::Buffer;
use super::status::{INVALID_PARAMETER, NOT_FOUND};
use crate::platform::Platform;

/// A copy of a request, of the size that it claims.
#[derive(Debug)]
pub(super) struct Request<'a>(&'a [u8]);

impl<'a> Request<'a> {
    /// Copies a request into `to`. [`None`] if it is not in guest memory, if there is too much of
    /// it, or if it does not claim a size that the buffer has.
    pub(super) fn read(
        platform: &mut dyn Platform,
        buffer: Buffer,
        to: &'a mut [u8],
    ) -> Option<Self> {
        let size = usize::try_from(buffer.size).ok()?;
        let to = to.get_mut(..size)?;
        platform.read_memory(buffer.address, to).ok()?;
        let claimed = Request(to).field(1)?;
        let to = to.get(..usize::try_from(claimed).ok()?)?;
        (to.len() >= 8).then_some(Request(to))
    }

    /// Returns the command; 0, which is none, if there is none.
    pub(super) fn command(&self) -> u32 {
        self.field(0).unwrap_or(0)
    }

    /// Returns the `n`-th 32-bit word.
    pub(super) fn field(&self, n: usize) -> Option<u32> {
        let mut word = [0; 4];
        word.copy_from_slice(self.0.get(4 * n..4 * n + 4)?);
        Some(u32::from_le_bytes(word))
    }

    /// Returns what field `n` gives the offset of, and the next one the size.
    pub(super) fn part(&self, n: usize) -> Result<&'a [u8], u32> {
        let field = |n| {
            self.field(n)
                .and_then(|value| usize::try_from(value).ok())
                .ok_or(INVALID_PARAMETER)
        };
        let (offset, size) = (field(n)?, field(n + 1)?);
        self.0
            .get(offset..)
            .and_then(|rest| rest.get(..size))
            .ok_or(INVALID_PARAMETER)
    }

    /// Returns a name up to and with its end, and a GUID, whose places are in these fields.
    pub(super) fn name_and_guid(
        &self,
        name: usize,
        guid: usize,
    ) -> Result<(&'a [u8], [u8; 16]), u32> {
        let guid = self.part(guid)?.try_into().map_err(|_| INVALID_PARAMETER)?;
        let name = self.part(name)?;
        let end = name
            .chunks_exact(2)
            .position(|unit| unit == [0, 0])
            .ok_or(NOT_FOUND)?;
        Ok((&name[..2 * end + 2], guid))
    }
}
