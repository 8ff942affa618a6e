// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A monitor VM's own memory: one anonymous mapping, in pieces.
//!
//! A payload can write most of it at any time, so nothing here hands out references: every access is
//! a bounded copy.

use std::io;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use crate::tables::PAGE;

/// One piece of the monitor VM's address space that has memory behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Address in the monitor VM.
    pub(crate) address: u64,
    /// Size in bytes, a multiple of [`PAGE`].
    pub(crate) size: u64,
    /// Stage 2 lets the monitor VM write it.
    pub(crate) writable: bool,
    /// Offset in the mapping.
    offset: usize,
}

/// The mapping; it lives as long as the monitor VM or one of its vCPUs.
#[derive(Debug)]
pub(crate) struct Memory {
    base: NonNull<u8>,
    size: usize,
    pieces: Vec<Piece>,
}

// SAFETY: the mapping is plain memory that no thread owns, and all access to it is by volatile or
// bounded raw copies.
unsafe impl Send for Memory {}
// SAFETY: as above; no method makes a reference into the mapping.
unsafe impl Sync for Memory {}

impl Memory {
    /// Maps memory for `layout`, whose entries are an address and a size in the monitor VM, and whether
    /// the monitor VM can write there.
    pub(crate) fn new(layout: impl IntoIterator<Item = (u64, u64, bool)>) -> io::Result<Arc<Self>> {
        let mut pieces = Vec::new();
        let mut mapped = 0;
        for (address, size, writable) in layout {
            pieces.push(Piece {
                address,
                size,
                writable,
                offset: mapped,
            });
            mapped += size as usize;
        }
        Ok(Arc::new(Memory {
            base: map(mapped)?,
            size: mapped,
            pieces,
        }))
    }

    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Address in this process of a piece's first byte.
    pub(crate) fn host_address(&self, piece: &Piece) -> u64 {
        self.base.as_ptr().expose_provenance() as u64 + piece.offset as u64
    }

    /// Where `size` bytes at `address` lie in the mapping; [`None`] unless one piece holds them
    /// all.
    pub(crate) fn locate(&self, address: u64, size: usize) -> Option<NonNull<u8>> {
        let piece = self
            .pieces
            .iter()
            .find(|p| address >= p.address && address - p.address < p.size)?;
        let inside = address - piece.address;
        if size as u64 > piece.size - inside {
            return None;
        }
        // SAFETY: pieces lie within the mapping one after the other, and `inside + size` is within
        // this one.
        Some(unsafe { self.base.add(piece.offset + inside as usize) })
    }

    /// Copies bytes into the monitor's memory; what has no memory behind it is a mistake of this
    /// library.
    pub(crate) fn write(&self, address: u64, bytes: &[u8]) {
        let to = self
            .locate(address, bytes.len())
            .expect("the layout has room for what is loaded");
        // SAFETY: `locate` found bytes.len() bytes there, and `bytes` is no part of the mapping.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to.as_ptr(), bytes.len()) };
    }

    /// Makes whole pages zero, as they were when they were mapped.
    pub(crate) fn clear(&self, address: u64, size: u64) {
        assert!(size.is_multiple_of(PAGE) && address.is_multiple_of(PAGE));
        if let Some(start) = self.locate(address, size as usize) {
            // SAFETY: these are whole pages of the mapping, which is private and anonymous: they are
            // zero when they are next touched. Nothing refers to them.
            unsafe { libc::madvise(start.as_ptr().cast(), size as usize, libc::MADV_DONTNEED) };
        }
    }

    /// Copies bytes out, for example of a message of the blob; [`None`] where there is no memory.
    pub(crate) fn read(&self, address: u64, size: usize) -> Option<Vec<u8>> {
        let from = self.locate(address, size)?;
        let mut bytes = vec![0; size];
        // SAFETY: `locate` found `size` bytes there; a vCPU that writes them meanwhile changes
        // bytes, nothing else.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), bytes.as_mut_ptr(), size) };
        Some(bytes)
    }

    /// Bytes of the mapping that have a page behind them.
    pub(crate) fn touched(&self) -> io::Result<u64> {
        let mut pages = vec![0; self.size.div_ceil(PAGE as usize)];
        // SAFETY: the mapping is this long, and `pages` has a byte for each of its pages.
        let result =
            unsafe { libc::mincore(self.base.as_ptr().cast(), self.size, pages.as_mut_ptr()) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        let there = pages.iter().filter(|&&page| page & 1 != 0);
        Ok(there.count() as u64 * PAGE)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `map` made, and nothing borrows from it.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.size) };
    }
}

fn map(size: usize) -> io::Result<NonNull<u8>> {
    // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no existing
    // memory.
    let base = unsafe {
        libc::mmap(
            ptr::null_mut(),
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    if base == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // A huge page would make each vCPU's few touched pages cost two megabytes. Failure costs only
    // memory. SAFETY: the advice is about the mapping just made.
    unsafe { libc::madvise(base, size, libc::MADV_NOHUGEPAGE) };
    NonNull::new(base.cast()).ok_or_else(|| io::Error::other("a mapping at address zero"))
}
