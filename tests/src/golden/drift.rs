// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Calls that are not in the trace and cannot matter.

use std::fmt;

use fakemon_manifest::standard;

use super::call::{Call, list};
use super::file::Golden;
use super::line::Register;

/// Why a call may come that is not in the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The board does not serve it, and has said so.
    NotServed,
    /// It changes nothing.
    Query,
}

/// A kind of call that came more often than the trace has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    call: String,
    kind: Kind,
    count: usize,
}

impl Golden {
    /// Tells whether the call may come although the trace has it not, and as what.
    pub(super) fn drift(&self, call: &Call) -> Option<Drift> {
        let (kind, text) = if self.is_not_served(call) {
            (Kind::NotServed, call.name.clone())
        } else if self.is_query(call) && self.is_answered_as_ever(call) {
            let args = list(&call.args);
            (Kind::Query, format!("{}({args})", call.name))
        } else {
            return None;
        };
        Some(Drift {
            call: text,
            kind,
            count: 1,
        })
    }

    /// A function that the board has no name for, or one of a standard's, was refused, and the trace
    /// never has it served. What the board itself names it knows: there -1 may be an error as well.
    fn is_not_served(&self, call: &Call) -> bool {
        let refused = |value: u64| {
            // The caller of a 32-bit function looks at w0 alone.
            let narrow = call.id & 1 << 30 == 0 && value == u64::from(u32::MAX);
            narrow || value == u64::MAX || self.unserved.contains(&value)
        };
        let of_it = self.lines.iter().filter(|line| line.what.name == call.name);
        let never_served = of_it.map(|line| &line.results).all(|results| {
            let first = results.as_ref().and_then(|results| results.0.first());
            matches!(first, Some(Register::Is(value)) if refused(*value))
        });
        let first = call.results.as_ref().and_then(|results| results.first());
        !call.is_boards_own && never_served && first.is_some_and(|&value| refused(value))
    }

    fn is_query(&self, call: &Call) -> bool {
        standard::is_query(&call.name) || self.queries.iter().any(|what| what.means(call))
    }

    /// The call returned, and if the trace has it, with an answer that is there, too.
    fn is_answered_as_ever(&self, call: &Call) -> bool {
        let mut known = self
            .lines
            .iter()
            .filter(|line| line.what.means(call))
            .peekable();
        call.results.is_some() && (known.peek().is_none() || known.any(|line| line.matches(call)))
    }
}

/// Adds up drift of the same kind of call.
pub(super) fn sum(calls: impl Iterator<Item = Drift>) -> Vec<Drift> {
    let mut sums: Vec<Drift> = Vec::new();
    for one in calls {
        match sums
            .iter_mut()
            .find(|sum| sum.call == one.call && sum.kind == one.kind)
        {
            Some(sum) => sum.count += one.count,
            None => sums.push(one),
        }
    }
    sums
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Drift { call, count, .. } = self;
        let calls = if *count == 1 { "call" } else { "calls" };
        let kind = match self.kind {
            Kind::NotServed => "not served",
            Kind::Query => "a query more",
        };
        write!(f, "{call}, {count} {calls}, {kind}")
    }
}
