// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Boot and security control: 96 words of fuses, and a shadow of each that is loaded at reset.
//!
//! A fuse can be blown once and stays so, but for a reset: a board is made anew by that.

use fakemon_firmware::Lock;

use crate::status::{FAILED, INVALID_PARAMS, OK};

/// Request: returns a word's shadow.
pub const READ_SHADOW: u32 = 1;
/// Request: blows fuses of a word. Its shadow stays.
pub const PROGRAM: u32 = 2;
/// Request: changes a word's shadow. Its fuses stay.
pub const WRITE_SHADOW: u32 = 3;
/// Request: returns a word's fuses.
pub const READ_FUSES: u32 = 4;

/// Words.
pub const WORDS: usize = 96;
/// The first word with error correction, which is why it can be programmed only as a whole and
/// once. Before it each bit is a fuse of its own.
pub const FIRST_UPPER: usize = 32;

/// Word 0, CFG0: an open device.
const OPEN: u32 = 0x17;
/// Words 13 to 15: the chip's unique identity.
const IDENTITY: [u32; 3] = [0x0026_0031, 0x3338_510d, 0x3438_3330];

/// The service.
#[derive(Debug)]
pub struct Bsec(Lock<Words>);

#[derive(Clone, Copy, Debug)]
struct Words {
    fuses: [u32; WORDS],
    shadow: [u32; WORDS],
}

impl Bsec {
    /// The service as it comes out of reset.
    pub(crate) const fn new() -> Self {
        let mut fuses = [0; WORDS];
        fuses[0] = OPEN;
        [fuses[13], fuses[14], fuses[15]] = IDENTITY;
        Bsec(Lock::new(Words {
            fuses,
            shadow: fuses,
        }))
    }

    /// Serves `request` for word number `word`. The second result is the value for the caller, if
    /// that gets one.
    pub(crate) fn serve(&self, request: u32, word: u32, value: u32) -> (i32, Option<u32>) {
        let at = word as usize;
        self.0.with(|words| match request {
            READ_SHADOW => match words.shadow.get(at) {
                Some(shadow) => (OK, Some(*shadow)),
                None => (FAILED, None),
            },
            PROGRAM => (words.program(at, value), Some(0)),
            WRITE_SHADOW => match words.shadow.get_mut(at) {
                Some(shadow) => {
                    *shadow = value;
                    (OK, Some(0))
                }
                None => (FAILED, Some(0)),
            },
            READ_FUSES => match words.fuses.get(at) {
                Some(fuses) => (OK, Some(*fuses)),
                None => (FAILED, Some(0)),
            },
            _ => (INVALID_PARAMS, None),
        })
    }
}

impl Words {
    fn program(&mut self, at: usize, value: u32) -> i32 {
        match self.fuses.get_mut(at) {
            Some(fuses) if at < FIRST_UPPER || *fuses == 0 => {
                *fuses |= value;
                OK
            }
            _ => FAILED,
        }
    }
}
