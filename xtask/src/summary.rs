// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Adds up what test programs print.

use std::fmt;

/// The sum over all test programs so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    passed: u64,
    failed: u64,
    skipped: u64,
    /// What failed, for the end of the log.
    failures: Vec<String>,
    /// What was skipped, and why.
    skips: Vec<String>,
}

impl Summary {
    /// Takes in one line of a program that runs in `place`.
    pub(crate) fn read(&mut self, place: &str, line: &str) {
        if let Some((passed, failed, ignored)) = parse_result(line) {
            self.passed += passed;
            self.failed += failed;
            self.skipped += ignored;
        } else if let Some((name, outcome)) = parse_test(line) {
            if outcome.starts_with("FAILED") {
                self.failures.push(format!("{place}: {name}"));
            } else if let Some(reason) = outcome.strip_prefix("ignored") {
                let reason = reason.trim_start_matches([',', ' ']);
                self.skips.push(format!("{place}: {name}: {reason}"));
            }
        }
    }

    /// Counts a failure that is not a test's.
    pub(crate) fn fail(&mut self, what: String) {
        self.failed += 1;
        self.failures.push(what);
    }

    /// How many have failed so far.
    pub(crate) fn failed(&self) -> u64 {
        self.failed
    }

    /// Lists failures and skips, then the sum as the last line.
    pub(crate) fn print(&self) {
        for skip in &self.skips {
            println!("skipped: {skip}");
        }
        for failure in &self.failures {
            println!("failed: {failure}");
        }
        println!("{self}");
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary {
            passed,
            failed,
            skipped,
            ..
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// The numbers in `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
fn parse_result(line: &str) -> Option<(u64, u64, u64)> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let count = |what: &str| {
        let count = counts
            .split("; ")
            .find_map(|count| count.trim().strip_suffix(what));
        count.and_then(|count| count.trim().parse().ok())
    };
    Some((count("passed")?, count("failed")?, count("ignored")?))
}

/// The parts of `test some::name ... outcome`.
fn parse_test(line: &str) -> Option<(&str, &str)> {
    let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
    Some((name.trim(), outcome.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_all_programs_are_added_up() {
        let mut summary = Summary::default();
        for line in [
            "running 3 tests",
            "test a ... ok",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out; finished in 0.00s",
            "test b          ... FAILED",
            "test c ... ignored, needs a GICv2",
            "test result: FAILED. 10 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out",
        ] {
            summary.read("max", line);
        }
        assert_eq!(summary.to_string(), "13 passed, 1 failed, 1 skipped");
        assert_eq!(summary.failures, ["max: b"]);
        assert_eq!(summary.skips, ["max: c: needs a GICv2"]);
    }

    #[test]
    fn what_a_guest_prints_is_no_result() {
        let mut summary = Summary::default();
        for line in [
            "",
            "test",
            "test result: odd",
            "testing 1 ... 2",
            "test result: ok. x passed",
        ] {
            summary.read("max", line);
        }
        assert_eq!(summary, Summary::default());
    }

    #[test]
    fn a_program_that_broke_is_a_failure() {
        let mut summary = Summary::default();
        summary.fail("clippy".to_owned());
        assert_eq!(summary.failed(), 1);
        assert_eq!(summary.to_string(), "0 passed, 1 failed, 0 skipped");
    }
}
