// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The frame: one page per vCPU that carries registers between the two worlds.
//!
//! The shim fills it, the gate loads it into the registers and enters the blob; when the blob has
//! returned, the gate stores the registers back and the shim reads them. While the blob runs,
//! TPIDR_EL1 holds the frame's address and the blob uses [`Frame::call`] and [`Frame::panic`]; the
//! rest is the gate's.
//!
//! Neither side trusts what it reads here: the shim copies each value once and checks the copy.

use core::mem::{offset_of, size_of};

use crate::hostcall::HostCall;

/// Number of general-purpose registers that a frame carries, x0 to x17: the widest register window.
pub const REGS: usize = 18;

/// Registers on their way into the blob and out of it.
///
/// ```
/// use core::mem::offset_of;
///
/// use fakemon_abi::frame::{Frame, REGS};
///
/// // The registers come first, so that whoever has the frame's address has x0's.
/// assert_eq!(offset_of!(Frame, x), 0);
/// assert_eq!(offset_of!(Frame, elr), 8 * REGS);
/// ```
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Frame {
    /// In and out: x0 to x17. What is outside the call's window is zero on entry and is not read
    /// back.
    pub x: [u64; REGS],
    /// In: the caller's PC, already past the SMC or HVC. Out: where the blob asks to continue.
    pub elr: u64,
    /// In: the caller's PSTATE with [`SPSR_IL`] set. Out: the PSTATE that the return asked for.
    pub spsr: u64,
    /// In: the syndrome of the trapped SMC or HVC. Out: the syndrome with which the gate caught the
    /// return.
    pub esr: u64,
    /// Out: FAR_EL1 when the gate caught the return.
    pub far: u64,
    /// In: the address to enter, in one of the blob's vector tables.
    pub entry: u64,
    /// In: the top of the vCPU's stack. Out: the stack pointer with which the blob came to the gate.
    pub sp: u64,
    /// Out: x30, for fault reports.
    pub lr: u64,
    /// Out: the offset of the gate's vector that was taken (0x000 to 0x780).
    pub taken: u64,
    /// Constant: the number of this vCPU, counted from 0.
    pub cpu: u32,
    /// Constant: how many vCPUs the guest has.
    pub cpus: u32,
    /// What the blob asks of the host, and the answer.
    pub call: HostCall,
    /// Where the blob says why it panicked.
    pub panic: PanicRecord,
    /// Counts the changes of the guest's memory: what
    /// [`GUEST_MEMORY`](crate::hostcall::GUEST_MEMORY) has said holds while this stays the same.
    pub memory: u64,
}

/// The Illegal Execution state bit of an SPSR (Arm ARM, SPSR_EL1.IL): makes the return trap.
pub const SPSR_IL: u64 = 1 << 20;

/// What a panicking blob leaves for the shim: two strings in its own memory, and a place.
///
/// Addresses are the blob's; the shim reads at most [`PANIC_TEXT`] bytes of each and only from the
/// blob's segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct PanicRecord {
    /// Address of the source file's name.
    pub file: u64,
    /// Address of the message; zero when it would have needed formatting.
    pub message: u64,
    /// Length in bytes of the file's name.
    pub file_len: u32,
    /// Length in bytes of the message.
    pub message_len: u32,
    /// Line in the file, counted from 1.
    pub line: u32,
    /// Column in the line, counted from 1.
    pub column: u32,
}

/// The most bytes of each text of a [`PanicRecord`] that the shim shows.
pub const PANIC_TEXT: usize = 128;

impl Frame {
    /// Offset of [`Frame::elr`]; SPSR follows.
    pub const ELR: usize = offset_of!(Frame, elr);
    /// Offset of [`Frame::esr`]; FAR follows.
    pub const ESR: usize = offset_of!(Frame, esr);
    /// Offset of [`Frame::entry`]; SP follows.
    pub const ENTRY: usize = offset_of!(Frame, entry);
    /// Offset of [`Frame::lr`]; the vector taken follows.
    pub const LR: usize = offset_of!(Frame, lr);
}

// The gate's assembly loads and stores these in pairs.
const _: () = {
    assert!(offset_of!(Frame, x) == 0);
    assert!(Frame::ELR == 0x90 && offset_of!(Frame, spsr) == Frame::ELR + 8);
    assert!(Frame::ESR == 0xa0 && offset_of!(Frame, far) == Frame::ESR + 8);
    assert!(Frame::ENTRY == 0xb0 && offset_of!(Frame, sp) == Frame::ENTRY + 8);
    assert!(Frame::LR == 0xc0 && offset_of!(Frame, taken) == Frame::LR + 8);
    assert!(offset_of!(Frame, cpu) == 0xd0 && offset_of!(Frame, cpus) == 0xd4);
    assert!(offset_of!(Frame, call) == 0xd8);
    assert!(offset_of!(Frame, panic) == 0xd8 + size_of::<HostCall>());
    assert!(size_of::<PanicRecord>() == 32);
    assert!(offset_of!(Frame, memory) == 0x158);
    assert!(size_of::<Frame>() <= 0x1000);
};
