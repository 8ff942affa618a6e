// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A message's parts as protocols see them (DEN 0056, 4.1).

use crate::platform::Platform;

/// Why a message is not served: the status in its answer (DEN 0056, 4.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Error {
    /// No such protocol, message or feature.
    NotSupported = -1,
    /// A parameter makes no sense.
    InvalidParameters = -2,
    /// The caller may not do that.
    Denied = -3,
    /// What the message names is not there.
    NotFound = -4,
    /// An index or value is beyond the last.
    OutOfRange = -5,
    /// The hardware does not do its part.
    Hardware = -9,
    /// The message is not of the right form, or there is no room for its answer.
    Protocol = -10,
}

/// A message's first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header(pub u32);

impl Header {
    /// The kind of a message that asks for something and is answered at once.
    pub const COMMAND: u8 = 0;

    /// Returns the message's number in its protocol.
    pub const fn message(self) -> u8 {
        self.0 as u8
    }

    /// Returns the kind, bits 9:8.
    pub const fn kind(self) -> u8 {
        (self.0 >> 8 & 3) as u8
    }

    /// Returns the protocol, bits 17:10.
    pub const fn protocol(self) -> u8 {
        (self.0 >> 10) as u8
    }
}

/// What follows the header of a command: words, little-endian.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a>(pub &'a [u8]);

impl Parameters<'_> {
    /// Returns the parameters, of which there must be `N`.
    ///
    /// # Errors
    /// PROTOCOL_ERROR if there are more or fewer.
    pub fn words<const N: usize>(&self) -> Result<[u32; N], Error> {
        let (words, rest) = self.0.as_chunks::<4>();
        let words: &[[u8; 4]; N] = words.try_into().map_err(|_| Error::Protocol)?;
        if rest.is_empty() {
            Ok(words.map(u32::from_le_bytes))
        } else {
            Err(Error::Protocol)
        }
    }
}

/// What follows the status in an answer; empty at first.
#[derive(Debug)]
pub struct Reply<'a> {
    room: &'a mut [u8],
    used: usize,
}

impl<'a> Reply<'a> {
    /// An answer with this much room.
    pub fn new(room: &'a mut [u8]) -> Self {
        Reply { room, used: 0 }
    }

    /// Returns how many bytes the answer has.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Returns how many bytes there is still room for.
    pub fn left(&self) -> usize {
        self.room.len().saturating_sub(self.used)
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// PROTOCOL_ERROR if there is no room for all of them.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let free = self.room.get_mut(self.used..).unwrap_or_default();
        let place = free.get_mut(..bytes.len()).ok_or(Error::Protocol)?;
        place.copy_from_slice(bytes);
        self.used += bytes.len();
        Ok(())
    }

    /// Adds a word.
    ///
    /// # Errors
    /// PROTOCOL_ERROR if there is no room.
    pub fn word(&mut self, word: u32) -> Result<(), Error> {
        self.bytes(&word.to_le_bytes())
    }

    /// Adds two words, the lower half of `value` first.
    ///
    /// # Errors
    /// PROTOCOL_ERROR if there is no room.
    pub fn double(&mut self, value: u64) -> Result<(), Error> {
        self.bytes(&value.to_le_bytes())
    }

    /// Adds a name: 16 bytes, of which at least the last is NUL.
    ///
    /// # Errors
    /// PROTOCOL_ERROR if there is no room.
    pub fn name(&mut self, name: &str) -> Result<(), Error> {
        let mut text = [0; 16];
        for (to, from) in text[..15].iter_mut().zip(name.bytes()) {
            *to = from;
        }
        self.bytes(&text)
    }
}

/// One protocol.
pub trait Protocol: Sync {
    /// Returns its number.
    fn id(&self) -> u8;

    /// Returns the version that it speaks: the major one in bits 31:16, the minor one below.
    fn version(&self) -> u32;

    /// Returns what PROTOCOL_ATTRIBUTES answers.
    fn attributes(&self) -> u32;

    /// Tells whether it has message number `message`, beside those that each protocol has.
    fn has(&self, message: u8) -> bool;

    /// Serves a message that it has.
    ///
    /// # Errors
    /// The status of an answer that has nothing else, whatever is in `reply`.
    fn handle(
        &self,
        message: u8,
        parameters: Parameters<'_>,
        reply: &mut Reply<'_>,
        platform: &mut dyn Platform,
    ) -> Result<(), Error>;
}
