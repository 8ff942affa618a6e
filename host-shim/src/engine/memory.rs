// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The monitor VM's own memory: one anonymous mapping, laid out as `fakemon_abi::layout` says.
//!
//! The blob can write most of it at any time, so nothing here hands out references: every access is
//! a bounded copy.

use std::io;
use std::mem::offset_of;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fakemon_abi::frame::Frame;
use fakemon_abi::layout::{FRAME, GATE, TABLES_BASE, VCPU_STRIDE, vcpu_block};

use crate::blob::Blob;
use crate::engine::gate;
use crate::tables::{Access, PAGE, Tables};

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
pub(crate) struct MonitorMemory {
    base: NonNull<u8>,
    size: usize,
    pieces: Vec<Piece>,
}

// SAFETY: the mapping is plain memory that no thread owns, and all access to it is by volatile or
// bounded raw copies.
unsafe impl Send for MonitorMemory {}
// SAFETY: as above; no method makes a reference into the mapping.
unsafe impl Sync for MonitorMemory {}

impl MonitorMemory {
    /// Maps and fills the memory: the blob's segments, stage-1 tables, and a gate and frame for each
    /// of `cpus` vCPUs; `bound` tells whether returns go to KVM itself.
    ///
    /// What nobody in the monitor VM should write is read-only in stage 2 as well, so that a vCPU
    /// whose EL1 state is reset finds gate and tables as they were, even after a blob that has
    /// switched its MMU off.
    pub(crate) fn new(blob: &Blob, cpus: u32, bound: bool) -> io::Result<Arc<Self>> {
        let gate = gate::code(bound);
        let tables = stage_1(blob, cpus).to_bytes();
        let mut pieces = Vec::new();
        let mut size = 0;
        let mut piece = |address: u64, bytes: u64, writable| {
            pieces.push(Piece {
                address,
                size: bytes,
                writable,
                offset: size,
            });
            size += bytes as usize;
        };
        for segment in blob.segments() {
            piece(
                segment.address,
                segment.size,
                segment.access == Access::Write,
            );
        }
        piece(TABLES_BASE, tables.len() as u64, false);
        for cpu in 0..cpus {
            // The doorbell, below the gate, gets no memory.
            piece(vcpu_block(cpu) + GATE, PAGE, false);
            piece(vcpu_block(cpu) + FRAME, VCPU_STRIDE - FRAME, true);
        }
        let memory = MonitorMemory {
            base: map(size)?,
            size,
            pieces,
        };
        memory.load(blob);
        memory.write(TABLES_BASE, &tables);
        for cpu in 0..cpus {
            memory.write(vcpu_block(cpu) + GATE, &gate);
        }
        Ok(Arc::new(memory))
    }

    /// Makes the blob's segments what the file says, as they were when it was loaded first.
    pub(crate) fn load(&self, blob: &Blob) {
        for segment in blob.segments() {
            if let Some(start) = self.locate(segment.address, segment.size as usize) {
                // SAFETY: these are whole pages of the mapping, which is private and anonymous: they
                // are zero when they are next touched. Nothing refers to them.
                unsafe {
                    libc::madvise(
                        start.as_ptr().cast(),
                        segment.size as usize,
                        libc::MADV_DONTNEED,
                    );
                }
            }
            self.write(segment.address, &segment.data);
        }
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
    fn locate(&self, address: u64, size: usize) -> Option<NonNull<u8>> {
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
    fn write(&self, address: u64, bytes: &[u8]) {
        let to = self
            .locate(address, bytes.len())
            .expect("the layout has room for what is loaded");
        // SAFETY: `locate` found bytes.len() bytes there, and `bytes` is no part of the mapping.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to.as_ptr(), bytes.len()) };
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

    /// Counts up the word in a vCPU's frame that tells how often the guest's memory has changed.
    pub(crate) fn count_memory_change(&self, cpu: u32) {
        let place = self
            .frame(cpu)
            .as_ptr()
            .wrapping_byte_add(offset_of!(Frame, memory));
        // SAFETY: the word is inside the frame, aligned, and only ever accessed as an atomic or by
        // volatile accesses.
        let word = unsafe { AtomicU64::from_ptr(place.cast()) };
        word.fetch_add(1, Ordering::Release);
    }

    /// Where a vCPU's frame lies in this process.
    pub(crate) fn frame(&self, cpu: u32) -> NonNull<Frame> {
        let found = self.locate(vcpu_block(cpu) + FRAME, size_of::<Frame>());
        found.expect("every vCPU has a frame").cast()
    }
}

impl Drop for MonitorMemory {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `map` made, and nothing borrows from it.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.size) };
    }
}

/// The monitor's stage 1: the guest's addresses, and what the blob and each vCPU's block need.
fn stage_1(blob: &Blob, cpus: u32) -> Tables {
    use fakemon_abi::layout::{DOORBELL, STACK};
    let mut tables = Tables::new();
    for segment in blob.segments() {
        tables.map(segment.address, segment.size, segment.access);
    }
    for cpu in 0..cpus {
        let block = vcpu_block(cpu);
        tables.map(block + DOORBELL, PAGE, Access::Device);
        tables.map(block + GATE, PAGE, Access::Execute);
        tables.map(block + FRAME, PAGE, Access::Write);
        // The stack ends at the block's end, so that what lies below it is never mapped.
        let stack = u64::from(blob.note().stack);
        tables.map(block + VCPU_STRIDE - stack, stack, Access::Write);
        debug_assert!(VCPU_STRIDE - stack >= STACK);
    }
    tables
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
