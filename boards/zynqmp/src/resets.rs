// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reset lines: 120 of them, each asserted or released.
//!
//! Numbers from Linux' include/linux/firmware/xlnx-zynqmp.h.

use fakemon_firmware::{Call, Lock};

use crate::api::{DONE, Reply, Status, value};

/// The first line.
pub const FIRST: u32 = 1000;
/// The last line.
pub const LAST: u32 = 1119;

const RELEASE: u32 = 0;
const ASSERT: u32 = 1;
const PULSE: u32 = 2;

/// Resets the whole machine.
const SOFT: u32 = 1028;
/// Resets all but the programmable logic, which this machine does not have.
const PS_ONLY: u32 = 1114;

/// Lines that would stop the caller itself: its CPUs (1017 to 1025) and memory (1026), the domain
/// that they are in (1071), and PLLs (1076 to 1080), which only the clock functions stop.
const FORBIDDEN: [core::ops::RangeInclusive<u32>; 3] = [1017..=1026, 1071..=1071, 1076..=1080];

/// The real-time processors and their interconnect, which the boot loader leaves in reset.
const ASSERTED_AT_BOOT: [u32; 3] = [1054, 1055, 1056];

const LINES: usize = (LAST - FIRST + 1) as usize;

/// The lines; true is asserted.
#[derive(Debug)]
pub struct Resets(Lock<[bool; LINES]>);

impl Resets {
    /// As the boot loader leaves them.
    pub const fn new() -> Self {
        let mut lines = [false; LINES];
        let mut n = 0;
        while n < ASSERTED_AT_BOOT.len() {
            lines[(ASSERTED_AT_BOOT[n] - FIRST) as usize] = true;
            n += 1;
        }
        Resets(Lock::new(lines))
    }

    /// RESET_ASSERT(line, action).
    pub fn act(&self, line: u32, action: u32, call: &mut Call<'_>) -> Reply {
        let at = place(line)?;
        if action > PULSE {
            return Err(Status::INVALID_PARAM);
        }
        if FORBIDDEN.iter().any(|lines| lines.contains(&line)) {
            return Err(Status::NO_ACCESS);
        }
        if (line == SOFT || line == PS_ONLY) && action != RELEASE {
            call.platform().system_reset(0, 0);
            return Err(Status::NO_ACCESS);
        }
        self.0.with(|lines| lines[at] = action == ASSERT);
        DONE
    }

    /// RESET_GET_STATUS(line): 1 if it is asserted.
    pub fn status(&self, line: u32) -> Reply {
        let at = place(line)?;
        value(self.0.with(|lines| u32::from(lines[at])))
    }
}

impl Default for Resets {
    fn default() -> Self {
        Resets::new()
    }
}

fn place(line: u32) -> Result<usize, Status> {
    if (FIRST..=LAST).contains(&line) {
        Ok((line - FIRST) as usize)
    } else {
        Err(Status::INVALID_PARAM)
    }
}
