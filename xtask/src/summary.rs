// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Adds up what test programs print.

use std::fmt;

use fakemon_manifest::Board;

/// The sum over all test programs so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    passed: u64,
    failed: u64,
    skipped: u64,
    /// The boots of boards that went well: name, calls, seconds.
    boots: Vec<(String, String, String)>,
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
        } else {
            self.boots.extend(parse_boot(line));
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

    /// Shows the boots of `boards`, failures and skips, then the sum as the last line.
    pub(crate) fn print(&self, boards: &[Board]) {
        if !self.boots.is_empty() {
            print!("{}", self.table(boards));
        }
        for skip in &self.skips {
            println!("skipped: {skip}");
        }
        for failure in &self.failures {
            println!("failed: {failure}");
        }
        println!("{self}");
    }
}

impl Summary {
    /// One line for each boot: board, families, kernel, calls seen, seconds.
    fn table(&self, boards: &[Board]) -> String {
        let mut rows = vec![["board", "families", "kernel", "calls", "seconds"].map(str::to_owned)];
        for (name, calls, seconds) in &self.boots {
            let board = boards.iter().find(|board| board.name == *name);
            let families = board.map_or(String::new(), |board| board.families.join(" "));
            let kernel = board.map_or(String::new(), |board| board.guest.kernel.clone());
            rows.push([
                name.clone(),
                families,
                kernel,
                calls.clone(),
                seconds.clone(),
            ]);
        }
        rows[1..].sort();
        let widths: [usize; 5] =
            std::array::from_fn(|n| rows.iter().map(|row| row[n].len()).max().unwrap_or(0));
        let line = |[name, families, kernel, calls, seconds]: &[String; 5]| {
            let [a, b, c, d, e] = widths;
            format!("{name:a$}  {families:b$}  {kernel:c$}  {calls:>d$}  {seconds:>e$}\n")
        };
        rows.iter().map(line).collect()
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

/// The parts of `board NAME: N calls in S s`, which the boot tests print.
fn parse_boot(line: &str) -> Option<(String, String, String)> {
    let (name, rest) = line.strip_prefix("board ")?.split_once(": ")?;
    let (calls, seconds) = rest.strip_suffix(" s")?.split_once(" calls in ")?;
    Some((name.to_owned(), calls.to_owned(), seconds.to_owned()))
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
    fn boots_become_a_table() {
        let mut summary = Summary::default();
        summary.read("max", "board virt: 31 calls in 12.5 s");
        summary.read("max", "board b: 7 calls in 9.0 s");
        assert_eq!(
            summary.table(&[]),
            "board  families  kernel  calls  seconds\n\
             b                            7      9.0\n\
             virt                        31     12.5\n"
        );
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
