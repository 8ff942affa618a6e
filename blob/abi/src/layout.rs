// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where things are in the monitor VM, as the blob sees it: these are addresses of stage 1. Where stage 2
//! has them is up to the shim, and to the pages that the host has.
//!
//! Everything that is the monitor's own lies in one 4 GiB window at the top of a 39-bit space.
//! Below it the blob sees the guest's own physical addresses, all of them Normal memory in stage 1: RAM
//! as the note asks, and where there is none every access exits to the VMM.
//!
//! ```text
//! 0x00_0000_0000  the guest's physical addresses, one to one
//! 0x7f_0000_0000  the blob's ELF segments (MONITOR_BASE, up to BLOB_SPACE)
//! 0x7f_0080_0000  stage-1 tables, written by the shim alone; not mapped (TABLES_BASE)
//! 0x7f_0100_0000  one block of VCPU_STRIDE for each vCPU (VCPU_BASE):
//!          +0x0000  doorbell: has no memory, every access exits to the host
//!          +0x1000  gate: the shim's code, read-only and executable
//!          +0x2000  frame
//!          +0x3000  guard: not mapped, so that a stack overflow faults
//!          +0x4000  room for the stack, which ends with the block
//! ```

/// Lowest address of the monitor's own window; guest memory that a blob asks for must end at or below it.
pub const MONITOR_BASE: u64 = 0x7f_0000_0000;
/// Size of the monitor's window in bytes.
pub const MONITOR_SIZE: u64 = 1 << 32;
/// Number of address bits that stage 1 of the monitor translates.
pub const VA_BITS: u32 = 39;

/// Bytes from [`MONITOR_BASE`] in which all segments of a blob must lie.
pub const BLOB_SPACE: u64 = 0x10_0000;
/// The most text and data, in bytes, that a blob may have (zero-initialised data does not count).
pub const BLOB_MAX_IMAGE: u64 = 32 * 1024;
/// Address by which the stage-1 translation tables are known. Nothing is mapped there.
pub const TABLES_BASE: u64 = MONITOR_BASE + 0x80_0000;

/// Address of the first vCPU's block.
pub const VCPU_BASE: u64 = MONITOR_BASE + 0x100_0000;
/// Distance in bytes between the blocks of two vCPUs.
pub const VCPU_STRIDE: u64 = 0x1_0000;
/// The most vCPUs that a monitor VM can pair.
pub const MAX_VCPUS: u32 = 512;

/// Offset of the doorbell page in a vCPU's block.
pub const DOORBELL: u64 = 0;
/// Offset of the gate's code in a vCPU's block.
pub const GATE: u64 = 0x1000;
/// Offset of the [`Frame`](crate::frame::Frame) in a vCPU's block.
pub const FRAME: u64 = 0x2000;
/// Lowest offset of a stack in a vCPU's block; the stack ends where the block ends.
pub const STACK: u64 = 0x4000;
/// The largest stack, in bytes, that a note may ask for.
pub const MAX_STACK: u32 = 0xc000;

/// Doorbell register that the gate touches when the blob has returned.
pub const DOORBELL_RETURN: u64 = 0;
/// Doorbell register that the blob touches to make a [host call](crate::hostcall).
pub const DOORBELL_CALL: u64 = 8;

/// Offset of the HVC vector table from the SMC one, which is the ELF's entry point.
pub const HYP_VECTORS: u64 = 0x800;
/// Offset in a vector table of a synchronous exception from an AArch64 caller (Arm ARM D1.3.1.5).
pub const VECTOR_LOWER_AARCH64: u64 = 0x400;
/// Offset in a vector table of a synchronous exception from an AArch32 caller.
pub const VECTOR_LOWER_AARCH32: u64 = 0x600;
/// Offset in a vector table of an FIQ that has interrupted an AArch64 guest: an entry without a call.
pub const VECTOR_FIQ_AARCH64: u64 = 0x500;
/// Offset in a vector table of an FIQ that has interrupted an AArch32 guest.
pub const VECTOR_FIQ_AARCH32: u64 = 0x700;
/// Alignment in bytes that the architecture demands of a vector table.
pub const VECTOR_ALIGN: u64 = 0x800;

/// Address of the block of vCPU number `cpu`.
pub const fn vcpu_block(cpu: u32) -> u64 {
    VCPU_BASE + cpu as u64 * VCPU_STRIDE
}

const _: () = {
    assert!(MONITOR_BASE + MONITOR_SIZE == 1 << VA_BITS);
    assert!(MONITOR_BASE + BLOB_SPACE <= TABLES_BASE);
    assert!(STACK + MAX_STACK as u64 == VCPU_STRIDE);
    assert!(vcpu_block(MAX_VCPUS) <= MONITOR_BASE + MONITOR_SIZE);
    assert!(FRAME - GATE == 0x1000 && GATE - DOORBELL == 0x1000);
};
