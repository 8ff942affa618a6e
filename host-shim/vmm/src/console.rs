// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest's console: its output goes to a stream and is watched, its input is freed of the
//! user's escapes.
//!
//! A write for each character would cost an exit of the host each time when the host is itself
//! emulated, so output is kept until the end of a line, or until the main loop asks for it a moment
//! later.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::devices::pl011::Sink;
use crate::output::Output;

/// Lines by which a kernel says that it has failed, and the replay program that a call did. What comes
/// after is the kernel's: it may say more, dump its memory with another kernel, or reset the machine.
const FAILED: [&str; 3] = [
    "Kernel panic - not syncing",
    "Reboot failed -- System halted",
    "replay: FAILED",
];
/// Lines after which a kernel does nothing but loop for ever (kernel/panic.c, panic; machine_restart
/// of arm and arm64).
const HALTED: [&str; 2] = [
    "---[ end Kernel panic - not syncing",
    "Reboot failed -- System halted",
];
/// Output that waits for the end of its line at most.
const BUFFER: usize = 1024;
/// Bytes of a line that are looked at.
const LINE: usize = 512;

/// Output of the guest.
pub struct Console {
    out: Output,
    pending: Vec<u8>,
    line: Vec<u8>,
    failure: Option<String>,
    halted: bool,
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Console {{ failure {:?} }}", self.failure)
    }
}

impl Console {
    /// A console that shows the guest's output on `out`.
    pub fn new(out: Output) -> Self {
        Console {
            out,
            pending: Vec::with_capacity(BUFFER),
            line: Vec::with_capacity(LINE),
            failure: None,
            halted: false,
        }
    }

    /// Has what is pending shown.
    pub fn flush(&mut self) {
        if !self.pending.is_empty() {
            self.out.write(&self.pending);
            self.pending.clear();
        }
    }

    /// The line with which the kernel failed, if it did.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Tells whether the kernel will never do anything again.
    pub fn halted(&self) -> bool {
        self.halted
    }

    fn end_of_line(&mut self) {
        let line = String::from_utf8_lossy(&self.line);
        let says = |words: &[&str]| words.iter().any(|words| line.contains(words));
        if self.failure.is_none() && says(&FAILED) {
            self.failure = Some(line.trim().to_owned());
        }
        self.halted |= says(&HALTED);
        self.line.clear();
    }
}

impl Sink for Console {
    fn put(&mut self, byte: u8) {
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

    fn has_room(&self) -> bool {
        self.out.has_room()
    }
}

impl Sink for Arc<Mutex<Console>> {
    fn put(&mut self, byte: u8) {
        self.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .put(byte);
    }

    fn has_room(&self) -> bool {
        let console = self.lock().unwrap_or_else(PoisonError::into_inner);
        console.has_room()
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
    use std::io::Write;
    use std::time::Duration;

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
        let output = Output::new(Box::new(screen.clone())).expect("a thread");
        (Console::new(output), screen)
    }

    /// What is on the screen once everything is.
    fn shown(console: &Console, screen: &Screen) -> Vec<u8> {
        assert!(console.out.drain(Duration::from_secs(3600)));
        screen.0.lock().expect("not poisoned").clone()
    }

    fn say(console: &mut Console, text: &str) {
        text.bytes().for_each(|byte| console.put(byte));
    }

    #[test]
    fn a_line_shows_when_it_ends_and_a_prompt_when_it_is_asked_for() {
        let (mut console, screen) = console();
        say(&mut console, "one\r\n# ");
        assert_eq!(shown(&console, &screen), b"one\r\n");
        console.flush();
        assert_eq!(shown(&console, &screen), b"one\r\n# ");
    }

    #[test]
    fn a_panic_is_noticed_and_its_first_line_kept() {
        let (mut console, _) = console();
        say(&mut console, "all is well\n");
        assert_eq!(console.failure(), None);
        let first = "[ 1.0] Kernel panic - not syncing: no init";
        say(&mut console, &format!("{first}\r\nReboot failed --"));
        assert_eq!(console.failure(), Some(first));
        say(&mut console, " System halted\n");
        assert_eq!(console.failure(), Some(first));
    }

    #[test]
    fn a_kernel_has_halted_when_it_says_so_and_not_when_it_fails() {
        for last in [
            "[ 1.3] ---[ end Kernel panic - not syncing: no init ]---",
            "[ 1.3] Reboot failed -- System halted",
        ] {
            let (mut console, _) = console();
            say(&mut console, "Kernel panic - not syncing: no init\n");
            say(&mut console, "Rebooting in 10 seconds..\n");
            say(&mut console, last);
            assert!(!console.halted());
            say(&mut console, "\r\n");
            assert!(console.halted());
        }
    }

    #[test]
    fn a_replay_that_fails_is_noticed() {
        let (mut console, _) = console();
        say(&mut console, "replay: 2 ok, 1 failed\r\n");
        assert_eq!(console.failure(), None);
        say(&mut console, "replay: FAILED\r\n");
        assert_eq!(console.failure(), Some("replay: FAILED"));
        assert!(!console.halted());
    }

    #[test]
    fn endless_output_without_a_line_end_takes_no_more_memory() {
        let (mut console, screen) = console();
        for _ in 0..100 {
            say(&mut console, &"x".repeat(1_000));
            assert!(console.line.len() <= LINE && console.pending.len() < BUFFER);
            assert!(shown(&console, &screen).len() <= 100_000);
        }
        assert!(shown(&console, &screen).len() > 99_000);
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
