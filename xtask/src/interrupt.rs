// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Ctrl-C at any moment: tidies up and exits with 130.
//!
//! Programs that xtask starts either sit in the same terminal and get the signal themselves (cargo,
//! apt), or asked the kernel to be killed when xtask ends (QEMU). So only what is left behind in
//! files and in the terminal counts.

use std::sync::Mutex;

use anyhow::{Context, Result};

/// The exit code of a program that Ctrl-C ended, as shells report it.
const INTERRUPTED: i32 = 130;

type Action = Box<dyn FnMut() + Send>;

static ACTIONS: Mutex<Vec<Action>> = Mutex::new(Vec::new());

/// Catches SIGINT, SIGTERM and SIGHUP from now on.
pub(crate) fn catch() -> Result<()> {
    ctrlc::set_handler(|| {
        tidy_up();
        std::process::exit(INTERRUPTED);
    })
    .context("cannot catch Ctrl-C")
}

/// Has `action` done when the user interrupts; it must not mind that it has been done already.
pub(crate) fn at_exit(action: impl FnMut() + Send + 'static) {
    lock().push(Box::new(action));
}

fn tidy_up() {
    for action in lock().iter_mut().rev() {
        action();
    }
}

fn lock() -> std::sync::MutexGuard<'static, Vec<Action>> {
    ACTIONS
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
