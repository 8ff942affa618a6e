// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Linux's random numbers.

/// Fills `words`; false if there is no randomness to be had.
pub(crate) fn entropy(words: &mut [u64]) -> bool {
    let size = size_of_val(words);
    // SAFETY: any bytes are a `u64`, and the kernel writes `size` bytes at most, for which there is
    // room.
    let got = unsafe { libc::getrandom(words.as_mut_ptr().cast(), size, 0) };
    usize::try_from(got).is_ok_and(|got| got == size)
}
