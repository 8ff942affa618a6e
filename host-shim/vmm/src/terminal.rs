// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Standard input as the guest's keyboard: unbuffered while the guest runs, as it was before
//! afterwards.

use std::io::{self, IsTerminal};
use std::mem::MaybeUninit;

/// Keeps standard input in raw mode; dropping it, on a panic too, restores what was before.
#[derive(Debug)]
pub struct RawMode {
    before: libc::termios,
}

impl RawMode {
    /// Puts standard input into raw mode; [`None`] if it is no terminal.
    ///
    /// # Errors
    /// When the terminal refuses.
    pub fn enter() -> io::Result<Option<RawMode>> {
        if !io::stdin().is_terminal() {
            return Ok(None);
        }
        let before = get()?;
        let mut raw = before;
        // Each key at once, without echo, and Ctrl-C for the guest. Output processing stays, for
        // the lines that are not the guest's.
        raw.c_lflag &= !(libc::ICANON | libc::ECHO | libc::ISIG | libc::IEXTEN);
        raw.c_iflag &= !(libc::IXON | libc::ICRNL | libc::INLCR | libc::IGNCR | libc::ISTRIP);
        raw.c_cc[libc::VMIN] = 1;
        raw.c_cc[libc::VTIME] = 0;
        set(&raw)?;
        Ok(Some(RawMode { before }))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // There is nobody to tell when even this fails.
        let _gone = set(&self.before);
    }
}

fn get() -> io::Result<libc::termios> {
    let mut settings = MaybeUninit::uninit();
    // SAFETY: tcgetattr writes a termios to the address, which is valid for one.
    let result = unsafe { libc::tcgetattr(libc::STDIN_FILENO, settings.as_mut_ptr()) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: tcgetattr has succeeded, so it has filled the settings in.
    Ok(unsafe { settings.assume_init() })
}

fn set(settings: &libc::termios) -> io::Result<()> {
    // SAFETY: tcsetattr reads one termios from the address, which is a reference's.
    let result = unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, settings) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
