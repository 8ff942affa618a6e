// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What this library itself says, on standard error, which the VMM may have redirected or closed.

use std::fmt::Arguments;
use std::io::Write;

/// Prints as `eprintln!` does, with each line after `fakemon: `.
#[macro_export]
#[doc(hidden)]
macro_rules! say {
    ($($text:tt)*) => { $crate::say::lines(format_args!($($text)*)) };
}

/// Prints a text, each line after `fakemon: `, as far as somebody reads it: that nobody does must not
/// end the VMM.
pub(crate) fn lines(text: Arguments<'_>) {
    // At once, so that lines of several threads do not mix.
    let _nobody_reads = std::io::stderr().write_all(prefixed(&text.to_string()).as_bytes());
}

fn prefixed(text: &str) -> String {
    let lines = text.lines().map(|line| format!("fakemon: {line}\n"));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_says_who_speaks() {
        assert_eq!(prefixed("one"), "fakemon: one\n");
        assert_eq!(prefixed("one\n  two"), "fakemon: one\nfakemon:   two\n");
    }
}
