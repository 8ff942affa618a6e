// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Demonstrations as tests: each shows what it is about with its blob, and does not where KVM answers
//! the guest's calls instead.
//!
//! They are run by name and in the whole of CI: building their kernels takes minutes.

use anyhow::Result;
use fakemon_host::{Engine, Policy};
use fakemon_manifest::{Board, Demo};

use super::Test;
use super::verdict::{self, CONSOLE};
use crate::own_kernel::NoSource;
use crate::run::Run;
use crate::summary::{Place, Summary};
use crate::{demo, workspace};

/// What is done with a demonstration: the name of the test, who answers calls, and what is wrong with
/// the log.
type Trial = (
    &'static str,
    Policy,
    fn(&Demo, &str) -> Result<Option<String>>,
);

const TRIALS: [Trial; 2] = [
    ("is_shown", Policy::Blob, demo::objection),
    (
        "is_not_shown_without_the_blob",
        Policy::Kvm,
        demo::counter_objection,
    ),
];

/// Tells whether there is a demonstration of this name.
pub(super) fn is_one(name: &str) -> Result<bool> {
    let mut boards = workspace::boards()?.into_iter();
    Ok(boards.any(|board| board.demos.iter().any(|demo| demo.name == name)))
}

/// Counts all as skipped.
pub(super) fn skip(summary: &mut Summary) -> Result<()> {
    for board in workspace::boards()? {
        for demo in &board.demos {
            let (board, demo) = (&board.name, &demo.name);
            summary.skip(format!(
                "demo {demo} of {board} builds a kernel of its own: \
                 `cargo xtask test {demo}` and `ci --full` do"
            ));
        }
    }
    Ok(())
}

/// Runs all of this name, or all, with `engine`.
pub(super) fn run(
    test: &Test,
    name: Option<&str>,
    engine: Engine,
    summary: &mut Summary,
) -> Result<()> {
    for board in workspace::boards()? {
        let here = board.demos.iter();
        for demo in here.filter(|demo| name.is_none_or(|name| name == demo.name)) {
            for trial in TRIALS {
                run_one(test, &board, demo, engine, trial, summary)?;
            }
        }
    }
    Ok(())
}

fn run_one(
    test: &Test,
    board: &Board,
    demo: &Demo,
    engine: Engine,
    (what, smc, objection): Trial,
    summary: &mut Summary,
) -> Result<()> {
    let cpu = test.host_of(board)?;
    let run = Run::demo(board, demo, smc, cpu, engine).on(test.host_kernel.clone(), test.newest);
    let name = format!("{}_{}_{what}", board.name, demo.name);
    let place = Place {
        name: format!("demo on {}", cpu.name()),
        engine: Some(engine),
        kernel: None,
    };
    let ended = match run.boot(board, CONSOLE) {
        Err(error) if error.is::<NoSource>() => {
            summary.skip(format!("{place}: {name}: {error:#}"));
            return Ok(());
        }
        ended => ended?,
    };
    let objection = match ended.report.code() {
        0 | 1 => objection(demo, &ended.printed)?,
        code => Some(format!("fakemon ended with {code}")),
    };
    verdict::tell(&place, &name, &ended.printed, objection, summary);
    Ok(())
}
