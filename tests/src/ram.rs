// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest's RAM in this process.

/// Guest physical address of RAM; programs start here.
pub const RAM: u64 = 0x4000_0000;
/// Bytes of RAM.
pub const RAM_SIZE: u64 = 0x20_0000;

/// The guest's RAM: an anonymous shared mapping that nobody refers to.
#[derive(Debug)]
pub struct Ram(*mut u8);

// SAFETY: the mapping belongs to no thread, and every access is a copy through the raw pointer.
unsafe impl Send for Ram {}
// SAFETY: as above.
unsafe impl Sync for Ram {}

impl Default for Ram {
    fn default() -> Self {
        Ram::new()
    }
}

impl Ram {
    /// Maps [`RAM_SIZE`] bytes, all zero.
    ///
    /// # Panics
    /// There is no memory.
    pub fn new() -> Ram {
        // SAFETY: a new anonymous mapping touches no existing memory.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                RAM_SIZE as usize,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(base, libc::MAP_FAILED, "memory for the guest");
        Ram(base.cast())
    }

    /// Where it is mapped in this process.
    pub fn address(&self) -> u64 {
        self.0.expose_provenance() as u64
    }

    fn at(&self, address: u64, size: usize) -> *mut u8 {
        let offset = address.checked_sub(RAM).expect("an address in RAM");
        assert!(offset + size as u64 <= RAM_SIZE, "bytes in RAM");
        // SAFETY: the assertion keeps the result within the mapping.
        unsafe { self.0.add(offset as usize) }
    }

    /// Copies bytes to a guest physical address from [`RAM`] up.
    ///
    /// # Panics
    /// They do not fit there.
    pub fn write(&self, address: u64, bytes: &[u8]) {
        // SAFETY: `at` has room for all bytes, and no reference points there.
        unsafe {
            std::ptr::copy_nonoverlapping(
                bytes.as_ptr(),
                self.at(address, bytes.len()),
                bytes.len(),
            )
        };
    }

    /// Copies bytes from a guest physical address from [`RAM`] up.
    ///
    /// # Panics
    /// There are not so many.
    pub fn read(&self, address: u64, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        // SAFETY: `at` has that many bytes, and no reference points there.
        unsafe { std::ptr::copy_nonoverlapping(self.at(address, size), bytes.as_mut_ptr(), size) };
        bytes
    }
}

impl Drop for Ram {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `new` made; the machine drops its vCPUs first.
        unsafe { libc::munmap(self.0.cast(), RAM_SIZE as usize) };
    }
}
