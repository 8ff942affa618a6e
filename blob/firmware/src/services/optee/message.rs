// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A message in the shared pool: copied in whole, looked at here, answered field by field.
//!
//! ```text
//!  0 command     u32
//!  4 function    u32   of the trusted application
//!  8 session     u32   in, or out when one is opened
//! 12 cancel ID   u32
//! 16             u32
//! 20 result      u32   out
//! 24 origin      u32   out: who has made the result
//! 28 parameters  u32   how many follow
//! 32 parameters, 32 bytes each:
//!     0 attributes u64   7:0 type, 8 for the OS itself, 9 a list of pages, 18:16 cache settings
//!     8 a value: a, b, c; a buffer: address, size, reference; u64 each
//! ```

use crate::memory::Region;
use crate::platform::Platform;
use crate::services::optee::param::{Access, Buffer, PARAMS, Param};
use crate::services::optee::result::BAD_PARAMETERS;
use crate::services::optee::{EBADADDR, SHM_CACHED};

/// Bytes before the parameters, and of each parameter.
const HEADER: usize = 32;
const PARAM: usize = 32;
/// The most parameters of a message: a command's and the two with which a session is opened.
const MAX_PARAMS: usize = PARAMS + 2;

const SESSION: u64 = 8;
const RESULT: u64 = 20;

/// Attributes: a value that the caller tells.
const VALUE_INPUT: u64 = 1;
/// The parameter is for the OS and not for the application.
const META: u64 = 1 << 8;
/// The address is that of a list of pages.
const NONCONTIG: u64 = 1 << 9;
const CACHE_SHIFT: u64 = 16;
const CACHE_MASK: u64 = 7;

/// A copy of a message.
#[derive(Debug)]
pub(super) struct Message {
    address: u64,
    /// Where shared memory is.
    pool: Region,
    /// How many parameters it says that it has.
    count: usize,
    bytes: [u8; HEADER + MAX_PARAMS * PARAM],
}

impl Message {
    /// Copies the message at `address`.
    ///
    /// # Errors
    /// EBADADDR if it is not aligned or does not lie in `pool` with all the parameters that it
    /// claims.
    pub(super) fn read(
        platform: &mut dyn Platform,
        pool: Region,
        address: u64,
    ) -> Result<Message, u32> {
        let mut bytes = [0; HEADER + MAX_PARAMS * PARAM];
        if !address.is_multiple_of(8) || !pool.holds(address, HEADER) {
            return Err(EBADADDR);
        }
        // One copy of all that there can be: nothing is read twice.
        let room = pool.size.saturating_sub(address.saturating_sub(pool.base));
        let size = usize::try_from(room).map_or(bytes.len(), |room| room.min(bytes.len()));
        platform
            .read_memory(address, &mut bytes[..size])
            .map_err(|_| EBADADDR)?;
        let mut message = Message {
            address,
            pool,
            count: 0,
            bytes,
        };
        message.count = message.u32_at(28) as usize;
        let whole = message.count.checked_mul(PARAM);
        match whole.and_then(|params| params.checked_add(HEADER)) {
            Some(whole) if pool.holds(address, whole) => Ok(message),
            _ => Err(EBADADDR),
        }
    }

    /// The command.
    pub(super) fn command(&self) -> u32 {
        self.u32_at(0)
    }

    /// The function of the application.
    pub(super) fn function(&self) -> u32 {
        self.u32_at(4)
    }

    /// The session.
    pub(super) fn session(&self) -> u32 {
        self.u32_at(8)
    }

    /// How many parameters it has.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The 24 bytes of parameter `n` if it is a value for the OS itself.
    pub(super) fn meta(&self, n: usize) -> Option<[u8; 24]> {
        let [attributes, ..] = self.raw(n)?;
        let at = HEADER + n * PARAM + 8;
        let octets = self.bytes.get(at..at + 24)?;
        let is_meta = attributes == META | VALUE_INPUT;
        is_meta.then_some(octets.try_into().ok()?)
    }

    /// The parameters after the first `skip`, as an application takes them.
    ///
    /// # Errors
    /// [`BAD_PARAMETERS`] if there are too many, or one that is of no known kind or names memory
    /// outside the pool.
    pub(super) fn params(&self, skip: usize) -> Result<[Param; PARAMS], u32> {
        let mut params = [Param::None; PARAMS];
        let count = self.count.checked_sub(skip).ok_or(BAD_PARAMETERS)?;
        let wanted = params.get_mut(..count).ok_or(BAD_PARAMETERS)?;
        for (n, param) in wanted.iter_mut().enumerate() {
            *param = self.param(skip + n).ok_or(BAD_PARAMETERS)?;
        }
        Ok(params)
    }

    fn param(&self, n: usize) -> Option<Param> {
        let [attributes, a, b, _] = self.raw(n)?;
        if attributes & META != 0 {
            return None;
        }
        let kind = attributes & 0xff;
        let access = match kind & 3 {
            1 => Access::Input,
            2 => Access::Output,
            _ => Access::Both,
        };
        match kind {
            0 => Some(Param::None),
            // An application's numbers have 32 bits, whatever room a message has for them.
            1..=3 => Some(Param::Value(access, [a as u32, b as u32])),
            // 5 to 7 would be memory that was registered before, which is not possible here.
            9..=11 => {
                let cache = attributes >> CACHE_SHIFT & CACHE_MASK;
                let plain = attributes & NONCONTIG == 0 && [0, SHM_CACHED].contains(&cache);
                let buffer = Buffer::new(self.pool, a, b).filter(|_| plain)?;
                Some(Param::Memory(access, buffer))
            }
            _ => None,
        }
    }

    /// Writes what the application has made of the parameters after the first `skip`: numbers, and
    /// the sizes of buffers.
    ///
    /// # Errors
    /// EBADADDR if the pool is no memory of the guest's.
    pub(super) fn write_params(
        &self,
        platform: &mut dyn Platform,
        skip: usize,
        params: &[Param; PARAMS],
    ) -> Result<(), u32> {
        let count = self.count.saturating_sub(skip);
        for (n, param) in params.iter().enumerate().take(count) {
            let at = self.address + (HEADER + (skip + n) * PARAM) as u64;
            let written = match param {
                Param::Value(access, [a, b]) if access.is_output() => {
                    let mut bytes = [0; 16];
                    bytes[..4].copy_from_slice(&a.to_le_bytes());
                    bytes[8..12].copy_from_slice(&b.to_le_bytes());
                    platform.write_memory(at + 8, &bytes)
                }
                Param::Memory(access, buffer) if access.is_output() => {
                    platform.write_u64(at + 16, buffer.size)
                }
                _ => Ok(()),
            };
            written.map_err(|_| EBADADDR)?;
        }
        Ok(())
    }

    /// Writes the ID of the session that was opened.
    ///
    /// # Errors
    /// EBADADDR if the pool is no memory of the guest's.
    pub(super) fn write_session(&self, platform: &mut dyn Platform, id: u32) -> Result<(), u32> {
        platform
            .write_u32(self.address + SESSION, id)
            .map_err(|_| EBADADDR)
    }

    /// Writes the result and who has made it.
    ///
    /// # Errors
    /// EBADADDR if the pool is no memory of the guest's.
    pub(super) fn write_result(
        &self,
        platform: &mut dyn Platform,
        result: u32,
        origin: u32,
    ) -> Result<(), u32> {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&result.to_le_bytes());
        bytes[4..].copy_from_slice(&origin.to_le_bytes());
        platform
            .write_memory(self.address + RESULT, &bytes)
            .map_err(|_| EBADADDR)
    }

    /// The four words of parameter `n`.
    fn raw(&self, n: usize) -> Option<[u64; 4]> {
        if n >= self.count.min(MAX_PARAMS) {
            return None;
        }
        let mut words = [0; 4];
        for (word, bytes) in words
            .iter_mut()
            .zip(self.bytes[HEADER + n * PARAM..].chunks_exact(8))
        {
            *word = u64::from_le_bytes(bytes.try_into().ok()?);
        }
        Some(words)
    }

    fn u32_at(&self, offset: usize) -> u32 {
        let bytes = self.bytes.get(offset..offset + 4);
        let word = bytes.and_then(|bytes| bytes.try_into().ok());
        word.map_or(0, u32::from_le_bytes)
    }
}
