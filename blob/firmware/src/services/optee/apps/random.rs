// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The application that gives out random numbers, for Linux' optee-rng. They are the platform's.

use crate::platform::Platform;
use crate::services::optee::apps::{TrustedApp, Uuid};
use crate::services::optee::param::{Access, Buffer, PARAMS, Param};
use crate::services::optee::result::{BAD_PARAMETERS, GENERIC, NOT_IMPLEMENTED, NOT_SUPPORTED};

const GET_ENTROPY: u32 = 0;
const GET_RNG_INFO: u32 = 1;

/// The most bytes of one command, which is what the kernel asks for at most: more would keep the
/// caller's CPU away for long.
const MAX_BYTES: u64 = 4096;
/// Bytes that one host call yields, and those that are written at once.
const DRAWN: usize = 32;
const WRITTEN: usize = 256;

/// The random numbers.
#[derive(Clone, Copy, Debug)]
pub struct Random {
    /// Bytes per second that the kernel may expect; 0 if it need not wait.
    pub rate: u32,
    /// Bits of entropy in 1024.
    pub quality: u32,
}

impl Random {
    /// ab7a617c-b8e7-4d8f-8301-d09b61036b64.
    pub const UUID: Uuid = 0xab7a_617c_b8e7_4d8f_8301_d09b_6103_6b64_u128.to_be_bytes();

    fn fill(buffer: &Buffer, platform: &mut dyn Platform) -> Result<(), u32> {
        if buffer.is_null() {
            return Err(BAD_PARAMETERS);
        }
        if buffer.capacity() > MAX_BYTES {
            return Err(NOT_SUPPORTED);
        }
        let mut offset = 0;
        while offset < buffer.capacity() {
            let left = buffer.capacity() - offset;
            let size = left.min(WRITTEN as u64);
            let mut bytes = [0; WRITTEN];
            let bytes = &mut bytes[..size as usize];
            for drawn in bytes.chunks_mut(DRAWN) {
                draw(drawn, platform)?;
            }
            buffer.write(platform, offset, bytes)?;
            offset += size;
        }
        Ok(())
    }
}

/// Fills up to [`DRAWN`] bytes.
fn draw(bytes: &mut [u8], platform: &mut dyn Platform) -> Result<(), u32> {
    let words = bytes.len().div_ceil(8) as u64;
    let random = platform.entropy(words).map_err(|_| GENERIC)?;
    for (some, word) in bytes.chunks_mut(8).zip(random) {
        some.copy_from_slice(&word.to_le_bytes()[..some.len()]);
    }
    Ok(())
}

impl TrustedApp for Random {
    fn uuid(&self) -> Uuid {
        Self::UUID
    }

    fn invoke(
        &self,
        command: u32,
        params: &mut [Param; PARAMS],
        platform: &mut dyn Platform,
    ) -> Result<(), u32> {
        use Param::None;
        match (command, params) {
            (GET_ENTROPY, [Param::Memory(Access::Both, buffer), None, None, None]) => {
                Self::fill(buffer, platform)
            }
            (GET_RNG_INFO, [Param::Value(Access::Output, value), None, None, None]) => {
                *value = [self.rate, self.quality];
                Ok(())
            }
            (GET_ENTROPY | GET_RNG_INFO, _) => Err(BAD_PARAMETERS),
            _ => Err(NOT_IMPLEMENTED),
        }
    }
}
