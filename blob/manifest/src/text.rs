// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Text of files that anybody may have written: read up to a limit, and shown so that it does
//! nothing to a terminal.

use std::fs::File;
use std::io::{Error, ErrorKind, Read};
use std::path::Path;

/// The most bytes of a board's file; the largest has ten thousand.
const MAX_FILE: u64 = 256 << 10;
/// The most characters of a line of a message that quotes a file.
const MAX_LINE: usize = 160;
/// The most lines of it.
const MAX_LINES: usize = 12;
/// The most characters of a name.
const MAX_NAME: usize = 100;

/// Reads one of a board's files.
pub(crate) fn read(path: &Path) -> Result<String, Error> {
    let mut text = String::new();
    let mut limited = File::open(path)?.take(MAX_FILE + 1);
    limited.read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        let why = "it has more than 256 KiB, which no board needs; is it the right file?";
        return Err(Error::new(ErrorKind::FileTooLarge, why));
    }
    Ok(text)
}

/// A message that quotes a file, with as much of it as a reader wants, and nothing that a terminal
/// would act on.
pub(crate) fn quote(message: &str) -> String {
    let line = |line: &str| -> String {
        let mut shown: String = line
            .chars()
            .take(MAX_LINE)
            .map(|c| if is_shown(c) { c } else { '\u{fffd}' })
            .collect();
        if line.chars().nth(MAX_LINE).is_some() {
            shown.push_str(" ...");
        }
        shown
    };
    let lines: Vec<String> = message.lines().take(MAX_LINES).map(line).collect();
    lines.join("\n")
}

/// Tells whether a text can be printed as a name: on one line, and short.
pub(crate) fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= MAX_NAME && text.chars().all(is_shown)
}

/// Tells whether a character shows as itself: it is no control character, and none that turns or breaks
/// the line (U+202E, U+2028).
fn is_shown(c: char) -> bool {
    matches!(c, '"' | '\'' | '\\') || c.escape_debug().eq([c])
}

/// Tells whether a text is a name that a constant can have.
pub(crate) fn is_constant(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    text.len() <= MAX_NAME
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_end_is_refused() {
        let error = read(Path::new("/dev/zero")).expect_err("no end");
        assert!(error.to_string().starts_with("it has more than 256 KiB"));
    }

    #[test]
    fn a_message_is_bounded_and_printable() {
        let hostile = format!("one \x1b[2J two\r{}\n", "x".repeat(100_000)).repeat(1_000);
        let shown = quote(&hostile);
        assert!(
            shown.chars().count() < 13 * (MAX_LINE + 5),
            "{}",
            shown.len()
        );
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control()));
        assert_eq!(quote("a\n  | ^\n"), "a\n  | ^");
    }

    #[test]
    fn a_name_is_one_short_line() {
        assert!(is_constant("SCM_WAITQ_GET_INFO") && is_constant("L2"));
        for bad in [
            "",
            "two words",
            "_A",
            "2L",
            "a",
            "A-B",
            "Ä",
            &"X".repeat(101),
        ] {
            assert!(!is_constant(bad), "{bad:?}");
        }
        assert!(is_name("SCM_WAITQ_GET_INFO") && is_name("two words"));
        assert!(is_name("Qualcomm's \"Größe\" \\"));
        let turned = "a\u{202e}b";
        for bad in [
            "",
            " ",
            "a\nb",
            "a\u{2028}b",
            turned,
            "\x1b[2J",
            &"x".repeat(101),
        ] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
