// SPDX-License-Identifier: Apache-2.0 OR MIT
//! PM_QUERY_DATA: which functions pins can have, and in which groups.
//!
//! A reply has six groups, from number `index` on. Rules from TF-A's pm_api_pinctrl.c; it lists a
//! pin's groups by how the multiplexer is set for them, which nobody needs to know, and here they
//! are in the order of their functions.

use core::slice;

use super::table::{FUNCTIONS, Function, PINS};
use crate::api::{Reply, Status, value};

const NUMBER_OF_PINS: u32 = 6;
const NUMBER_OF_FUNCTIONS: u32 = 7;
const NUMBER_OF_GROUPS: u32 = 8;
/// The query for a function's name.
pub const NAME: u32 = 9;
const GROUPS_OF_FUNCTION: u32 = 10;
const GROUPS_OF_PIN: u32 = 11;

/// What the name is of a function that is not there.
const NO_NAME: &[u8] = b"END_OF_FUNCTION";
/// There are no more groups.
const END: u16 = u16::MAX;

/// Serves `[query, function or pin, index]`, but for [`NAME`].
pub fn serve([query, id, index, _]: [u32; 4]) -> Reply {
    match query {
        NUMBER_OF_PINS => value(PINS as u32),
        NUMBER_OF_FUNCTIONS => value(FUNCTIONS.len() as u32),
        NUMBER_OF_GROUPS => value(function(id)?.count()),
        GROUPS_OF_FUNCTION => {
            let function = function(id)?;
            Ok(six(index, slice::from_ref(function), |_, _| true))
        }
        GROUPS_OF_PIN if id < PINS as u32 => Ok(six(index, &FUNCTIONS, |function, place| {
            function.has(place, id)
        })),
        GROUPS_OF_PIN => Err(Status::ARGS),
        _ => Err(Status::NO_FEATURE),
    }
}

/// The letters of a function's name.
pub fn name(id: u32) -> &'static [u8] {
    function(id).map_or(NO_NAME, |function| &function.name)
}

fn function(id: u32) -> Result<&'static Function, Status> {
    FUNCTIONS.get(id as usize).ok_or(Status::ARGS)
}

/// Six groups that are meant, from number `index` on.
fn six(index: u32, functions: &[Function], meant: impl Fn(&Function, u32) -> bool) -> [u32; 3] {
    let mut found = [END; 6];
    let mut number = 0;
    for function in functions {
        for place in (0..function.count()).filter(|&place| meant(function, place)) {
            let at = u32::checked_sub(number, index);
            if let Some(group) = at.and_then(|at| found.get_mut(at as usize)) {
                *group = function.first + place as u16;
            }
            number += 1;
        }
    }
    let [a, b, c, d, e, f] = found.map(u32::from);
    [a | b << 16, c | d << 16, e | f << 16]
}
