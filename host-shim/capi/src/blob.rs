// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Blobs, as handles.

use fakemon_host::Blob;

use crate::arguments::{self, Place};
use crate::error::{Failure, fakemon_error, guard};

/// A checked blob, for any number of VMs. Several threads may use one at the same time.
#[derive(Debug)]
pub struct fakemon_blob(pub(crate) Blob);

/// Checks the bytes of a blob's ELF file, which may hold anything, and takes from them what is
/// needed: they are not used after this.
///
/// `*blob` is the caller's then, who ends it with `fakemon_blob_free`.
///
/// # Errors
/// It is no blob, or one of another version.
///
/// # Safety
/// `size` bytes can be read at `bytes`, and a pointer be written to `*blob`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_blob_parse(
    bytes: *const u8,
    size: usize,
    blob: *mut *mut fakemon_blob,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that the bytes can be read.
        let bytes = unsafe { arguments::slice(bytes, size, "bytes") }?;
        // SAFETY: the caller has promised that it can be written.
        let place = unsafe { Place::new(blob, "blob") }?;
        let parsed = fakemon_blob(Blob::parse(bytes)?);
        place.put(Box::into_raw(Box::new(parsed)));
        Ok(())
    })
}

/// Ends a blob. What was made with it has a copy and stays. NULL is no blob, and nothing happens.
///
/// # Safety
/// `blob` comes from `fakemon_blob_parse`, and no thread uses it now or later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_blob_free(blob: *mut fakemon_blob) {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle and nobody's any more.
        unsafe { arguments::free(blob) };
        Ok(())
    });
}

/// The blobs that an array of pointers names.
///
/// # Safety
/// `count` pointers can be read at `blobs`, each null or a blob that is not freed within `'a`.
pub(crate) unsafe fn list<'a>(
    blobs: *const *const fakemon_blob,
    count: usize,
) -> Result<Vec<&'a Blob>, Failure> {
    // SAFETY: as the caller says.
    let pointers = unsafe { arguments::slice(blobs, count, "blobs") }?;
    let blob = |(n, &pointer): (usize, &*const fakemon_blob)| {
        // SAFETY: as the caller says.
        let blob = unsafe { arguments::borrow(pointer, &format!("blobs[{n}]")) }?;
        Ok(&blob.0)
    };
    pointers.iter().enumerate().map(blob).collect()
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;
    use std::ptr;

    use super::*;
    use crate::error::fakemon_last_error;

    #[test]
    fn what_is_no_blob_is_refused_and_leaves_no_handle() {
        let mut blob = ptr::null_mut();
        // SAFETY: the bytes can be read, the pointer written.
        let refused = unsafe { fakemon_blob_parse(b"text".as_ptr(), 4, &mut blob) };
        assert_eq!(refused, fakemon_error::Blob);
        assert!(blob.is_null());
        // SAFETY: the string is this thread's and ends in NUL.
        let text = unsafe { CStr::from_ptr(fakemon_last_error()) };
        assert!(text.to_str().expect("English").contains("ELF"), "{text:?}");
    }

    #[test]
    fn a_null_blob_in_an_array_is_named() {
        let blobs = [ptr::null()];
        // SAFETY: one pointer can be read, and null is allowed.
        let refused = unsafe { list(blobs.as_ptr(), 1) }.expect_err("refused");
        assert_eq!(refused.error, fakemon_error::Vmm);
        assert_eq!(refused.text, "blobs[0] is a null pointer");
        // SAFETY: no pointer is read.
        assert!(unsafe { list(ptr::null(), 0) }.expect("none").is_empty());
    }
}
