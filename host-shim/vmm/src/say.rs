// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the VMM itself says, on standard error and apart from the guest's output.

/// Prints to standard error as `eprintln!` does, with each line after `fakemon: `.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => { $crate::say::lines(&format!($($text)*)) };
}

/// Prints a text to standard error, each line after `fakemon: `.
pub fn lines(text: &str) {
    let text: String = text
        .lines()
        .map(|line| format!("fakemon: {line}\n"))
        .collect();
    // One write, so that lines of several threads do not mix; nobody can be told that it failed.
    let _closed = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
}
