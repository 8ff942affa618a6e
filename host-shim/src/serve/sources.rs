// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Time and randomness of the machine that this runs on.

use std::time::{SystemTime, UNIX_EPOCH};

use fakemon_abi::status::INTERNAL_FAILURE;

use crate::clock::boottime_ns;
use crate::entropy::entropy;
use crate::request::{Reply, Request};

impl Reply {
    /// The answer of the host's own clocks and random numbers to [`Request::Time`] and
    /// [`Request::Entropy`], for a VMM that has no others. To any other request it is
    /// [`not_supported`](Self::not_supported).
    pub fn of_host(request: &Request) -> Reply {
        match *request {
            Request::Time => {
                let (monotonic, real) = time();
                Reply::values([monotonic, real, 0, 0])
            }
            Request::Entropy { words } => {
                let mut values = [0; 4];
                let asked = words.min(values.len());
                match entropy(&mut values[..asked]) {
                    true => Reply::values(values),
                    false => Reply::status(INTERNAL_FAILURE),
                }
            }
            _ => Reply::not_supported(),
        }
    }
}

/// Nanoseconds since the host has booted, its sleep included, and since 1970.
pub(crate) fn time() -> (u64, u64) {
    let real = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    (boottime_ns(), real.as_nanos() as u64)
}
