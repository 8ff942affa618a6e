// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A blob in the memory of its monitor VM: its segments, stage-1 tables, and for each vCPU a gate, a frame
//! and a stack. Where they lie is `crate::layout`'s to say.

use std::io;
use std::sync::Arc;

use fakemon_abi::layout::{FRAME, GATE, TABLES_BASE, vcpu_block};

use crate::blob::{Blob, Segment};
use crate::layout::{Stage2, blob::plan};
use crate::monitor::memory::Memory;
use crate::payload::blob::gate;

/// Makes and fills the memory for `cpus` vCPUs; `bound` tells whether returns go to KVM itself.
pub(crate) fn new(blob: &Blob, cpus: u32, bound: bool, stage_2: Stage2) -> io::Result<Arc<Memory>> {
    let stack = u64::from(blob.note().stack);
    let (layout, tables) = plan(blob.segments(), stack, cpus, stage_2);
    let memory = Memory::new(layout)?;
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
        memory.clear(segment.address);
        memory.write(segment.address, &segment.data);
    }
}

/// Copies out what the blob remembers: the segments that it can write, one after the other.
pub(crate) fn data(memory: &Memory, blob: &Blob) -> Vec<u8> {
    let segments = blob.data_segments();
    let copy = |segment: &Segment| memory.read(segment.address, segment.size as usize);
    let parts = segments.map(|segment| copy(segment).expect("every segment has memory"));
    parts.collect::<Vec<_>>().concat()
}

/// Puts that back, as many bytes as [`data`] has.
pub(crate) fn set_data(memory: &Memory, blob: &Blob, mut data: &[u8]) {
    for segment in blob.data_segments() {
        let (own, others) = data.split_at(segment.size as usize);
        memory.write(segment.address, own);
        data = others;
    }
}

/// Makes a vCPU's frame and stack zero.
pub(crate) fn clear_block(memory: &Memory, cpu: u32) {
    memory.clear(vcpu_block(cpu) + FRAME);
}
