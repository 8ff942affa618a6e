// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Errors as C has them: a number from the function, and a text for who asks next.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Whose fault it is that a function failed. What happened and what to do about it is said by
/// `fakemon_last_error`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum fakemon_error {
    /// Nobody's: it has not failed.
    None = 0,
    /// The VMM's: an argument that is null or has no such value, or a call out of turn.
    Vmm = 1,
    /// The blob's: it is no blob, is made for other guests, or failed during a call and the
    /// configuration is to stop then.
    Blob = 2,
    /// The host's: its kernel lacks something or refused something.
    Host = 3,
    /// This library's: a mistake that it has noticed. Of the handles that were handed over no other
    /// use is left than to free them.
    Internal = 4,
}

/// Why a function fails.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: fakemon_error,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(error: fakemon_error, text: impl Display) -> Self {
        let text = text.to_string();
        Failure { error, text }
    }

    pub(crate) fn vmm(text: impl Display) -> Self {
        Failure::new(fakemon_error::Vmm, text)
    }
}

impl From<fakemon_host::BlobError> for Failure {
    fn from(error: fakemon_host::BlobError) -> Self {
        Failure::new(fakemon_error::Blob, error)
    }
}

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod of_engine {
    use fakemon_host::{Error, FilterError, RegisterError};

    use super::{Failure, fakemon_error};

    impl From<Error> for Failure {
        fn from(error: Error) -> Self {
            let whose = match error {
                Error::Filter(error) => return error.into(),
                Error::Blob(_) | Error::WrongCaller { .. } => fakemon_error::Blob,
                Error::Kvm { .. }
                | Error::Register(_)
                | Error::Memory(_)
                | Error::Watchdog(_)
                | Error::NoKernelEngine => fakemon_error::Host,
                _ => fakemon_error::Vmm,
            };
            Failure::new(whose, error)
        }
    }

    impl From<FilterError> for Failure {
        fn from(error: FilterError) -> Self {
            let whose = match error {
                FilterError::Unsupported | FilterError::Kvm(_) => fakemon_error::Host,
                _ => fakemon_error::Vmm,
            };
            Failure::new(whose, error)
        }
    }

    impl From<RegisterError> for Failure {
        fn from(error: RegisterError) -> Self {
            Failure::new(fakemon_error::Host, error)
        }
    }
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
}

/// What the last function that failed on this thread has to say, in English and without a newline;
/// an empty string if none has.
///
/// The string is the library's. It stays as it is until another function fails on this thread, or
/// the thread ends.
#[unsafe(no_mangle)]
pub extern "C" fn fakemon_last_error() -> *const c_char {
    LAST.try_with(|last| last.borrow().as_ptr())
        .unwrap_or(c"".as_ptr())
}

/// Does what a function is to do: keeps the text of a failure, and panics from getting into C.
///
/// A panic may leave a handle half changed. That is no matter of memory safety, as the library's own
/// types are what a panic leaves, and they are sound; but what they say may be wrong, so the header
/// leaves the VMM nothing to do with them but to free them.
pub(crate) fn guard(body: impl FnOnce() -> Result<(), Failure>) -> fakemon_error {
    let result = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        let text = format!("a mistake in Fake Monitor: {}", text_of(&*panic));
        // What is thrown may panic when it is dropped, and then outside of `catch_unwind`.
        std::mem::forget(panic);
        Err(Failure::new(fakemon_error::Internal, text))
    });
    match result {
        Ok(()) => fakemon_error::None,
        Err(failure) => {
            let text = failure.text.replace('\0', "?");
            let text = CString::new(text).unwrap_or_default();
            // A thread that is ending has no place for it any more.
            let _no_place = LAST.try_with(|last| last.replace(text));
            failure.error
        }
    }
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a text")
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    fn last() -> String {
        // SAFETY: the string is this thread's, ends in NUL, and no function fails meanwhile.
        let text = unsafe { CStr::from_ptr(fakemon_last_error()) };
        text.to_str().expect("English").to_owned()
    }

    #[test]
    fn a_failure_is_a_number_and_a_text_that_a_success_leaves_alone() {
        assert_eq!(last(), "");
        let failed = guard(|| Err(Failure::vmm("no such thing\0")));
        assert_eq!(failed, fakemon_error::Vmm);
        assert_eq!(last(), "no such thing?");
        assert_eq!(guard(|| Ok(())), fakemon_error::None);
        assert_eq!(last(), "no such thing?");
    }

    #[test]
    fn a_panic_ends_as_an_error_of_this_library() {
        let number = 7;
        assert_eq!(guard(|| panic!("at {number}")), fakemon_error::Internal);
        assert_eq!(last(), "a mistake in Fake Monitor: at 7");
        assert_eq!(guard(|| panic!("plain")), fakemon_error::Internal);
        assert_eq!(last(), "a mistake in Fake Monitor: plain");
    }

    #[test]
    fn a_panic_whose_payload_panics_when_dropped_does_not_get_out() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        let ended = guard(|| std::panic::panic_any(Bomb));
        assert_eq!(ended, fakemon_error::Internal);
    }

    #[test]
    fn the_text_of_another_thread_is_another() {
        let _failed = guard(|| Err(Failure::vmm("here")));
        let there = std::thread::spawn(last).join().expect("it ends");
        assert_eq!((there.as_str(), last().as_str()), ("", "here"));
    }
}
