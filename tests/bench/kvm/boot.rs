// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A program's processor time.

use std::io;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// How often it runs. A kernel seeds itself with entropy and measures its timers, so that two boots
/// differ by up to two percent.
const RUNS: usize = 5;

/// Runs a program to its end, several times. The median of its processor time leaves out what the
/// host slept, which QEMU's clock passes over without an instruction.
pub(crate) fn measure(program: &str, arguments: &[&str]) -> io::Result<Value> {
    let mut costs = [0; RUNS];
    for cost in &mut costs {
        let before = of_children()?;
        let status = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()?;
        if !status.success() {
            return Err(io::Error::other(format!("the guest failed: {status}")));
        }
        *cost = of_children()? - before;
    }
    costs.sort_unstable();
    Ok(json!({ "cost": costs[RUNS / 2] * 1000 }))
}

/// Microseconds of processor time of all programs that have ended.
fn of_children() -> io::Result<i64> {
    // SAFETY: all-zero bytes are a valid rusage.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is valid for writing.
    if unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let microseconds = |time: libc::timeval| time.tv_sec * 1_000_000 + time.tv_usec;
    Ok(microseconds(usage.ru_utime) + microseconds(usage.ru_stime))
}
