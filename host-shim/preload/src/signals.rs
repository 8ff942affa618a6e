// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The signals of threads that are the VMM's.

use std::io;

use libc::{c_int, sigset_t};

/// Does something with all signals blocked, such as starting a thread that is to take none of the VMM's.
pub(crate) fn without<T>(work: impl FnOnce() -> T) -> T {
    let before = change(
        libc::SIG_SETMASK,
        set(|all| {
            // SAFETY: `all` is a set that can be written.
            unsafe { libc::sigfillset(all) };
        }),
    );
    let result = work();
    if let Ok(before) = before {
        let _cannot_fail = change(libc::SIG_SETMASK, before);
    }
    result
}

/// Lets a signal through to this thread, which KVM_RUN is to be interrupted by. VMMs block what they do
/// not know in the threads of their vCPUs.
pub(crate) fn let_through(signal: c_int) -> io::Result<()> {
    let only = set(|only| {
        // SAFETY: `only` is a set that can be written.
        unsafe { libc::sigaddset(only, signal) };
    });
    change(libc::SIG_UNBLOCK, only).map(drop)
}

/// Sends a signal to a thread of this process.
pub(crate) fn send(thread: c_int, signal: c_int) {
    let process = std::process::id();
    // SAFETY: tgkill touches no memory, and fails for a thread that has ended.
    unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal) };
}

/// The number of this thread.
pub(crate) fn this_thread() -> c_int {
    // SAFETY: gettid has no arguments and always succeeds.
    unsafe { libc::gettid() }
}

fn set(fill: impl FnOnce(&mut sigset_t)) -> sigset_t {
    // SAFETY: all-zero bytes are the empty set of Linux.
    let mut set = unsafe { std::mem::zeroed() };
    fill(&mut set);
    set
}

fn change(how: c_int, new: sigset_t) -> io::Result<sigset_t> {
    let mut before = set(|_| ());
    // SAFETY: both sets are there, and the second can be written.
    match unsafe { libc::pthread_sigmask(how, &new, &mut before) } {
        0 => Ok(before),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}
