// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How long the stages of CI take, so that who makes one longer sees it.

use std::fmt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// One stage that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stage {
    name: String,
    wall: Duration,
    cpu: Duration,
}

/// The stages so far, in the order in which they ran. Shown, they are a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stages(Vec<Stage>);

impl Stages {
    /// Announces a stage, runs it, and keeps how long it took.
    pub(crate) fn run<T>(&mut self, name: &str, stage: impl FnOnce() -> T) -> T {
        eprintln!("ci: {name}");
        let (start, before) = (Instant::now(), cpu_time());
        let result = stage();
        self.0.push(Stage {
            name: name.to_owned(),
            wall: start.elapsed(),
            cpu: cpu_time().saturating_sub(before),
        });
        result
    }
}

/// Runs a command and tells whether it succeeds.
pub(crate) fn succeeds(mut command: Command) -> Result<bool> {
    let status = command.stdin(Stdio::null()).status();
    let status =
        status.with_context(|| format!("cannot start {}", command.get_program().display()))?;
    Ok(status.success())
}

impl fmt::Display for Stages {
    /// One line for each stage and one for the sum: seconds, and CPU seconds of the programs that
    /// ended in it. A program that runs beside other stages counts in the one that waits for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = Stage {
            name: "all stages".to_owned(),
            wall: self.0.iter().map(|stage| stage.wall).sum(),
            cpu: self.0.iter().map(|stage| stage.cpu).sum(),
        };
        let rows = || self.0.iter().chain([&sum]);
        let width = rows().map(|stage| stage.name.len()).max().unwrap_or(0);
        writeln!(f, "{:width$}  seconds  CPU", "stage")?;
        for Stage { name, wall, cpu } in rows() {
            let (wall, cpu) = (wall.as_secs(), cpu.as_secs());
            writeln!(f, "{name:width$}  {wall:7}  {cpu:3}")?;
        }
        Ok(())
    }
}

/// CPU time of all programs that this one has started and that have ended.
fn cpu_time() -> Duration {
    let time = |time: TimeVal| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
        let micros = u64::try_from(time.tv_usec()).unwrap_or(0);
        Duration::from_secs(seconds) + Duration::from_micros(micros)
    };
    getrusage(UsageWho::RUSAGE_CHILDREN).map_or(Duration::ZERO, |usage| {
        time(usage.user_time()) + time(usage.system_time())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_gives_back_what_it_is_about_and_is_kept() {
        let mut stages = Stages::default();
        assert_eq!(stages.run("one", || 7), 7);
        assert_eq!(stages.run("two", || "x"), "x");
        let names: Vec<_> = stages.0.iter().map(|stage| stage.name.as_str()).collect();
        assert_eq!(names, ["one", "two"]);
    }

    #[test]
    fn the_table_ends_in_the_sum() {
        let stage = |name: &str, wall, cpu| Stage {
            name: name.to_owned(),
            wall: Duration::from_secs(wall),
            cpu: Duration::from_secs(cpu),
        };
        let stages = Stages(vec![stage("clippy", 30, 41), stage("boots", 300, 500)]);
        assert_eq!(
            stages.to_string(),
            "stage       seconds  CPU\n\
             clippy           30   41\n\
             boots           300  500\n\
             all stages      330  541\n"
        );
    }
}
