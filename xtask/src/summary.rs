// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Adds up what test programs print.

use std::fmt;

use fakemon_host::Engine;
use fakemon_manifest::Board;

/// Where a test program runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The program and its host.
    pub(crate) name: String,
    /// Who carries calls there, if the program makes any.
    pub(crate) engine: Option<Engine>,
    /// The guests' kernel, if it is not their boards' own.
    pub(crate) kernel: Option<String>,
}

impl Place {
    /// On this machine and without KVM.
    pub(crate) fn host() -> Place {
        Place {
            name: "host".to_owned(),
            engine: None,
            kernel: None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(engine) = self.engine {
            write!(f, ", {} engine", engine)?;
        }
        match &self.kernel {
            Some(kernel) => write!(f, ", kernel {kernel}"),
            None => Ok(()),
        }
    }
}

/// A boot that went well.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Boot {
    board: String,
    kernel: String,
    engine: Option<Engine>,
    calls: String,
    seconds: String,
}

/// The sum over all test programs so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    passed: u64,
    failed: u64,
    skipped: u64,
    /// The boots of boards that went well.
    boots: Vec<Boot>,
    /// Calls that kernels made more than golden traces have, as `BOARD: CALL`, once each.
    drift: Vec<String>,
    /// What failed, for the end of the log.
    failures: Vec<String>,
    /// What was skipped, and why.
    skips: Vec<String>,
    /// What is worth knowing and decides nothing.
    notes: Vec<String>,
}

impl Summary {
    /// Takes in one line of a program that runs in `place`.
    pub(crate) fn read(&mut self, place: &Place, line: &str) {
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
        } else if let Some(drift) = line.strip_prefix("drift ") {
            // The same on the other host and engine is no news.
            if !self.drift.iter().any(|known| known == drift) {
                self.drift.push(drift.to_owned());
            }
        } else {
            self.boots.extend(parse_boot(place, line));
        }
    }

    /// Counts a test that passed.
    pub(crate) fn pass(&mut self) {
        self.passed += 1;
    }

    /// Keeps the failure of what did not go well.
    pub(crate) fn require(&mut self, name: &str, went_well: bool) {
        if !went_well {
            self.fail(name.to_owned());
        }
    }

    /// Counts a failure that is not a test program's.
    pub(crate) fn fail(&mut self, what: String) {
        self.failed += 1;
        self.failures.push(what);
    }

    /// Counts something that could not be tested here.
    pub(crate) fn skip(&mut self, what: String) {
        self.skipped += 1;
        self.skips.push(what);
    }

    /// Keeps something for the end of the log that is no result.
    pub(crate) fn note(&mut self, what: String) {
        self.notes.push(what);
    }

    /// How many have failed so far.
    pub(crate) fn failed(&self) -> u64 {
        self.failed
    }

    /// Shows the boots of `boards`, drift, skips and failures, then the sum as the last line.
    pub(crate) fn print(&self, boards: &[Board]) {
        if !self.boots.is_empty() {
            print!("{}", self.table(boards));
        }
        for note in &self.notes {
            println!("note: {note}");
        }
        for drift in &self.drift {
            println!("drift: {drift}");
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
    /// One line for each boot: board, families, kernel, engine if there was more than one, calls
    /// seen, seconds.
    fn table(&self, boards: &[Board]) -> String {
        let engines = self.boots.iter().map(|boot| boot.engine);
        let several = engines.clone().any(|engine| engine != self.boots[0].engine);
        let heads = ["board", "families", "kernel", "engine", "calls", "seconds"];
        let mut rows = vec![heads.map(str::to_owned)];
        for boot in &self.boots {
            let board = boards.iter().find(|board| board.name == boot.board);
            rows.push([
                boot.board.clone(),
                board.map_or(String::new(), |board| board.families.join(" ")),
                boot.kernel.clone(),
                boot.engine
                    .map_or_else(String::new, |engine| engine.to_string()),
                boot.calls.clone(),
                boot.seconds.clone(),
            ]);
        }
        rows[1..].sort();
        let widths: [usize; 6] =
            std::array::from_fn(|n| rows.iter().map(|row| row[n].len()).max().unwrap_or(0));
        let line = |[name, families, kernel, engine, calls, seconds]: &[String; 6]| {
            let [a, b, c, d, e, f] = widths;
            let engine = if several {
                format!("{engine:d$}  ")
            } else {
                String::new()
            };
            format!("{name:a$}  {families:b$}  {kernel:c$}  {engine}{calls:>e$}  {seconds:>f$}\n")
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

/// The parts of `board NAME on KERNEL: N calls in S s`, which the boot tests print.
fn parse_boot(place: &Place, line: &str) -> Option<Boot> {
    let (boot, rest) = line.strip_prefix("board ")?.split_once(": ")?;
    let (board, kernel) = boot.split_once(" on ")?;
    let (calls, seconds) = rest.strip_suffix(" s")?.split_once(" calls in ")?;
    Some(Boot {
        board: board.to_owned(),
        kernel: kernel.to_owned(),
        engine: place.engine,
        calls: calls.to_owned(),
        seconds: seconds.to_owned(),
    })
}

/// The parts of `test some::name ... outcome`.
fn parse_test(line: &str) -> Option<(&str, &str)> {
    let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
    Some((name.trim(), outcome.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_max(engine: Engine) -> Place {
        Place {
            name: "boot on max".to_owned(),
            engine: Some(engine),
            kernel: None,
        }
    }

    #[test]
    fn results_of_all_programs_are_added_up() {
        let mut summary = Summary::default();
        let place = on_max(Engine::Kernel);
        for line in [
            "running 3 tests",
            "test a ... ok",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out; finished in 0.00s",
            "test b          ... FAILED",
            "test c ... ignored, needs a GICv2",
            "test result: FAILED. 10 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out",
        ] {
            summary.read(&place, line);
        }
        assert_eq!(summary.to_string(), "13 passed, 1 failed, 1 skipped");
        assert_eq!(summary.failures, ["boot on max, kernel engine: b"]);
        assert_eq!(
            summary.skips,
            ["boot on max, kernel engine: c: needs a GICv2"]
        );
        summary.read(&Place::host(), "test d ... FAILED");
        assert_eq!(summary.failures[1], "host: d");
    }

    #[test]
    fn boots_become_a_table() {
        let mut summary = Summary::default();
        let place = on_max(Engine::Userspace);
        summary.read(&place, "board virt on Linux 7.3.4: 31 calls in 12.5 s");
        summary.read(&place, "board b on replay: 7 calls in 9.0 s");
        assert_eq!(
            summary.table(&[]),
            "board  families  kernel       calls  seconds\n\
             b                replay           7      9.0\n\
             virt             Linux 7.3.4     31     12.5\n"
        );
        summary.read(
            &on_max(Engine::Kernel),
            "board b on replay: 7 calls in 8.0 s",
        );
        assert_eq!(
            summary.table(&[]),
            "board  families  kernel       engine     calls  seconds\n\
             b                replay       kernel         7      8.0\n\
             b                replay       userspace      7      9.0\n\
             virt             Linux 7.3.4  userspace     31     12.5\n"
        );
    }

    #[test]
    fn drift_is_told_once() {
        let mut summary = Summary::default();
        let lines = [
            "drift x13s: 0xc2002404, 2 calls, not served",
            "drift b: X(0x1), 1 call, a query more",
        ];
        for engine in [Engine::Userspace, Engine::Kernel] {
            for line in lines {
                summary.read(&on_max(engine), line);
            }
        }
        assert_eq!(summary.drift, lines.map(|line| &line["drift ".len()..]));
        assert_eq!(summary.to_string(), "0 passed, 0 failed, 0 skipped");
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
            summary.read(&Place::host(), line);
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
