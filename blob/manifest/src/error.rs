// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What can be wrong with a board's data. It is always the board's author who can mend it.

use std::path::PathBuf;

use crate::text::quote;

/// Why a `board.toml` was refused.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is not TOML, or not of the schema; the source shows the line.
    #[error("board.toml of {board}: {}", quote(&source.to_string()))]
    Syntax {
        /// The board's directory.
        board: String,
        /// The parser's message with line, column and an excerpt.
        source: Box<toml::de::Error>,
    },
    /// The list of calls is not TOML, not of the schema, or makes no sense.
    #[error("{}: {}", path.display(), quote(problem))]
    Replay {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The file is well-formed, but a value makes no sense.
    #[error("board.toml of {board}: {}: {}", quote(field), quote(problem))]
    Invalid {
        /// The board's directory.
        board: String,
        /// The key, as a dotted path.
        field: String,
        /// What is wrong and what to do.
        problem: String,
    },
}
