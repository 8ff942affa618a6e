// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A monitor VM's own memory: one anonymous mapping, in pieces.
//!
//! A payload can write most of it at any time, so nothing here hands out references: every access is
//! a bounded copy.

use std::io;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use crate::layout::{Backing, Layout, Piece};

/// The mapping; it lives as long as the monitor VM or one of its vCPUs.
#[derive(Debug)]
pub(crate) struct Memory {
    base: NonNull<u8>,
    size: usize,
    layout: Layout,
    /// The pieces that have memory, ascending by address, with their offsets in the mapping, which are
    /// multiples of the host's page.
    pieces: Vec<(Piece, usize)>,
}

// SAFETY: the mapping is plain memory that no thread owns, and all access to it is by volatile or
// bounded raw copies.
unsafe impl Send for Memory {}
// SAFETY: as above; no method makes a reference into the mapping.
unsafe impl Sync for Memory {}

impl Memory {
    /// Maps memory for the pieces of `layout` that have some.
    pub(crate) fn new(layout: Layout) -> io::Result<Arc<Self>> {
        let mut pieces = Vec::new();
        let mut mapped = 0;
        for piece in layout.pieces() {
            if piece.backing != Backing::Hole {
                pieces.push((*piece, mapped));
                mapped += layout.room(piece.size) as usize;
            }
        }
        pieces.sort_by_key(|(piece, _)| piece.address);
        Ok(Arc::new(Memory {
            base: map(mapped)?,
            size: mapped,
            layout,
            pieces,
        }))
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The pieces that have memory, with the address in this process of their first bytes.
    pub(crate) fn pieces(&self) -> impl ExactSizeIterator<Item = (&Piece, u64)> {
        let base = self.base.as_ptr().expose_provenance() as u64;
        let pieces = self.pieces.iter();
        pieces.map(move |(piece, offset)| (piece, base + *offset as u64))
    }

    /// Where `size` bytes at `address` lie in the mapping; [`None`] unless one piece holds them
    /// all.
    pub(crate) fn locate(&self, address: u64, size: usize) -> Option<NonNull<u8>> {
        let (piece, offset) = self
            .pieces
            .iter()
            .find(|(p, _)| address >= p.address && address - p.address < p.size)?;
        let inside = address - piece.address;
        if size as u64 > piece.size - inside {
            return None;
        }
        // SAFETY: pieces lie within the mapping one after the other, and `inside + size` is within
        // this one.
        Some(unsafe { self.base.add(offset + inside as usize) })
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

    /// Makes the piece that begins at `address` zero, as it was when it was mapped, and gives its pages
    /// back where the kernel takes them.
    pub(crate) fn clear(&self, address: u64) {
        let found = self
            .pieces
            .iter()
            .find(|(piece, _)| piece.address == address);
        let (piece, offset) =
            found.expect("the layout has a piece for each part of what is loaded");
        let size = self.layout.room(piece.size) as usize;
        // SAFETY: pieces lie within the mapping one after the other.
        let start = unsafe { self.base.add(*offset) }.as_ptr();
        // SAFETY: these are whole pages of the mapping, this piece's alone, which is private and
        // anonymous: they are zero when they are next touched. Nothing refers to them.
        let given_back = unsafe { libc::madvise(start.cast(), size, libc::MADV_DONTNEED) } == 0;
        if !given_back {
            // They are locked into memory (mlockall(2)).
            // SAFETY: `size` bytes from `start` on are the piece's, and no reference points to them.
            unsafe { start.write_bytes(0, size) };
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
        let page = self.layout.stage_2().page;
        let mut pages = vec![0; self.size.div_ceil(page as usize)];
        // SAFETY: the mapping is this long, and `pages` has a byte for each of its pages.
        let result =
            unsafe { libc::mincore(self.base.as_ptr().cast(), self.size, pages.as_mut_ptr()) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        let there = pages.iter().filter(|&&page| page & 1 != 0);
        Ok(there.count() as u64 * page)
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
