// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The rule on the real traces: the calls of each board's golden trace, of the longest not all, are
//! changed in each way, and what matters is a difference, at its place, while what does not is drift.

use std::path::Path;

use fakemon_manifest::Board;

use super::*;
use crate::golden::line::{Line, Register, Registers};

/// What a `*` stands for here.
const ANY: u64 = 0x1234_5678_9abc;
/// What nothing in a trace is.
const STRANGE: u64 = 0x5eed_5eed_5eed;
/// A trace longer than this is changed at every `n`th call, so that there are about as many.
const MANY: usize = 100;

/// Kernels on either side of the ranges that are in traces.
const KERNELS: [&str; 3] = ["6.12.107", "6.12.117", "7.3.4"];

/// A board's golden trace for some kernel, and calls as it wants them.
struct Boot {
    board: Board,
    golden: Golden,
    calls: Vec<Call>,
}

impl Boot {
    fn all() -> Vec<Boot> {
        let boards = Path::new(env!("CARGO_MANIFEST_DIR")).join("../boards");
        let entries = std::fs::read_dir(boards).expect("the boards");
        let boots: Vec<Boot> = entries
            .flat_map(|entry| Boot::load(&entry.expect("an entry").path()))
            .collect();
        assert!(!boots.is_empty());
        boots
    }

    /// One for each kernel for which the trace is another.
    fn load(dir: &Path) -> Vec<Boot> {
        let board = Board::load(dir).expect("a good board.toml");
        let text = std::fs::read_to_string(dir.join("golden.trace")).expect("a golden.trace");
        let mut boots: Vec<Boot> = Vec::new();
        for kernel in KERNELS {
            let kernel = kernel.parse().expect("a version");
            let golden = Golden::parse(&text, true, Some(kernel)).expect("a good golden.trace");
            if boots.iter().all(|boot| boot.golden != golden) {
                let calls = golden.lines.iter().map(|line| made(&board, line)).collect();
                boots.push(Boot {
                    board: board.clone(),
                    golden,
                    calls,
                });
            }
        }
        boots
    }

    /// The places that are changed.
    fn places(&self) -> impl Iterator<Item = usize> + use<> {
        (0..self.calls.len()).step_by(1 + self.calls.len() / MANY)
    }

    /// Compares the calls with a change.
    fn with(&self, change: impl FnOnce(&mut Vec<Call>)) -> Result<Vec<String>, String> {
        let mut calls = self.calls.clone();
        change(&mut calls);
        let drift = self.golden.compare(calls)?;
        Ok(drift.iter().map(Drift::to_string).collect())
    }

    /// With this change to the calls, the call at `at` is the first that differs from its line.
    #[track_caller]
    fn differs(&self, at: usize, change: impl FnOnce(&mut Vec<Call>)) {
        let expected = self.golden.lines.get(at).map_or(AT_END, |line| &line.text);
        let start = format!("call {}: expected {expected}, got ", at + 1);
        let error = self.with(change).expect_err("this matters");
        assert!(
            error.starts_with(&start),
            "{}: {start}: {error}",
            self.board.name
        );
    }

    /// This change to the calls is a difference, wherever it shows.
    #[track_caller]
    fn fails(&self, change: impl FnOnce(&mut Vec<Call>)) {
        let name = &self.board.name;
        let error = self.with(change).expect_err(name);
        assert!(error.starts_with("call "), "{name}: {error}");
    }

    /// This change to the calls is this drift.
    #[track_caller]
    fn drifts(&self, drift: &str, change: impl FnOnce(&mut Vec<Call>)) {
        let found = self.with(change);
        assert_eq!(found, Ok(vec![drift.to_owned()]), "{}", self.board.name);
    }

    /// A call of a function that the board has no name for.
    fn unknown(&self, answer: u64) -> Call {
        let id = (0xc200_7700..).find(|&id| self.board.function_name(&[id; 13]).is_none());
        let id = id.expect("not all have names");
        Call {
            id,
            name: format!("{id:#x}"),
            is_boards_own: false,
            args: vec![ANY],
            results: Some(vec![answer]),
        }
    }

    fn is_query(&self, call: &Call) -> bool {
        let by_standard = fakemon_manifest::standard::is_query(&call.name);
        by_standard || self.golden.queries.iter().any(|what| what.means(call))
    }
}

/// A call as the line wants it.
fn made(board: &Board, line: &Line) -> Call {
    let own = board
        .functions
        .iter()
        .find(|(_, name)| **name == line.what.name);
    Call {
        id: own.map_or(0, |(id, _)| *id),
        name: line.what.name.clone(),
        is_boards_own: own.is_some(),
        args: line.what.args.as_ref().map_or(Vec::new(), values),
        results: line.results.as_ref().map(values),
    }
}

fn values(registers: &Registers) -> Vec<u64> {
    let value = |register: &Register| match register {
        Register::Is(value) => Some(*value),
        Register::Any => Some(ANY),
        Register::Rest => None,
    };
    registers.0.iter().filter_map(value).collect()
}

/// The registers with each in turn that counts made strange, and with one more if that counts.
fn strange(registers: &Registers) -> Vec<Vec<u64>> {
    let values = values(registers);
    let counts = |at: &usize| matches!(registers.0.get(*at), None | Some(Register::Is(_)));
    let last = values.len() + usize::from(!registers.0.contains(&Register::Rest));
    (0..last)
        .filter(counts)
        .map(|at| {
            let mut changed = values.clone();
            changed.resize(changed.len().max(at + 1), 0);
            changed[at] = STRANGE;
            changed
        })
        .collect()
}

#[test]
fn each_trace_is_its_own_boot() {
    for boot in Boot::all() {
        assert_eq!(boot.with(|_| {}), Ok(Vec::new()), "{}", boot.board.name);
    }
}

#[test]
fn every_query_is_a_function_of_its_board() {
    for boot in Boot::all() {
        for query in &boot.golden.queries {
            let mut names = boot.board.functions.values();
            assert!(names.any(|name| *name == query.name), "{}", query.name);
        }
    }
}

#[test]
fn a_missing_call_is_a_difference() {
    for boot in Boot::all() {
        for at in boot.places() {
            let error = boot.with(|calls| drop(calls.remove(at)));
            let expected = format!(": expected {}, got ", boot.golden.lines[at].text);
            let error = error.expect_err("this matters");
            assert!(error.contains(&expected), "{}: {error}", boot.board.name);
        }
    }
}

#[test]
fn another_argument_or_answer_is_a_difference() {
    for boot in Boot::all() {
        for at in boot.places() {
            let line = &boot.golden.lines[at];
            for args in line.what.args.iter().flat_map(strange) {
                boot.differs(at, |calls| calls[at].args = args);
            }
            for results in line.results.iter().flat_map(strange) {
                boot.differs(at, |calls| calls[at].results = Some(results));
            }
            boot.differs(at, |calls| {
                let results = &mut calls[at].results;
                *results = results.is_none().then(Vec::new);
            });
            boot.fails(|calls| calls[at].name.push_str("_OTHER"));
        }
    }
}

#[test]
fn another_order_is_a_difference() {
    let mut swapped = 0;
    for boot in Boot::all() {
        let lines = &boot.golden.lines;
        for at in boot.places().skip(1) {
            let (one, two) = (&boot.calls[at - 1], &boot.calls[at]);
            if !(lines[at].matches(one) && lines[at - 1].matches(two)) {
                boot.fails(|calls| calls.swap(at - 1, at));
                swapped += 1;
            }
        }
    }
    assert!(swapped > 0);
}

#[test]
fn a_call_that_is_not_served_is_drift_if_it_is_refused() {
    for boot in Boot::all() {
        let refused = boot.unknown(u64::MAX);
        let drift = format!("{}, 1 call, not served", refused.name);
        let twice = format!("{}, 2 calls, not served", refused.name);
        for at in boot.places().chain([boot.calls.len()]) {
            boot.drifts(&drift, |calls| calls.insert(at, refused.clone()));
            boot.drifts(&twice, |calls| {
                calls.insert(at, refused.clone());
                calls.insert(at.saturating_sub(3), refused.clone());
            });
            for answer in [0, 1, STRANGE] {
                let served = boot.unknown(answer);
                boot.differs(at, |calls| calls.insert(at, served));
            }
            for answer in &boot.golden.unserved {
                let refused = boot.unknown(*answer);
                boot.drifts(&drift, |calls| calls.insert(at, refused));
            }
        }
    }
}

#[test]
fn a_query_more_is_drift_and_another_call_more_is_not() {
    let (mut queries, mut others) = (0, 0);
    for boot in Boot::all() {
        for at in boot.places().filter(|&at| !boot.golden.lines[at].repeat) {
            let call = &boot.calls[at];
            let again = |calls: &mut Vec<Call>| calls.insert(at, call.clone());
            if boot.is_query(call) {
                let args = call::list(&call.args);
                boot.drifts(
                    &format!("{}({args}), 1 call, a query more", call.name),
                    again,
                );
                let mut wrong = call.clone();
                wrong.results = Some(vec![STRANGE; 20]);
                boot.fails(|calls| calls.insert(at, wrong));
                queries += 1;
            } else {
                boot.fails(again);
                let mut refused = call.clone();
                refused.results = Some(vec![u64::MAX]);
                boot.fails(|calls| calls.insert(at, refused));
                others += 1;
            }
        }
    }
    assert!(queries > 0 && others > 0);
}
