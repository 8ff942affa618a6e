// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finds which call belongs to which line: the alignment with the fewest differences, and among
//! those the one with the least drift.

use super::call::Call;
use super::line::Line;

/// The first line and call that differ; past the last one where there are no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) line: usize,
    pub(super) call: usize,
}

/// One step of an alignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The call is the line's.
    Same,
    /// The call is one more of the `repeat` line before.
    Again,
    /// The call is drift.
    Drift,
    /// The call is of the line's function, and something else about it is another.
    Other,
    /// The call should not be there.
    More,
    /// The line's call is missing.
    Missing,
}

/// What a difference costs: more than all drift together.
const DIFFERENCE: u32 = 1 << 20;

impl Step {
    const ALL: [Step; 6] = [
        Step::Same,
        Step::Again,
        Step::Drift,
        Step::Other,
        Step::More,
        Step::Missing,
    ];

    fn cost(self) -> u32 {
        match self {
            Step::Same | Step::Again => 0,
            Step::Drift => 1,
            Step::Other | Step::More | Step::Missing => DIFFERENCE,
        }
    }

    /// How many lines and calls it uses up.
    fn uses(self) -> (usize, usize) {
        match self {
            Step::Same | Step::Other => (1, 1),
            Step::Again | Step::Drift | Step::More => (0, 1),
            Step::Missing => (1, 0),
        }
    }
}

/// Aligns calls to lines. Returns the calls that no line is for; `may_be_more` tells of
/// a call whether it may be such.
pub(super) fn align(
    lines: &[Line],
    calls: &[Call],
    may_be_more: impl Fn(&Call) -> bool,
) -> Result<Vec<usize>, Difference> {
    // What is the same at both ends, mostly all, needs no search.
    let same = |(line, call): &(&Line, &Call)| !line.repeat && line.matches(call);
    let first = lines.iter().zip(calls).take_while(same).count();
    let rest = lines[first..].iter().rev().zip(calls[first..].iter().rev());
    let last = rest.take_while(same).count();
    let (rows, columns) = (lines.len() - last - first, calls.len() - last - first);

    let drift: Vec<bool> = calls[first..first + columns]
        .iter()
        .map(may_be_more)
        .collect();

    let is_possible = |step: Step, row: usize, column: usize| {
        let (line, call) = (first + row, first + column);
        let (lines_used, calls_used) = step.uses();
        row + lines_used <= rows
            && column + calls_used <= columns
            && match step {
                Step::Same => lines[line].matches(&calls[call]),
                Step::Again => {
                    line > 0 && lines[line - 1].repeat && lines[line - 1].matches(&calls[call])
                }
                Step::Drift => drift[column],
                Step::Other => lines[line].what.name == calls[call].name,
                Step::More | Step::Missing => true,
            }
    };
    // The cost from each place to the end.
    let mut costs = vec![vec![0; columns + 1]; rows + 1];
    let cheapest = |costs: &[Vec<u32>], row: usize, column: usize| {
        let possible = Step::ALL
            .into_iter()
            .filter(|&step| is_possible(step, row, column));
        possible
            .map(|step| {
                let (lines_used, calls_used) = step.uses();
                (
                    // The first of thousands of differences is as good to tell.
                    step.cost()
                        .saturating_add(costs[row + lines_used][column + calls_used]),
                    step,
                )
            })
            .min_by_key(|(cost, _)| *cost)
    };
    for row in (0..=rows).rev() {
        for column in (0..=columns).rev() {
            if let Some((cost, _)) = cheapest(&costs, row, column) {
                costs[row][column] = cost;
            }
        }
    }

    let (mut row, mut column) = (0, 0);
    let mut more = Vec::new();
    while let Some((_, step)) = cheapest(&costs, row, column) {
        if step.cost() >= DIFFERENCE {
            return Err(Difference {
                line: first + row,
                call: first + column,
            });
        }
        if step == Step::Drift {
            more.push(first + column);
        }
        let (lines_used, calls_used) = step.uses();
        row += lines_used;
        column += calls_used;
    }
    Ok(more)
}
