// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The pieces of a blob's monitor VM, as `fakemon_abi::layout` names them, and its stage 1.

use fakemon_abi::layout::{DOORBELL, FRAME, GATE, STACK, TABLES_BASE, VCPU_STRIDE, vcpu_block};

use crate::blob::Segment;
use crate::layout::{Backing, Layout, Stage2};
use crate::tables::{Access, PAGE, Tables};

/// Lays out a blob for `cpus` vCPUs with `stack` bytes of stack each. The second part of the result are
/// the tables of stage 1, the contents of the last piece.
///
/// What nobody in the monitor VM should write is read-only in stage 2 as well, so that a vCPU whose
/// EL1 state is reset finds gate and tables as they were, even after a blob that has switched its MMU
/// off.
pub(crate) fn plan(
    segments: &[Segment],
    stack: u64,
    cpus: u32,
    stage_2: Stage2,
) -> (Layout, Vec<u8>) {
    let mut layout = Layout::new(stage_2);
    for segment in segments {
        let backing = match segment.access {
            Access::Write => Backing::Memory,
            _ => Backing::ReadOnly,
        };
        layout.add(segment.address, segment.size, backing);
    }
    for cpu in 0..cpus {
        let block = vcpu_block(cpu);
        layout.add(block + DOORBELL, PAGE, Backing::Hole);
        layout.add(block + GATE, PAGE, Backing::ReadOnly);
        layout.add(block + FRAME, VCPU_STRIDE - FRAME, Backing::Memory);
    }
    // They come last, as their size depends on all else; stage 1 does not map them.
    let tables = stage_1(segments, stack, cpus, &layout).to_bytes();
    layout.add(TABLES_BASE, tables.len() as u64, Backing::ReadOnly);
    (layout, tables)
}

/// The guest's addresses, and what the blob and each vCPU's block need.
fn stage_1(segments: &[Segment], stack: u64, cpus: u32, layout: &Layout) -> Tables {
    let mut tables = Tables::new(layout.end(), layout.stage_2().guest_end());
    let mut map = |address, size, access| {
        let physical = layout.physical(address).expect("it has been laid out");
        tables.map(address, physical, size, access);
    };
    for segment in segments {
        map(segment.address, segment.size, segment.access);
    }
    for cpu in 0..cpus {
        let block = vcpu_block(cpu);
        map(block + DOORBELL, PAGE, Access::Device);
        map(block + GATE, PAGE, Access::Execute);
        map(block + FRAME, PAGE, Access::Write);
        // The stack ends at the block's end, so that what lies below it is never mapped.
        map(block + VCPU_STRIDE - stack, stack, Access::Write);
        debug_assert!(VCPU_STRIDE - stack >= STACK);
    }
    tables
}

#[cfg(test)]
mod tests;
