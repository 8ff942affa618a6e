// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest's console: its output goes to a stream and is watched, its input is freed of the
//! user's escapes.
//!
//! A write for each character would cost an exit of the host each time when the host is itself
//! emulated, so output is kept until the end of a line, or until the main loop asks for it a moment
//! later.

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::devices::pl011::Sink;

/// Lines by which a kernel says that it has given up, and the replay program that a call failed.
const LAST_WORDS: [&str; 3] = [
    "Kernel panic - not syncing",
    "Reboot failed -- System halted",
    "replay: FAILED",
];
/// Output that waits for the end of its line at most.
const BUFFER: usize = 1024;
/// Bytes of a line that are looked at.
const LINE: usize = 512;

/// Output of the guest.
pub struct Console {
    out: Box<dyn Write + Send>,
    pending: Vec<u8>,
    line: Vec<u8>,
    last_words: Option<String>,
    last_output: Instant,
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Console {{ last words {:?} }}", self.last_words)
    }
}

impl Console {
    /// A console that shows the guest's output on `out`.
    pub fn new(out: Box<dyn Write + Send>) -> Self {
        Console {
            out,
            pending: Vec::with_capacity(BUFFER),
            line: Vec::with_capacity(LINE),
            last_words: None,
            last_output: Instant::now(),
        }
    }

    /// Shows what is pending. A reader that went away is not the guest's business, so errors are
    /// dropped.
    pub fn flush(&mut self) {
        if !self.pending.is_empty() {
            let _closed = self
                .out
                .write_all(&self.pending)
                .and_then(|()| self.out.flush());
            self.pending.clear();
        }
    }

    /// The line with which the kernel gave up, if it did, and when it last said anything.
    pub fn last_words(&self) -> Option<(&str, Instant)> {
        self.last_words
            .as_deref()
            .map(|words| (words, self.last_output))
    }

    fn end_of_line(&mut self) {
        let line = String::from_utf8_lossy(&self.line);
        if self.last_words.is_none() && LAST_WORDS.iter().any(|words| line.contains(words)) {
            self.last_words = Some(line.trim().to_owned());
        }
        self.line.clear();
    }
}

impl Sink for Console {
    fn put(&mut self, byte: u8) {
        self.last_output = Instant::now();
        self.pending.push(byte);
        if byte == b'\n' {
            self.end_of_line();
        } else if self.line.len() < LINE {
            self.line.push(byte);
        }
        if byte == b'\n' || self.pending.len() >= BUFFER {
            self.flush();
        }
    }
}

impl Sink for Arc<Mutex<Console>> {
    fn put(&mut self, byte: u8) {
        self.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .put(byte);
    }
}

/// Finds the user's escapes in what is typed: Ctrl-A x ends the guest, Ctrl-A twice sends one to
/// it.
#[derive(Debug, Default)]
pub struct Keys {
    escaped: bool,
}

impl Keys {
    const ESCAPE: u8 = 0x01;

    /// What of `typed` is for the guest; [`None`] if the user wants to leave.
    pub fn filter(&mut self, typed: &[u8]) -> Option<Vec<u8>> {
        let mut guest = Vec::with_capacity(typed.len());
        for &byte in typed {
            match (std::mem::take(&mut self.escaped), byte) {
                (false, Self::ESCAPE) => self.escaped = true,
                (true, b'x' | b'X') => return None,
                // Any other key after the escape is meant for the guest.
                _ => guest.push(byte),
            }
        }
        Some(guest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("not poisoned").extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn console() -> (Console, Screen) {
        let screen = Screen::default();
        (Console::new(Box::new(screen.clone())), screen)
    }

    fn say(console: &mut Console, text: &str) {
        text.bytes().for_each(|byte| console.put(byte));
    }

    #[test]
    fn a_line_shows_when_it_ends_and_a_prompt_when_it_is_asked_for() {
        let (mut console, screen) = console();
        say(&mut console, "one\r\n# ");
        assert_eq!(*screen.0.lock().expect("not poisoned"), b"one\r\n");
        console.flush();
        assert_eq!(*screen.0.lock().expect("not poisoned"), b"one\r\n# ");
    }

    #[test]
    fn a_panic_is_noticed_and_its_first_line_kept() {
        let (mut console, _) = console();
        say(&mut console, "all is well\n");
        assert!(console.last_words().is_none());
        say(
            &mut console,
            "[ 1.0] Kernel panic - not syncing: no init\r\nReboot failed --",
        );
        let (words, _) = console.last_words().expect("noticed");
        assert_eq!(words, "[ 1.0] Kernel panic - not syncing: no init");
    }

    #[test]
    fn a_replay_that_fails_is_noticed() {
        let (mut console, _) = console();
        say(&mut console, "replay: 2 ok, 1 failed\r\n");
        assert!(console.last_words().is_none());
        say(&mut console, "replay: FAILED\r\n");
        assert!(console.last_words().is_some());
    }

    #[test]
    fn endless_output_without_a_line_end_takes_no_more_memory() {
        let (mut console, screen) = console();
        say(&mut console, &"x".repeat(100_000));
        assert!(console.line.len() <= LINE && console.pending.len() < BUFFER);
        assert!(screen.0.lock().expect("not poisoned").len() > 99_000);
    }

    #[test]
    fn the_escape_is_for_the_user_and_everything_else_for_the_guest() {
        let mut keys = Keys::default();
        assert_eq!(keys.filter(b"ls\x03\n").as_deref(), Some(&b"ls\x03\n"[..]));
        assert_eq!(keys.filter(b"\x01\x01").as_deref(), Some(&b"\x01"[..]));
        assert_eq!(
            keys.filter(b"a\x01").as_deref(),
            Some(&b"a"[..]),
            "the rest comes later"
        );
        assert_eq!(keys.filter(b"x"), None);
    }
}
