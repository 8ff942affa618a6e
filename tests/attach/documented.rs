// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The table of docs/attach.md names each of these tests once, and no other.

use std::collections::BTreeMap;

/// The page.
const PAGE: &str = include_str!("../../docs/attach.md");
/// The heading of the table's section.
const HEADING: &str = "## What was run";

/// Compares the table with the names of the tests.
pub(crate) fn names(tests: &[String]) -> Result<(), String> {
    let (_, section) = PAGE.split_once(HEADING).ok_or("there is no such section")?;
    let (section, _) = section.split_once("\n## ").unwrap_or((section, ""));
    let rows = section.lines().filter(|line| line.starts_with('|'));
    let mut named = BTreeMap::new();
    for row in rows {
        // The first cell is prose.
        let cells = row.trim_start_matches('|').split_once('|');
        let cells = cells.map_or("", |(_, cells)| cells);
        for name in cells.split('`').skip(1).step_by(2) {
            *named.entry(name).or_insert(0) += 1;
        }
    }
    for test in tests {
        match named.remove(test.as_str()) {
            Some(1) => {}
            times => {
                return Err(format!(
                    "{test} is in the table {} times",
                    times.unwrap_or(0)
                ));
            }
        }
    }
    match named.keys().next() {
        Some(name) => Err(format!("the table names {name}, which there is not")),
        None => Ok(()),
    }
}
