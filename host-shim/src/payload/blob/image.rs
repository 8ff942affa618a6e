// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A blob in the memory of its monitor VM, laid out as `fakemon_abi::layout` says: its segments,
//! stage-1 tables, and for each vCPU a gate, a frame and a stack.

use std::io;
use std::sync::Arc;

use fakemon_abi::layout::{DOORBELL, FRAME, GATE, STACK, TABLES_BASE, VCPU_STRIDE, vcpu_block};

use crate::blob::Blob;
use crate::monitor::memory::Memory;
use crate::payload::blob::gate;
use crate::tables::{Access, PAGE, Tables};

/// Makes and fills the memory for `cpus` vCPUs; `bound` tells whether returns go to KVM itself.
///
/// What nobody in the monitor VM should write is read-only in stage 2 as well, so that a vCPU whose
/// EL1 state is reset finds gate and tables as they were, even after a blob that has switched its MMU
/// off.
pub(crate) fn new(blob: &Blob, cpus: u32, bound: bool) -> io::Result<Arc<Memory>> {
    let tables = stage_1(blob, cpus).to_bytes();
    let segments = blob.segments().iter();
    let segments = segments.map(|own| (own.address, own.size, own.access == Access::Write));
    let blocks = (0..cpus).map(vcpu_block).flat_map(|block| {
        // The doorbell, below the gate, gets no memory.
        let frame_and_stack = (block + FRAME, VCPU_STRIDE - FRAME, true);
        [(block + GATE, PAGE, false), frame_and_stack]
    });
    let tables_piece = [(TABLES_BASE, tables.len() as u64, false)];
    let memory = Memory::new(segments.chain(tables_piece).chain(blocks))?;
    load(&memory, blob);
    memory.write(TABLES_BASE, &tables);
    let gate = gate::code(bound);
    for cpu in 0..cpus {
        memory.write(vcpu_block(cpu) + GATE, &gate);
    }
    Ok(memory)
}

/// Makes the blob's segments what the file says, as they were when it was loaded first.
pub(crate) fn load(memory: &Memory, blob: &Blob) {
    for segment in blob.segments() {
        memory.clear(segment.address, segment.size);
        memory.write(segment.address, &segment.data);
    }
}

/// The monitor's stage 1: the guest's addresses, and what the blob and each vCPU's block need.
fn stage_1(blob: &Blob, cpus: u32) -> Tables {
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
