// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the VMM itself says, on standard error and apart from the guest's output.

use std::sync::LazyLock;
use std::time::Duration;

use crate::output::Output;
use crate::signals;

/// Prints to standard error as `eprintln!` does, with each line after `fakemon: `.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => { $crate::say::lines(&format!($($text)*)) };
}

/// Standard error; without a thread for it nothing can be said.
static ERRORS: LazyLock<Option<Output>> =
    LazyLock::new(|| Output::new(Box::new(std::io::stderr())).ok());

/// How long to wait for room, or for a reader when a signal has come.
const WAIT: Duration = Duration::from_millis(100);

/// Prints a text to standard error, each line after `fakemon: `. Nothing of it is lost while somebody
/// reads; a signal that ends this program ends the waiting for that.
pub fn lines(text: &str) {
    let text: String = text
        .lines()
        .map(|line| format!("fakemon: {line}\n"))
        .collect();
    let Some(errors) = &*ERRORS else { return };
    while !errors.wait_for_room(WAIT) {
        if signals::is_caught() {
            return;
        }
    }
    // At once, so that lines of several threads do not mix.
    errors.write(text.as_bytes());
}

/// Waits until what was said is written.
pub fn last_words() {
    if let Some(errors) = &*ERRORS {
        errors.last_words();
    }
}
