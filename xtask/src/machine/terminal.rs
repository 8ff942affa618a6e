// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The user's terminal while a guest has it: keys go through as they are, until Ctrl-A x.

use std::io::{self, IsTerminal, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use nix::sys::termios::{OutputFlags, SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use crate::interrupt;

/// Ctrl-A, the key that announces a command.
const ESCAPE: u8 = 1;

/// Passes keys on one by one while it lives.
#[derive(Debug)]
pub(crate) struct RawTerminal {
    before: Termios,
}

impl RawTerminal {
    /// Takes the terminal on standard input; [`None`] when there is none there.
    pub(crate) fn take() -> Result<Option<RawTerminal>> {
        if !io::stdin().is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(io::stdin()).context("cannot read the terminal's settings")?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        // Line ends of our own messages still need their carriage return.
        raw.output_flags |= OutputFlags::OPOST;
        interrupt::at_exit({
            let before = before.clone();
            move || restore(&before)
        });
        tcsetattr(io::stdin(), SetArg::TCSANOW, &raw).context("cannot set up the terminal")?;
        Ok(Some(RawTerminal { before }))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        restore(&self.before);
    }
}

fn restore(settings: &Termios) {
    let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, settings);
}

/// Passes standard input on; Ctrl-A x goes the same way and besides sets `quit`.
pub(crate) fn forward_input(mut to: impl Write, quit: &Arc<AtomicBool>) {
    let mut escaped = false;
    let mut buffer = [0; 256];
    while let Ok(count @ 1..) = io::stdin().read(&mut buffer) {
        for &byte in &buffer[..count] {
            if escaped && byte == b'x' {
                quit.store(true, Ordering::Relaxed);
            }
            escaped = byte == ESCAPE;
        }
        if to
            .write_all(&buffer[..count])
            .and_then(|()| to.flush())
            .is_err()
        {
            return;
        }
    }
}
