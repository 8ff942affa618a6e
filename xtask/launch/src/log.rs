// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a guest's log shows of the patterns in a `board.toml`.

use fakemon_manifest::{KernelVersion, Pattern};
use regex_lite::Regex;

/// The first pattern that counts for the kernel of this log, and that the log does not match.
///
/// # Errors
/// A pattern is no regular expression.
pub fn missing<'a>(patterns: &'a [Pattern], log: &str) -> Result<Option<&'a str>, String> {
    first(patterns, log, |regex| !regex.is_match(log))
}

/// The first pattern that counts for the kernel of this log, and that the log matches.
///
/// # Errors
/// A pattern is no regular expression.
pub fn found<'a>(patterns: &'a [Pattern], log: &str) -> Result<Option<&'a str>, String> {
    first(patterns, log, |regex| regex.is_match(log))
}

fn first<'a>(
    patterns: &'a [Pattern],
    log: &str,
    wanted: impl Fn(&Regex) -> bool,
) -> Result<Option<&'a str>, String> {
    let kernel = KernelVersion::of_log(log);
    for pattern in patterns.iter().filter(|pattern| pattern.counts(kernel)) {
        if wanted(&compile(&pattern.text)?) {
            return Ok(Some(&pattern.text));
        }
    }
    Ok(None)
}

/// A pattern as a regular expression.
///
/// # Errors
/// It is none.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| format!("board.toml: /{pattern}/: {error}"))
}
