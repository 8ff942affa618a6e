// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The shared memory of a channel (DEN 0056, 5.1.2 "Shared memory based transport").
//!
//! ```text
//! 0x00  reserved
//! 0x04  status: bit 0 free, bit 1 error
//! 0x08  reserved, 8 bytes
//! 0x10  flags: bit 0 interrupt wanted
//! 0x14  length of header and payload in bytes
//! 0x18  header
//! 0x1c  payload; of an answer, its first word is a status
//! ```
//!
//! A free channel is the caller's. It writes a message, takes the channel by clearing bit 0, and
//! rings. The firmware copies the whole area, answers from its copy, and frees the channel as its
//! last act. So a caller that changes the area meanwhile harms nobody but its own answer.

use crate::lock::Lock;
use crate::platform::Platform;
use crate::services::scmi::message::{Error, Header, Parameters, Reply};

const STATUS: usize = 0x4;
const LENGTH: usize = 0x14;
const HEADER: usize = 0x18;
const PAYLOAD: usize = 0x1c;

const FREE: u32 = 1 << 0;
const ERROR: u32 = 1 << 1;

/// The most of an area that is used: Linux sends and takes 128 bytes of payload at most.
const LARGEST: usize = PAYLOAD + 128;

/// What became of a message.
type Done = Result<(), Error>;

/// A channel from the caller to the firmware.
#[derive(Debug)]
pub struct Channel {
    base: u64,
    size: usize,
    /// Whether the area has been set up. Its lock is held while a message is answered.
    ready: Lock<bool>,
}

impl Channel {
    /// A channel in `size` bytes of guest memory at `base`.
    ///
    /// # Panics
    /// If there is no room for the smallest answer. In a board's constant that is an error at
    /// compile time.
    pub const fn new(base: u64, size: usize) -> Self {
        assert!(size >= PAYLOAD + 4, "the area holds an answer");
        Channel {
            base,
            size: if size < LARGEST { size } else { LARGEST },
            ready: Lock::new(false),
        }
    }

    /// Frees the channel once after reset, as the caller expects to find it.
    ///
    /// A board does this first in each call: a kernel asks for PSCI_VERSION long before it looks at
    /// the channel.
    pub fn prepare(&self, platform: &mut dyn Platform) {
        self.ready.with(|ready| {
            if !*ready {
                *ready = self.set_status(platform, FREE).is_ok();
            }
        });
    }

    /// Answers the message in the channel, if there is one, with what `work` makes of it.
    ///
    /// # Errors
    /// NOT_SUPPORTED if the area is not in guest memory.
    pub(crate) fn serve(
        &self,
        platform: &mut dyn Platform,
        work: impl FnOnce(Header, Parameters<'_>, &mut Reply<'_>, &mut dyn Platform) -> Done,
    ) -> Result<(), crate::error::Error> {
        let served = self.ready.with(|_| self.serve_alone(platform, work));
        served.map_err(|_| crate::error::Error::NotSupported)
    }

    fn serve_alone(
        &self,
        platform: &mut dyn Platform,
        work: impl FnOnce(Header, Parameters<'_>, &mut Reply<'_>, &mut dyn Platform) -> Done,
    ) -> Result<(), crate::error::Error> {
        let mut area = [0; LARGEST];
        platform.read_memory(self.base, &mut area[..self.size])?;
        if word(&area, STATUS) & FREE != 0 {
            // Somebody rings without a message.
            return Ok(());
        }
        let mut answer = [0; LARGEST];
        answer[HEADER..PAYLOAD].copy_from_slice(&area[HEADER..PAYLOAD]);
        let mut reply = Reply::new(&mut answer[PAYLOAD + 4..self.size]);
        let length = word(&area, LENGTH) as usize;
        let whole = length >= PAYLOAD - HEADER && length <= self.size - HEADER;
        let result = if whole {
            let header = Header(word(&area, HEADER));
            let parameters = Parameters(&area[PAYLOAD..HEADER + length]);
            work(header, parameters, &mut reply, platform)
        } else {
            Err(Error::Protocol)
        };
        let (status, used) = match result {
            Ok(()) => (0, reply.used()),
            Err(error) => (error as i32, 0),
        };
        let end = PAYLOAD + 4 + used;
        put(&mut answer, LENGTH, (end - HEADER) as u32);
        put(&mut answer, PAYLOAD, status.cast_unsigned());
        platform.write_memory(self.base + LENGTH as u64, &answer[LENGTH..end])?;
        self.set_status(platform, if whole { FREE } else { FREE | ERROR })
    }

    fn set_status(
        &self,
        platform: &mut dyn Platform,
        status: u32,
    ) -> Result<(), crate::error::Error> {
        platform.write_u32(self.base + STATUS as u64, status)
    }
}

fn word(area: &[u8; LARGEST], at: usize) -> u32 {
    u32::from_le_bytes([area[at], area[at + 1], area[at + 2], area[at + 3]])
}

fn put(area: &mut [u8; LARGEST], at: usize, word: u32) {
    area[at..at + 4].copy_from_slice(&word.to_le_bytes());
}
