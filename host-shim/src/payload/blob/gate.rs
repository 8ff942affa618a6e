// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The gate's code, for copying into a monitor VM. The story is in `gate.S`.

use std::arch::global_asm;

use fakemon_abi::frame::Frame;
use fakemon_abi::layout::{DOORBELL, FRAME, GATE};

use crate::engine::abi::RETURN;

global_asm!(
    include_str!("gate.S"),
    X = const std::mem::offset_of!(Frame, x),
    ELR = const Frame::ELR,
    ESR = const Frame::ESR,
    ENTRY = const Frame::ENTRY,
    LR = const Frame::LR,
);

// The assembly reaches both neighbours by these distances.
const _: () = assert!(GATE - DOORBELL == 0x1000 && FRAME - GATE == 0x1000);

unsafe extern "C" {
    // Linker symbols: only their addresses mean something.
    safe static fakemon_gate_start: u8;
    safe static fakemon_gate_park: u8;
    safe static fakemon_gate_end: u8;
}

/// The gate's instructions, less than a page. With `bound`, its vectors for synchronous exceptions
/// begin with the instruction that hands a return to KVM, where else there is a NOP.
pub(crate) fn code(bound: bool) -> Vec<u8> {
    let start = &raw const fakemon_gate_start;
    // SAFETY: both symbols delimit one constant array in .rodata, emitted by gate.S above, which
    // lives as long as the program.
    let code = unsafe { std::slice::from_raw_parts(start, offset_of(&raw const fakemon_gate_end)) };
    let mut code = code.to_vec();
    if bound {
        for vector in RETURNS.map(|vector| vector as usize) {
            code[vector..vector + 4].copy_from_slice(&RETURN.to_le_bytes());
        }
    }
    code
}

/// Offsets of the vectors for synchronous exceptions, by one of which the blob returns.
pub(crate) const RETURNS: [u64; 4] = [0x000, 0x200, 0x400, 0x600];

/// Offset of the second vector table, which always returns to this library.
pub(crate) const PLAIN_VECTORS: u64 = 0x800;

/// Offset in the [code](code()) at which an idle vCPU is parked.
pub(crate) fn park() -> u64 {
    offset_of(&raw const fakemon_gate_park) as u64
}

fn offset_of(symbol: *const u8) -> usize {
    symbol.addr() - (&raw const fakemon_gate_start).addr()
}
