// SPDX-License-Identifier: Apache-2.0 OR MIT
//! PM_QUERY_DATA: what the chip consists of, clocks and pins.
//!
//! The reply to a query for a name is 16 letters and no status; that to any other has its status in
//! the first word.

use crate::api::{Reply, Status};
use crate::{clocks, pins};

/// Serves `[query, what, index]`.
pub(crate) fn serve(arg: [u32; 4]) -> [u32; 4] {
    match arg[0] {
        clocks::query::NAME => letters(clocks::query::name(arg[1]).as_bytes()),
        pins::query::NAME => letters(pins::query::name(arg[1])),
        6..=11 => reply(pins::query::serve(arg)),
        _ => reply(clocks::query::serve(arg)),
    }
}

fn reply(reply: Reply) -> [u32; 4] {
    match reply {
        Ok([a, b, c]) => [Status::SUCCESS.0, a, b, c],
        Err(status) => [status.0, 0, 0, 0],
    }
}

/// A name of 16 letters at most, the first in the lowest byte.
fn letters(name: &[u8]) -> [u32; 4] {
    let mut words = [0; 4];
    for (n, letter) in name.iter().enumerate() {
        if let Some(word) = words.get_mut(n / 4) {
            *word |= u32::from(*letter) << (8 * (n % 4));
        }
    }
    words
}
