// SPDX-License-Identifier: Apache-2.0 OR MIT
//
// The gate: one page of code per monitor vCPU, and the only way into and out of the blob.
//
// A monitor vCPU spends its life parked at the load in `park`. Nothing backs the doorbell's
// address, so the load exits to the host, and the vCPU stays there until the next SMC. Then the
// shim has filled the frame and runs the vCPU: the load completes into wzr, so that parking uses no
// register, and the gate goes on to enter the blob. It gives the blob what EL3 firmware finds after
// an SMC: the caller's PC, PSTATE and syndrome in ELR, SPSR and ESR, the caller's registers in
// x0-x17, a stack, and a PC in the vector table.
//
// The blob leaves with ERET. The SPSR that it was given has the IL bit set, so the CPU takes an
// Illegal Execution State exception (Arm ARM D1.3.5.4) before the first instruction after the
// return, wherever that would have been: in guest RAM, in the blob, in AArch32, at EL0. VBAR_EL1
// points here, so every such return, and every fault of the blob, arrives in one of these vectors.
// The gate notes the registers and the reason, and parks again. The shim decides what it was.
//
// Where KVM carries calls by itself, the first instruction of the four vectors for synchronous
// exceptions is an HVC instead of the NOP, which tells KVM of the return while every register is
// still the blob's. Only what is not a return goes on from there. A second table, 0x800 bytes on, never
// has it: VBAR_EL1 is set to that for a call whose return this library wants to see by itself.
//
// The page is mapped read-only and executable, at GATE in the vCPU's block; DOORBELL lies one page
// below, the frame one page above. TPIDRRO_EL0 is the gate's own scratch register.

    .section .rodata.fakemon_gate, "a"
    .balign 4096
    .global fakemon_gate_start
fakemon_gate_start:
    .set doorbell, fakemon_gate_start - 0x1000
    .set frame, fakemon_gate_start + 0x1000

    // x30 is the only register that can be set aside, so it becomes the frame's address at once. x0
    // then carries the offset of the vector, since ESR_EL1 says nothing about an interrupt or an
    // SError.
    .macro vector offset
    .org fakemon_gate_start + \offset
    nop
    msr tpidrro_el0, x30
    adr x30, frame
    stp x0, x1, [x30, #{X}]
    mov x0, #(\offset & 0x7ff)
    b save
    .endm

    // A vector has room for 32 instructions and needs 6; what all of them go on with fits after three
    // of them.
    vector 0x000
save:
    mrs x1, tpidrro_el0
    stp x1, x0, [x30, #{LR}]
    stp x2, x3, [x30, #{X} + 16]
    stp x4, x5, [x30, #{X} + 32]
    stp x6, x7, [x30, #{X} + 48]
    stp x8, x9, [x30, #{X} + 64]
    stp x10, x11, [x30, #{X} + 80]
    stp x12, x13, [x30, #{X} + 96]
    stp x14, x15, [x30, #{X} + 112]
    stp x16, x17, [x30, #{X} + 128]
    mrs x0, elr_el1
    mrs x1, spsr_el1
    stp x0, x1, [x30, #{ELR}]
    mrs x0, esr_el1
    mrs x1, far_el1
    stp x0, x1, [x30, #{ESR}]
    mov x0, sp
    str x0, [x30, #{ENTRY} + 8]
    b fakemon_gate_park

    vector 0x080
    .global fakemon_gate_park
fakemon_gate_park:
    ldr wzr, doorbell

    // The shim has filled the frame.
    adr x30, frame
    msr tpidr_el1, x30
    ldp x0, x1, [x30, #{ELR}]
    msr elr_el1, x0
    msr spsr_el1, x1
    ldp x0, x1, [x30, #{ESR}]
    msr esr_el1, x0
    ldr x0, [x30, #{ENTRY} + 8]
    mov sp, x0
    ldp x0, x1, [x30, #{X}]
    ldp x2, x3, [x30, #{X} + 16]
    ldp x4, x5, [x30, #{X} + 32]
    ldp x6, x7, [x30, #{X} + 48]
    ldp x8, x9, [x30, #{X} + 64]
    ldp x10, x11, [x30, #{X} + 80]
    ldp x12, x13, [x30, #{X} + 96]
    ldp x14, x15, [x30, #{X} + 112]
    ldp x16, x17, [x30, #{X} + 128]
    b enter

    vector 0x100
enter:
    .irp n, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29
    mov x\n, xzr
    .endr
    // What the caller had claimed for an exclusive store is no claim of the blob's.
    clrex
    ldr x30, [x30, #{ENTRY}]
    br x30

    .irp offset, 0x180, 0x200, 0x280, 0x300, 0x380, 0x400, 0x480, 0x500, 0x580, 0x600, 0x680
    vector \offset
    .endr
    vector 0x700
    vector 0x780

    // The second table.
    .irp offset, 0x800, 0x880, 0x900, 0x980, 0xa00, 0xa80, 0xb00, 0xb80
    vector \offset
    .endr
    .irp offset, 0xc00, 0xc80, 0xd00, 0xd80, 0xe00, 0xe80, 0xf00, 0xf80
    vector \offset
    .endr

    .global fakemon_gate_end
fakemon_gate_end:
