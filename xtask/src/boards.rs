// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `boards`: lists the boards of this checkout.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use fakemon_manifest::{Board, TestKind, Window};
use serde::Serialize;

use crate::workspace;

mod page;
#[cfg(test)]
mod readmes;

/// List the boards.
#[derive(Debug, Args)]
pub(crate) struct Boards {
    /// Print an array of {name, description, families, caller, window, kernel, test}.
    #[arg(long)]
    json: bool,
    /// Print docs/boards.md.
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

/// What is told of a board.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    description: String,
    families: Vec<String>,
    caller: String,
    window: &'static str,
    kernel: String,
    test: &'static str,
}

impl Boards {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let rows: Vec<Row> = workspace::boards()?.into_iter().map(Row::of).collect();
        let text = if self.markdown {
            page::markdown(&rows)
        } else if self.json {
            serde_json::to_string_pretty(&rows)? + "\n"
        } else {
            list(&rows)
        };
        match io::stdout().write_all(text.as_bytes()) {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// One line for each board.
fn list(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let line = |row: &Row| {
        let (name, caller) = (&row.name, &row.caller);
        let (window, description) = (row.window, &row.description);
        format!("{name:width$}  {caller:8} {window:10} {description}\n")
    };
    rows.iter().map(line).collect()
}

impl Row {
    fn of(board: Board) -> Row {
        let callers = board.note.callers.iter().map(|caller| caller.name());
        let callers: Vec<_> = callers.collect();
        Row {
            caller: callers.join(","),
            window: match board.note.window {
                Window::Smccc => "smccc",
                Window::Smccc12 => "smccc-1.2",
                Window::Legacy32 => "legacy32",
            },
            kernel: board.guest.kernel,
            test: match board.test {
                TestKind::Driver => "driver",
                TestKind::Replay => "replay",
            },
            name: board.name,
            description: board.description,
            families: board.families,
        }
    }
}
