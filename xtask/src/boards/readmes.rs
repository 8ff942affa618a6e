// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The boards' READMEs list the functions that `board.toml` names, no more and no fewer.
//!
//! A table of functions is one whose first heading begins with "Function ID". In its first column, what
//! is in backticks is a function ID, or with a `-` between two of them a range that is claimed.

use std::collections::BTreeSet;

use fakemon_manifest::{Board, Window, standard};

use crate::workspace;

/// What the first column of a README's tables of functions lists.
#[derive(Debug, Default, PartialEq, Eq)]
struct Listed {
    functions: BTreeSet<u64>,
    ranges: Vec<(u64, u64)>,
}

impl Listed {
    fn read(markdown: &str) -> Result<Listed, String> {
        let mut listed = Listed::default();
        // Whether a table of functions goes on, if any does.
        let mut inside = None;
        for line in markdown.lines() {
            let Some(row) = line.strip_prefix('|') else {
                inside = None;
                continue;
            };
            let cell = row.split('|').next().unwrap_or_default().trim();
            if *inside.get_or_insert(cell.starts_with("Function ID")) {
                listed.add(cell)?;
            }
        }
        Ok(listed)
    }

    /// Takes in a cell, such as "`0x1`, `0x2`" or "others of `0x84000000`-`0x8400001f`".
    fn add(&mut self, cell: &str) -> Result<(), String> {
        let mut before = None;
        let mut parts = cell.split('`');
        let mut between = parts.next().unwrap_or_default();
        while let Some(text) = parts.next() {
            let id = number(text).ok_or_else(|| format!("`{text}` is no function ID"))?;
            match before.filter(|_| between == "-") {
                Some(first) => {
                    self.functions.remove(&first);
                    self.ranges.push((first, id));
                }
                None => {
                    self.functions.insert(id);
                }
            }
            before = Some(id);
            between = parts.next().unwrap_or_default();
        }
        Ok(())
    }

    /// What is wrong with the list.
    fn problems(&self, board: &Board) -> Vec<String> {
        let mut problems = Vec::new();
        let smccc = board.note.window != Window::Legacy32;
        let is_known = |id: &u64| {
            let standards = standard::function_name(*id).is_some();
            board.functions.contains_key(id) || smccc && standards
        };
        for id in self.functions.iter().filter(|id| !is_known(id)) {
            problems.push(format!("board.toml has no name for {id:#x}"));
        }
        for (id, name) in &board.functions {
            if !self.functions.contains(id) {
                problems.push(format!("README.md does not list {id:#x}, {name}"));
            }
        }
        for &(first, last) in &self.ranges {
            if !is_claimed(board, first, last) {
                problems.push(format!("board.toml does not claim {first:#x} to {last:#x}"));
            }
        }
        problems
    }
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Tells whether the board claims all of the range, in one range of its own or several that touch.
fn is_claimed(board: &Board, first: u64, last: u64) -> bool {
    let mut next = first;
    for range in &board.note.ranges {
        if (u64::from(range.first)..=u64::from(range.last)).contains(&next) {
            next = u64::from(range.last) + 1;
        }
    }
    first <= last && next > last
}

#[test]
fn the_boards_readmes_list_their_functions() {
    let mut problems = Vec::new();
    for board in workspace::boards().expect("good boards") {
        let path = workspace::board_dir(&board.name).join("README.md");
        let text = std::fs::read_to_string(path).expect("a README");
        let found = match Listed::read(&text) {
            Ok(listed) => listed.problems(&board),
            Err(problem) => vec![problem],
        };
        let name = &board.name;
        problems.extend(
            found
                .into_iter()
                .map(|problem| format!("{name}: {problem}")),
        );
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn functions_and_ranges_are_read_from_tables_of_functions_alone() {
    let text = "\
| Function ID, r0 | What |
|---|---|
| `0x10`, `17` | two |
| | the second again |
| others of `0x20`-`0x2f` | a range |

| Offset | What |
|---|---|
| `0x99` | a register |
";
    let expected = Listed {
        functions: [0x10, 17].into(),
        ranges: vec![(0x20, 0x2f)],
    };
    assert_eq!(Listed::read(text), Ok(expected));
    let error = Listed::read("| Function IDs |\n|---|\n| `0x10`, `ff` |");
    assert_eq!(error, Err("`ff` is no function ID".to_owned()));
}

#[test]
fn what_board_toml_does_not_say_is_found() {
    let board = workspace::board("armada8k").expect("a board");
    let problems = |text: &str| {
        let text = format!("| Function ID |\n|---|\n| {text} |\n");
        Listed::read(&text).expect("a table").problems(&board)
    };
    let all = "`0x82000001`, `0x82000002`";
    assert_eq!(problems(all), [""; 0]);
    let psci = format!("{all}, `0x84000000`-`0x8400001f`, `0x84000003`");
    assert_eq!(problems(&psci), [""; 0]);
    let more = format!("{all}, `0x82000007`, `0x84000000`-`0x84000020`");
    assert_eq!(
        problems(&more),
        [
            "board.toml has no name for 0x82000007",
            "board.toml does not claim 0x84000000 to 0x84000020"
        ]
    );
    assert_eq!(
        problems("`0x82000001`"),
        ["README.md does not list 0x82000002, SIP_COMPHY_POWER_OFF"]
    );
}
