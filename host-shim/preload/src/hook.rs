// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The functions of the C library in whose place this library's stand.
//!
//! On arm64 Linux a variadic function has its arguments in the same registers as any other.

use std::cell::Cell;
use std::io;

use libc::{c_int, c_ulong, c_void};

use crate::{errno, ioctls, kvm, table};

thread_local! {
    /// This library's own calls come here as well.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Marks that what this thread calls is this library's doing, as long as it lives.
struct Inside;

impl Inside {
    /// [`None`] if it is marked already.
    fn enter() -> Option<Inside> {
        match INSIDE.replace(true) {
            true => None,
            false => Some(Inside),
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(false);
    }
}

/// ioctl(2).
///
/// # Safety
/// As ioctl(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioctl(fd: c_int, request: c_ulong, argument: *mut c_void) -> c_int {
    let number = request as u32;
    let inside = match number >> 8 & 0xff {
        kvm::KVMIO => Inside::enter(),
        _ => None,
    };
    let result = match inside {
        // SAFETY: the caller's arguments, handed on.
        Some(_) => unsafe { ioctls::on_kvm(fd, number, argument) },
        // SAFETY: the caller's arguments, handed on; the kernel takes as many bits of the request.
        None => unsafe { kvm::ioctl(fd, number, argument) },
    };
    drop(inside);
    errno::returned(result)
}

/// close(2).
///
/// # Safety
/// As close(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn close(fd: c_int) -> c_int {
    if let Some(_inside) = Inside::enter() {
        // Before it is closed: its number can be another thread's right after.
        table::remove(fd);
    }
    // SAFETY: the caller's argument, handed on.
    errno::returned(errno::result(unsafe { libc::syscall(libc::SYS_close, fd) }))
}

/// dup(2).
///
/// # Safety
/// As dup(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dup(fd: c_int) -> c_int {
    // SAFETY: the caller's argument, handed on.
    let new = errno::result(unsafe { libc::syscall(libc::SYS_dup, fd) });
    errno::returned(duplicated(fd, new))
}

/// dup2(2).
///
/// # Safety
/// As dup2(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dup2(fd: c_int, to: c_int) -> c_int {
    if fd == to {
        // Nothing happens, and that it is open is all that is to be told.
        // SAFETY: fcntl(F_GETFD) touches no memory.
        let open = errno::result(unsafe { libc::syscall(libc::SYS_fcntl, fd, libc::F_GETFD) });
        return errno::returned(open.map(|_| to));
    }
    // SAFETY: as the caller says.
    unsafe { dup3(fd, to, 0) }
}

/// dup3(2).
///
/// # Safety
/// As dup3(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dup3(fd: c_int, to: c_int, flags: c_int) -> c_int {
    // SAFETY: the caller's arguments, handed on.
    let new = errno::result(unsafe { libc::syscall(libc::SYS_dup3, fd, to, flags) });
    errno::returned(duplicated(fd, new))
}

/// fcntl(2).
///
/// # Safety
/// As fcntl(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fcntl(fd: c_int, command: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: the caller's arguments, handed on.
    let result = errno::result(unsafe { libc::syscall(libc::SYS_fcntl, fd, command, argument) });
    errno::returned(match command {
        libc::F_DUPFD | libc::F_DUPFD_CLOEXEC => duplicated(fd, result),
        _ => result,
    })
}

/// fcntl(2) as glibc calls it in programs with large files.
///
/// # Safety
/// As fcntl(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fcntl64(fd: c_int, command: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: as the caller says.
    unsafe { fcntl(fd, command, argument) }
}

fn duplicated(fd: c_int, new: io::Result<c_int>) -> io::Result<c_int> {
    if let (Ok(new), Some(_inside)) = (&new, Inside::enter()) {
        table::duplicate(fd, *new);
    }
    new
}
