// SPDX-License-Identifier: Apache-2.0 OR MIT
//! PM_QUERY_DATA: which clocks there are and what they consist of.

use super::part::Kind;
use super::{find, output, table};
use crate::api::{Reply, Status, value};

/// The query for a name.
pub const NAME: u32 = 1;
const TOPOLOGY: u32 = 2;
const FIXED_FACTOR: u32 = 3;
const PARENTS: u32 = 4;
const ATTRIBUTES: u32 = 5;
const NUMBER_OF_CLOCKS: u32 = 12;
const MAX_DIVISOR: u32 = 13;

/// PARENTS: past the last.
const END: u32 = u32::MAX;
/// FIXED_FACTOR: the only one is a half.
const HALF: [u32; 3] = [1, 2, 0];

const VALID: u32 = 1;
const INPUT: u32 = 1 << 2;

/// Serves `[query, clock, index]`, but for [`NAME`].
pub fn serve([query, id, index, _]: [u32; 4]) -> Reply {
    match query {
        TOPOLOGY => topology(id, index),
        FIXED_FACTOR => fixed_factor(id),
        PARENTS => parents(id, index),
        ATTRIBUTES => attributes(id),
        NUMBER_OF_CLOCKS => value(table::IDS),
        MAX_DIVISOR => max_divisor(id, index),
        _ => Err(Status::NO_FEATURE),
    }
}

/// The name, which is empty where there is no clock.
pub fn name(id: u32) -> &'static str {
    let name = find(id).map(|(_, clock)| clock.name);
    name.or_else(|| table::input_name(id)).unwrap_or_default()
}

/// Three parts from number `index` on; zero is past the last.
fn topology(id: u32, index: u32) -> Reply {
    let (_, clock) = output(id)?;
    Ok(three(index, |n| {
        clock.parts.get(n).map_or(0, |part| part.0)
    }))
}

fn fixed_factor(id: u32) -> Reply {
    let (_, clock) = output(id)?;
    if clock.has(Kind::FixedFactor) {
        Ok(HALF)
    } else {
        Err(Status::ARGS)
    }
}

/// Three parents from number `index` on.
fn parents(id: u32, index: u32) -> Reply {
    let (_, clock) = output(id)?;
    Ok(three(index, |n| {
        clock.parents.get(n).copied().unwrap_or(END)
    }))
}

/// Whether there is such a clock, and whether it is an input of the chip.
fn attributes(id: u32) -> Reply {
    if id >= table::IDS {
        return Err(Status::ARGS);
    }
    value(match find(id) {
        Some(_) => VALID,
        None if table::input_name(id).is_some() => VALID | INPUT,
        None => 0,
    })
}

/// The largest divisor of one kind of divider, which has the number of the part.
fn max_divisor(id: u32, part: u32) -> Reply {
    let (_, clock) = output(id)?;
    let divides = [Kind::Div1, Kind::Div2].into_iter();
    let found = divides
        .filter(|&kind| clock.has(kind))
        .any(|kind| kind as u32 == part);
    if found {
        value(table::MAX_DIVIDER)
    } else {
        Err(Status::ARGS)
    }
}

fn three(index: u32, at: impl Fn(usize) -> u32) -> [u32; 3] {
    [0, 1, 2].map(|n| at((index as usize).saturating_add(n)))
}
