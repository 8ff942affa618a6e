// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a system call has returned, as the C library tells it and as this library does.

use std::io;

use libc::c_int;

/// What a function of the C library has returned.
pub(crate) fn result(returned: i64) -> io::Result<c_int> {
    match returned {
        -1 => Err(io::Error::last_os_error()),
        other => Ok(other as c_int),
    }
}

/// What a function of the C library returns.
pub(crate) fn returned(result: io::Result<c_int>) -> c_int {
    match result {
        Ok(value) => value,
        Err(error) => {
            let number = error.raw_os_error().unwrap_or(libc::EIO);
            // SAFETY: it has no arguments and always succeeds.
            let errno = unsafe { libc::__errno_location() };
            // SAFETY: this is the address of the calling thread's own errno.
            unsafe { errno.write(number) };
            -1
        }
    }
}

/// An error of this number.
pub(crate) fn error<T>(number: c_int) -> io::Result<T> {
    Err(io::Error::from_raw_os_error(number))
}
