// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reading the files of a board's directory: first the schema, then what it cannot say.

use std::path::Path;

use crate::board::{Board, TestKind};
use crate::check;
use crate::error::ManifestError;
use crate::replay::Replay;
use crate::text;

impl Board {
    /// Reads and checks the `board.toml` in directory `dir`, whose last part must be the board's
    /// name, and with it the `replay.toml` of a board that is tested by one.
    ///
    /// # Errors
    /// A file cannot be read, is not of the schema, or contradicts itself.
    pub fn load(dir: &Path) -> Result<Board, ManifestError> {
        let path = dir.join("board.toml");
        let text = text::read(&path).map_err(|source| ManifestError::Read {
            path: path.clone(),
            source,
        })?;
        // A relative path such as "." has no last part of its own.
        let whole = dir
            .canonicalize()
            .map_err(|source| ManifestError::Read { path, source })?;
        let name = whole.file_name().unwrap_or_default().to_string_lossy();
        let board = Board::parse(&text, &name)?;
        if board.test == TestKind::Replay {
            Replay::load(dir)?;
        }
        Ok(board)
    }

    /// Reads and checks the text of a `board.toml` that lies in a directory called `dir_name`.
    ///
    /// # Errors
    /// The text is not of the schema, or contradicts itself.
    pub fn parse(text: &str, dir_name: &str) -> Result<Board, ManifestError> {
        let board: Board = toml::from_str(text).map_err(|source| ManifestError::Syntax {
            board: dir_name.to_owned(),
            source: Box::new(source),
        })?;
        check::board(&board, dir_name)?;
        Ok(board)
    }
}

impl Replay {
    /// Reads and checks the `replay.toml` in directory `dir`.
    ///
    /// # Errors
    /// The file cannot be read, is not of the schema, or contradicts itself.
    pub fn load(dir: &Path) -> Result<Replay, ManifestError> {
        let path = dir.join("replay.toml");
        let text = text::read(&path).map_err(|source| ManifestError::Read {
            path: path.clone(),
            source,
        })?;
        Replay::parse(&text).map_err(|problem| ManifestError::Replay { path, problem })
    }

    /// Reads and checks the text of a `replay.toml`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Replay, String> {
        let replay: Replay = toml::from_str(text).map_err(|error| error.to_string())?;
        if replay.calls.is_empty() {
            return Err("it lists no call".to_owned());
        }
        for (number, call) in (1..).zip(&replay.calls) {
            check::call(call).map_err(|problem| format!("call {number}: {problem}"))?;
        }
        Ok(replay)
    }
}
