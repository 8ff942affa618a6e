// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A vCPU's frame as the host sees it: words that the blob may change at any time.

use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fakemon_abi::frame::{Frame, REGS};
use fakemon_abi::hostcall::HostCall;
use fakemon_abi::layout::{FRAME, vcpu_block};

use crate::monitor::memory::Memory;

/// Offsets of the words that the engine reads and writes.
pub(crate) const ELR: usize = Frame::ELR;
pub(crate) const SPSR: usize = offset_of!(Frame, spsr);
pub(crate) const ESR: usize = Frame::ESR;
pub(crate) const FAR: usize = offset_of!(Frame, far);
pub(crate) const ENTRY: usize = Frame::ENTRY;
pub(crate) const SP: usize = offset_of!(Frame, sp);
pub(crate) const LR: usize = Frame::LR;
pub(crate) const TAKEN: usize = offset_of!(Frame, taken);
pub(crate) const CALL_NR: usize = offset_of!(Frame, call) + offset_of!(HostCall, nr);
pub(crate) const CALL_STATUS: usize = offset_of!(Frame, call) + offset_of!(HostCall, status);
pub(crate) const MEMORY: usize = offset_of!(Frame, memory);
const CPU: usize = offset_of!(Frame, cpu);
const CALL_ARGS: usize = offset_of!(Frame, call) + offset_of!(HostCall, args);
const CALL_RESULTS: usize = offset_of!(Frame, call) + offset_of!(HostCall, results);

/// Offset of x`n`.
pub(crate) const fn x(n: usize) -> usize {
    offset_of!(Frame, x) + 8 * n
}

/// Offset of a host call's argument `n`.
pub(crate) const fn call_arg(n: usize) -> usize {
    CALL_ARGS + 8 * n
}

/// Offset of a host call's result `n`.
pub(crate) const fn call_result(n: usize) -> usize {
    CALL_RESULTS + 8 * n
}

/// Where a vCPU's frame lies in this process.
fn find(memory: &Memory, cpu: u32) -> NonNull<Frame> {
    let found = memory.locate(vcpu_block(cpu) + FRAME, size_of::<Frame>());
    found.expect("every vCPU has a frame").cast()
}

/// Counts up the word in a vCPU's frame that tells how often the guest's memory has changed.
pub(crate) fn count_memory_changes(memory: &Memory, cpu: u32, changes: u64) {
    let place = find(memory, cpu).as_ptr();
    let place = place.wrapping_byte_add(MEMORY);
    // SAFETY: the word is inside the frame, aligned, and only ever accessed as an atomic or by volatile
    // accesses.
    let word = unsafe { AtomicU64::from_ptr(place.cast()) };
    word.fetch_add(changes, Ordering::Release);
}

/// One vCPU's frame, with the memory that it lies in.
#[derive(Debug)]
pub(crate) struct FramePtr {
    words: NonNull<u64>,
    _memory: Arc<Memory>,
}

// SAFETY: the pointer is valid as long as the memory that it keeps mapped, on any thread.
unsafe impl Send for FramePtr {}

impl FramePtr {
    /// Takes the frame of vCPU `cpu` of `cpus`, and fills in what never changes.
    pub(crate) fn new(memory: &Arc<Memory>, cpu: u32, cpus: u32) -> Self {
        let frame = FramePtr {
            words: find(memory, cpu).cast(),
            _memory: memory.clone(),
        };
        frame.introduce(cpu, cpus);
        frame
    }

    /// Fills in what never changes: which vCPU this is, of how many.
    pub(crate) fn introduce(&self, cpu: u32, cpus: u32) {
        self.set(CPU, u64::from(cpu) | u64::from(cpus) << 32);
    }

    fn word(&self, offset: usize) -> NonNull<u64> {
        assert!(offset.is_multiple_of(8) && offset + 8 <= size_of::<Frame>());
        // SAFETY: the assertion keeps the word within the frame, which `find` found mapped
        // as a whole.
        unsafe { self.words.byte_add(offset) }
    }

    /// Reads the word at `offset` once.
    pub(crate) fn get(&self, offset: usize) -> u64 {
        // SAFETY: `word` is a mapped, aligned word; any bit pattern is a u64.
        unsafe { self.word(offset).read_volatile() }
    }

    /// Writes x0 to x17.
    pub(crate) fn set_x(&self, values: &[u64; REGS]) {
        let place = self.word(x(0)).cast::<[u64; REGS]>();
        // SAFETY: the frame, which is mapped as a whole and aligned, begins with an array of as many
        // registers, to which no reference points.
        unsafe { place.write_volatile(*values) };
    }

    /// Writes the word at `offset`.
    pub(crate) fn set(&self, offset: usize, value: u64) {
        // SAFETY: `word` is a mapped, aligned word that no reference points to.
        unsafe { self.word(offset).write_volatile(value) }
    }
}
