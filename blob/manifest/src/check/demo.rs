// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Demonstrations that can be named, built and judged.

use super::{Fault, PLAIN, ensure, is_plain};
use crate::board::{Board, TestKind};
use crate::text::is_name;

pub(super) fn demos(board: &Board) -> Result<(), Fault> {
    for (at, demo) in board.demos.iter().enumerate() {
        let field = |key: &str| format!("demo[{at}].{key}");
        ensure(is_plain(&demo.name), field("name"), PLAIN)?;
        let twice = board.demos[..at].iter().any(|one| one.name == demo.name);
        ensure(!twice, field("name"), "is another's, too")?;
        ensure(
            is_name(&demo.description),
            field("description"),
            "is one line of at most 100 characters that says what is shown",
        )?;
        let source = &demo.kernel.source;
        let is_version = source
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
        ensure(
            is_version,
            field("kernel.source"),
            format!("{source:?} is no version of Linux such as \"6.12\""),
        )?;
        for (key, file) in [
            ("kernel.config", &demo.kernel.config),
            ("script", &demo.script),
        ] {
            ensure(
                is_name(file) && !file.contains('/') && !file.starts_with('.'),
                field(key),
                format!("{file:?} is no file of the board's directory"),
            )?;
        }
        for (key, patterns) in [("expect", &demo.expect), ("counter", &demo.counter)] {
            ensure(!patterns.is_empty(), field(key), "names at least one line")?;
        }
        ensure(
            board.test == TestKind::Driver,
            field("kernel"),
            "is for a board with `test = \"driver\"`, whose guest is a kernel",
        )?;
    }
    Ok(())
}
