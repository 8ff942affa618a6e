// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kernel's side of an SCMI channel in shared memory, for tests.

use std::vec::Vec;

use crate::fake::FakePlatform;
use crate::platform::Platform;

/// Token of each message, which must come back.
const TOKEN: u32 = 0x2a5;

/// The word of a command's header.
pub fn header(protocol: u8, message: u8) -> u32 {
    TOKEN << 18 | u32::from(protocol) << 10 | u32::from(message)
}

/// Puts words into the area at `base` as a caller does that takes the channel and sends them as
/// header and parameters, with `length` for their length in bytes.
///
/// # Panics
/// If they do not fit into guest memory.
pub fn put(platform: &mut FakePlatform, base: u64, length: u32, words: &[u32]) {
    let words = [0, 0, 0, 0, 0, length]
        .into_iter()
        .chain(words.iter().copied());
    let bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
    platform.write_memory(base, &bytes).expect("guest memory");
    platform.written.clear();
}

/// Sends a command through the area at `base`, rings, and returns the status and what follows it.
///
/// # Panics
/// If the answer is not of the right form.
pub fn send(
    platform: &mut FakePlatform,
    base: u64,
    (protocol, message): (u8, u8),
    parameters: &[u32],
    ring: impl FnOnce(&mut FakePlatform),
) -> (i32, Vec<u8>) {
    let header = header(protocol, message);
    let words: Vec<u32> = [header].iter().chain(parameters).copied().collect();
    put(platform, base, 4 * words.len() as u32, &words);
    ring(platform);
    let word = |offset| platform.memory_word(base + offset);
    assert_eq!(word(0x4), 1, "the channel is free");
    assert_eq!(word(0x18), header, "the answer is to this message");
    let (length, status) = (word(0x14) as usize, word(0x1c).cast_signed());
    assert!(length >= 8, "the answer has a status");
    assert!(
        status == 0 || length == 8,
        "an error has no more than a status"
    );
    (status, platform.memory(base + 0x20, length - 8))
}

impl FakePlatform {
    /// Returns a word of guest memory.
    ///
    /// # Panics
    /// Where there is none.
    pub fn memory_word(&self, address: u64) -> u32 {
        let bytes = self.memory(address, 4);
        u32::from_le_bytes(bytes.try_into().expect("four bytes"))
    }
}
