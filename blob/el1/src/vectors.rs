// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The blob's exception vectors: where a call comes in and leaves again.
//!
//! There are two tables, back to back. The first is the one of MVBAR (VBAR_EL3 in the 64-bit
//! world): where an SMC goes on real hardware. The second is the hypervisor's, for HVC; both
//! conduits have their own so that a blob can tell them apart as real firmware can. Its address is
//! the first's plus `layout::HYP_VECTORS`.
//!
//! A table has sixteen entries of 0x80 bytes. Of these a caller reaches two: a synchronous
//! exception from a lower exception level in AArch64 (0x400) or AArch32 (0x600). Two more of the
//! first table are for entries without a call: an FIQ from AArch64 (0x500) or AArch32 (0x700), which
//! on real hardware goes to EL3 however the guest has masked its own. In a monitor VM the others
//! cannot be reached at all, since VBAR_EL1 is the gate's: an exception inside the blob goes there.
//! They are kept, and end in a panic, because the same table may one day be a real VBAR_EL3.
//!
//! The way in: SP is the top of this vCPU's stack, interrupts are masked, ELR, SPSR and ESR say where
//! the guest was. Its registers go to the stack as a `Saved`, Rust does the work there, and the way
//! out restores them and executes ERET, to where ELR_EL1 and SPSR_EL1 say: where the guest came from,
//! unless a service has chosen another place (`Context::resume`).

use core::arch::global_asm;

use crate::entry::Saved;

global_asm!(
    r#"
    .section .text.vectors, "ax", %progbits

    // Puts a `Saved` on the stack.
    .macro save
        sub     sp, sp, #{saved}
        stp     x0, x1, [sp]
        stp     x2, x3, [sp, #16]
        stp     x4, x5, [sp, #32]
        stp     x6, x7, [sp, #48]
        stp     x8, x9, [sp, #64]
        stp     x10, x11, [sp, #80]
        stp     x12, x13, [sp, #96]
        stp     x14, x15, [sp, #112]
        stp     x16, x17, [sp, #128]
        stp     x18, x29, [sp, #144]
        str     x30, [sp, #160]
        mov     x29, xzr            // a backtrace ends here
        mov     x0, sp
    .endm

    .macro unexpected offsets:vararg
        .irp offset, \offsets
            b       {unexpected}
            .balign 0x80
        .endr
    .endm

    // An entry without a call; it fits into the 0x80 bytes.
    .macro interrupt aarch32
        save
        mov     w1, #\aarch32
        b       fakemon_interrupted
        .balign 0x80
    .endm

    // One table. The entries for FIQ are in one of the two alone.
    .macro table fiq
        unexpected 0x000, 0x080, 0x100, 0x180, 0x200, 0x280, 0x300, 0x380
        b       fakemon_entry       // 0x400: synchronous, from AArch64
        .balign 0x80
        unexpected 0x480
        .if     \fiq
        interrupt 0                 // 0x500: FIQ, from AArch64
        .else
        unexpected 0x500
        .endif
        unexpected 0x580
        b       fakemon_entry       // 0x600: synchronous, from AArch32
        .balign 0x80
        unexpected 0x680
        .if     \fiq
        interrupt 1                 // 0x700: FIQ, from AArch32
        .else
        unexpected 0x700
        .endif
        unexpected 0x780
    .endm

    .balign 0x800
    .global fakemon_vectors
    .type fakemon_vectors, %object
fakemon_vectors:
    table 1
    .size fakemon_vectors, . - fakemon_vectors

    .global fakemon_hyp_vectors
    .type fakemon_hyp_vectors, %object
fakemon_hyp_vectors:
    table 0
    .size fakemon_hyp_vectors, . - fakemon_hyp_vectors

    .global fakemon_entry
    .type fakemon_entry, %function
fakemon_entry:
    save
    bl      fakemon_dispatch        // the board's, made by `blob!`
fakemon_return:
    ldp     x0, x1, [sp]
    ldp     x2, x3, [sp, #16]
    ldp     x4, x5, [sp, #32]
    ldp     x6, x7, [sp, #48]
    ldp     x8, x9, [sp, #64]
    ldp     x10, x11, [sp, #80]
    ldp     x12, x13, [sp, #96]
    ldp     x14, x15, [sp, #112]
    ldp     x16, x17, [sp, #128]
    ldp     x18, x29, [sp, #144]
    ldr     x30, [sp, #160]
    add     sp, sp, #{saved}
    eret
    .size fakemon_entry, . - fakemon_entry

    .global fakemon_interrupted
    .type fakemon_interrupted, %function
fakemon_interrupted:
    bl      fakemon_interrupt       // likewise
    b       fakemon_return
    .size fakemon_interrupted, . - fakemon_interrupted
    "#,
    unexpected = sym unexpected,
    saved = const size_of::<Saved>(),
);

extern "C" fn unexpected() -> ! {
    panic!("an exception came in through a vector that serves no call")
}
