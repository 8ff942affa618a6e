// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Arguments as C hands them over: a pointer may be null, a number may be none of an enum's.

use std::os::fd::{BorrowedFd, RawFd};
use std::ptr::NonNull;

use crate::error::Failure;

/// The value behind a pointer.
///
/// # Safety
/// The pointer is null, or points to a `T` that nobody writes within `'a`.
pub(crate) unsafe fn borrow<'a, T>(pointer: *const T, name: &str) -> Result<&'a T, Failure> {
    // SAFETY: as the caller says.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(name))
}

/// The value behind a pointer, for changing it.
///
/// # Safety
/// The pointer is null, or points to a `T` that nobody else uses within `'a`.
pub(crate) unsafe fn borrow_mut<'a, T>(pointer: *mut T, name: &str) -> Result<&'a mut T, Failure> {
    // SAFETY: as the caller says.
    unsafe { pointer.as_mut() }.ok_or_else(|| null(name))
}

/// The values from a pointer on; it may be null if there are none.
///
/// # Safety
/// The pointer is null, or `count` of `T` begin there, which nobody writes within `'a`.
pub(crate) unsafe fn slice<'a, T>(
    pointer: *const T,
    count: usize,
    name: &str,
) -> Result<&'a [T], Failure> {
    if count == 0 {
        return Ok(&[]);
    }
    let pointer = NonNull::new(pointer.cast_mut()).ok_or_else(|| null(name))?;
    // SAFETY: as the caller says; it is not null.
    Ok(unsafe { std::slice::from_raw_parts(pointer.as_ptr(), count) })
}

/// The values from a pointer on, for changing them; it may be null if there are none.
///
/// # Safety
/// The pointer is null, or `count` of `T` begin there, which nobody else uses within `'a`.
pub(crate) unsafe fn slice_mut<'a, T>(
    pointer: *mut T,
    count: usize,
    name: &str,
) -> Result<&'a mut [T], Failure> {
    if count == 0 {
        return Ok(&mut []);
    }
    let pointer = NonNull::new(pointer).ok_or_else(|| null(name))?;
    // SAFETY: as the caller says; it is not null.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer.as_ptr(), count) })
}

/// A place for a result, whatever is in it.
#[derive(Debug)]
pub(crate) struct Place<T>(NonNull<T>);

impl<T> Place<T> {
    /// Checks the pointer to it.
    ///
    /// # Safety
    /// The pointer is null, or a `T` can be written there as long as the result is used.
    pub(crate) unsafe fn new(pointer: *mut T, name: &str) -> Result<Self, Failure> {
        NonNull::new(pointer).map(Place).ok_or_else(|| null(name))
    }

    /// Puts the result there. What was there before is not looked at.
    pub(crate) fn put(self, value: T) {
        // SAFETY: whoever made this lets a `T` be written there.
        unsafe { self.0.write(value) };
    }
}

/// Takes a handle back that `Box::into_raw` has given out, and ends it.
///
/// # Safety
/// The pointer is null, or comes from there and is not used any more.
pub(crate) unsafe fn free<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: as the caller says.
        drop(unsafe { Box::from_raw(handle) });
    }
}

/// A file of the VMM's.
///
/// # Safety
/// The descriptor is negative, or open within `'a`.
pub(crate) unsafe fn file<'a>(fd: RawFd, name: &str) -> Result<BorrowedFd<'a>, Failure> {
    if fd < 0 {
        return Err(Failure::vmm(format!("{name} is {fd}, not an open file")));
    }
    // SAFETY: it is not -1, and open as the caller says.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// What a number stands for.
pub(crate) fn choose<T: Copy>(name: &str, number: u32, choices: &[(u32, T)]) -> Result<T, Failure> {
    let found = choices.iter().find(|(known, _)| *known == number);
    found
        .map(|&(_, choice)| choice)
        .ok_or_else(|| Failure::vmm(format!("{name} {number} is none that fakemon.h names")))
}

fn null(name: &str) -> Failure {
    Failure::vmm(format!("{name} is a null pointer"))
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;

    #[test]
    fn a_null_pointer_is_refused_by_name() {
        let refusals = [
            // SAFETY: null is allowed.
            unsafe { borrow(ptr::null::<u8>(), "a") }.map(drop),
            // SAFETY: null is allowed.
            unsafe { borrow_mut(ptr::null_mut::<u8>(), "a") }.map(drop),
            // SAFETY: null is allowed.
            unsafe { slice(ptr::null::<u8>(), 1, "a") }.map(drop),
            // SAFETY: null is allowed.
            unsafe { slice_mut(ptr::null_mut::<u8>(), 1, "a") }.map(drop),
            // SAFETY: null is allowed.
            unsafe { Place::new(ptr::null_mut::<u8>(), "a") }.map(drop),
        ];
        for refusal in refusals {
            assert_eq!(refusal.expect_err("refused").text, "a is a null pointer");
        }
    }

    #[test]
    fn nothing_at_all_may_lie_at_a_null_pointer() {
        // SAFETY: null is allowed.
        let nothing = unsafe { slice(ptr::null::<u8>(), 0, "a") };
        assert_eq!(nothing.expect("taken"), []);
        // SAFETY: null is allowed.
        unsafe { free(ptr::null_mut::<u8>()) };
    }

    #[test]
    fn a_place_need_not_hold_a_value() {
        let mut place = std::mem::MaybeUninit::<u64>::uninit();
        // SAFETY: a u64 can be written there.
        let there = unsafe { Place::new(place.as_mut_ptr(), "place") };
        there.expect("a place").put(7);
        // SAFETY: it has been written.
        assert_eq!(unsafe { place.assume_init() }, 7);
    }

    #[test]
    fn a_descriptor_that_cannot_be_open_is_refused() {
        // SAFETY: negative ones are allowed.
        let refused = unsafe { file(-1, "kvm_fd") }.expect_err("refused");
        assert_eq!(refused.text, "kvm_fd is -1, not an open file");
    }

    #[test]
    fn a_number_without_a_meaning_is_refused() {
        let choices = [(0, 'a'), (2, 'b')];
        assert_eq!(choose("letter", 2, &choices).expect("known"), 'b');
        let refused = choose("letter", 1, &choices).expect_err("refused");
        assert_eq!(refused.text, "letter 1 is none that fakemon.h names");
    }
}
