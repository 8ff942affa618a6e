// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest whose console nobody reads: neither it nor its VMM may be stuck for that.

use std::os::fd::AsRawFd;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fakemon_launch::assets;
use fakemon_manifest::Board;

use crate::assets::Assets;
use crate::guest::{self, TIMEOUT};

/// The smallest pipe that there is: a page.
const PIPE: libc::c_int = 4096;
/// Between two looks at something that takes its time.
const LOOK: Duration = Duration::from_millis(50);
/// Looks without more output after which the pipe is taken for full: there is no telling how much of a
/// page a pipe leaves free. If it was not, this test has shown less, and is not wrong.
const PATIENCE: u32 = 100;

/// Once its output no longer drains, SIGTERM still ends fakemon.
pub(crate) fn ends_by_a_signal(assets: &Assets, board: &Board) -> Result<(), String> {
    let mut child = guest::command(assets, board, &[assets::blob(&board.name)], &[], "")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot start fakemon: {error}"))?;
    let result = is_ended(&mut child);
    // It has ended already if all is well.
    let _ = child.kill();
    let _ = child.wait();
    result
}

fn is_ended(child: &mut Child) -> Result<(), String> {
    let unread = child.stdout.take().ok_or("no standard output")?;
    let fd = unread.as_raw_fd();
    // SAFETY: fcntl with this command takes a number.
    let size = unsafe { libc::fcntl(fd, libc::F_SETPIPE_SZ, PIPE) };
    if size < 0 {
        return Err(std::io::Error::last_os_error().to_string());
    }
    let begun = Instant::now();
    let (mut before, mut same) = (0, 0);
    while same < PATIENCE {
        let now = waiting(fd)?;
        same = if now == before && now > 0 {
            same + 1
        } else {
            0
        };
        before = now;
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Err(format!(
                "fakemon ended before its output was full: {status}"
            ));
        }
        if begun.elapsed() > TIMEOUT {
            return Err("the guest says nothing".to_owned());
        }
        thread::sleep(LOOK);
    }
    let pid = libc::pid_t::try_from(child.id()).map_err(|error| error.to_string())?;
    // SAFETY: kill takes numbers; the child has not been waited for, so the number is still its own.
    unsafe { libc::kill(pid, libc::SIGTERM) };
    loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) if status.code() == Some(128 + libc::SIGTERM) => return Ok(()),
            Some(status) => return Err(format!("fakemon ended with {status}")),
            None if begun.elapsed() > 2 * TIMEOUT => {
                return Err("SIGTERM does not end fakemon while nobody reads".to_owned());
            }
            None => thread::sleep(LOOK),
        }
    }
}

/// Bytes in a pipe.
fn waiting(fd: libc::c_int) -> Result<libc::c_int, String> {
    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD writes an int to the address, which is one's.
    match unsafe { libc::ioctl(fd, libc::FIONREAD, &raw mut count) } {
        0 => Ok(count),
        _ => Err(std::io::Error::last_os_error().to_string()),
    }
}
