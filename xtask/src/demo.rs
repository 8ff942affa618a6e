// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Demonstrations: what a board shows with a kernel that is built for it (`[[demo]]` in board.toml).
//!
//! `run --demo` shows one, `test` and `ci --full` take the same for tests. What was shown is decided
//! by the guest's log alone.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use fakemon_launch::log;
use fakemon_manifest::{Board, Demo};

use crate::guest;
use crate::supplies::Supplies;
use crate::usage::Usage;

/// The demonstration of `board` that is called `name`.
pub(crate) fn find<'a>(board: &'a Board, name: &str) -> Result<&'a Demo> {
    if let Some(demo) = board.demos.iter().find(|demo| demo.name == name) {
        return Ok(demo);
    }
    let has = match board.demos.as_slice() {
        [] => "it has none".to_owned(),
        demos => {
            let line = |demo: &Demo| format!("\n  {}  {}", demo.name, demo.description);
            let lines: String = demos.iter().map(line).collect();
            format!("it has{lines}")
        }
    };
    let board = &board.name;
    let message = format!("board {board} has no demonstration {name}: {has}");
    Err(Usage(message).into())
}

/// The kernel and the initramfs, by the option that takes them.
pub(crate) fn files(
    supplies: &Supplies,
    board: &Board,
    demo: &Demo,
) -> Result<Vec<(&'static str, PathBuf)>> {
    Ok(vec![
        ("--kernel", supplies.demo_kernel(board, demo)?),
        ("--initrd", guest::demo_initramfs(supplies, board, demo)?),
    ])
}

/// What a log lacks of a demonstration, or shows against it; [`None`] if all was shown.
pub(crate) fn objection(demo: &Demo, log: &str) -> Result<Option<String>> {
    let check = |found: Result<Option<&str>, String>, what: &str| {
        let found = found.map_err(|error| anyhow!(error))?;
        Ok::<_, anyhow::Error>(found.map(|pattern| format!("the log {what} /{pattern}/")))
    };
    if let Some(lacks) = check(log::missing(&demo.expect, log), "does not show")? {
        return Ok(Some(lacks));
    }
    check(log::found(&demo.unexpected, log), "shows")
}

/// What a log of a boot without the blob has that it should not, or has not; [`None`] if it shows that
/// the blob is what makes the demonstration.
pub(crate) fn counter_objection(demo: &Demo, log: &str) -> Result<Option<String>> {
    let missing = log::missing(&demo.counter, log).map_err(|error| anyhow!(error))?;
    if let Some(pattern) = missing {
        return Ok(Some(format!("the log does not show /{pattern}/")));
    }
    Ok(match objection(demo, log)? {
        Some(_) => None,
        None => Some("all was shown without the blob as well".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    fn nmi() -> Demo {
        let board = workspace::board("virt").expect("a board");
        find(&board, "nmi").expect("its demonstration").clone()
    }

    #[test]
    fn a_wrong_name_tells_which_there_are() {
        let board = workspace::board("virt").expect("a board");
        let error = format!("{:#}", find(&board, "nim").expect_err("no such"));
        assert!(error.contains("virt has no demonstration nim"), "{error}");
        assert!(error.contains("\n  nmi  "), "{error}");
        let midway = workspace::board("midway").expect("a board");
        let error = format!("{:#}", find(&midway, "nmi").expect_err("no such"));
        assert!(error.ends_with("it has none"), "{error}");
    }

    #[test]
    fn a_demonstration_needs_all_that_it_expects_and_nothing_that_it_does_not() {
        let pattern = |text: &str| fakemon_manifest::Pattern {
            text: text.to_owned(),
            kernel: None,
        };
        let demo = Demo {
            expect: vec![pattern("one"), pattern(r"tw\w")],
            unexpected: vec![pattern("failed")],
            counter: vec![pattern("failed")],
            ..nmi()
        };
        let of = |log| objection(&demo, log).expect("patterns");
        assert_eq!(of("one\ntwo"), None);
        assert_eq!(of("one").as_deref(), Some(r"the log does not show /tw\w/"));
        assert_eq!(
            of("one two failed").as_deref(),
            Some("the log shows /failed/")
        );
        let counter = |log| counter_objection(&demo, log).expect("patterns");
        assert_eq!(counter("one failed"), None);
        assert!(counter("one").is_some_and(|text| text.contains("/failed/")));
        let demo = Demo {
            unexpected: Vec::new(),
            ..demo.clone()
        };
        let counter = counter_objection(&demo, "one two failed").expect("patterns");
        assert!(counter.is_some_and(|text| text.contains("without the blob")));
    }
}
