// SPDX-License-Identifier: Apache-2.0 OR MIT
// The start of the program, and the instructions that it is about.
//
// A VMM takes this for a zImage: it has the header, and is entered at its first byte in ARM state
// and Supervisor mode, with the MMU off. As in a kernel, the calls are made at virtual addresses
// that are not the physical ones, so what looks for the instruction after a call has to walk the
// tables: 4 GiB are mapped to themselves, as a device but for RAM, and one section of 1 MiB at
// 0xc2000000 is this image.

    .arch_extension sec
    .section .start, "ax"
    .arm
    .global replay_start
replay_start:
    b       1f
    .space  0x20
    .word   0x016f2818                          // zImage
    .word   0                                   // its start
    .word   replay_image_end - replay_start     // its end, without the table
    .word   0x04030201                          // little-endian

// Before the MMU is on only addresses relative to the program counter mean anything.
// r4 physical address of the image, r5 what it adds to a virtual address, r6 translation table.
1:  adr     r4, replay_start
    ldr     r5, =replay_start
    sub     r5, r4, r5
    ldr     r6, =replay_translation_table
    add     r6, r6, r5

    // RAM's first and last section, from the table of calls (table.rs: base and MiB).
    ldr     r7, =replay_image_end
    add     r7, r7, r5
    ldr     r8, [r7, #16]
    lsr     r8, r8, #20
    ldr     r9, [r7, #20]
    add     r9, r9, r8

    // Sections (Arm ARM G5), full access: Device and never executed, or Normal, write-back,
    // write-allocate, shareable.
    mov     r0, #0
2:  ldr     r1, =0x00000c16
    cmp     r0, r8
    blo     3f
    cmp     r0, r9
    ldrlo   r1, =0x00011c0e
3:  orr     r1, r1, r0, lsl #20
    str     r1, [r6, r0, lsl #2]
    add     r0, r0, #1
    cmp     r0, #4096
    bne     2b
    ldr     r1, =0x00011c0e
    orr     r1, r1, r4
    ldr     r0, =replay_start
    lsr     r0, r0, #20
    str     r1, [r6, r0, lsl #2]

    // The walks to come look into the caches, which must not know older content (DCIMVAC).
    dsb     sy
    add     r0, r6, #0x4000
4:  sub     r0, r0, #16
    mcr     p15, 0, r0, c7, c6, 1
    cmp     r0, r6
    bne     4b

    orr     r0, r6, #0x4a                       // TTBR0: cacheable, shareable
    mcr     p15, 0, r0, c2, c0, 0
    mov     r0, #0
    mcr     p15, 0, r0, c2, c0, 2               // TTBCR: short descriptors, TTBR0 alone
    mov     r0, #1
    mcr     p15, 0, r0, c3, c0, 0               // DACR: permissions count
    ldr     r0, =replay_vectors
    mcr     p15, 0, r0, c12, c0, 0              // VBAR
    mov     r0, #0
    mcr     p15, 0, r0, c8, c7, 0               // TLBIALL
    mcr     p15, 0, r0, c7, c5, 0               // ICIALLU
    dsb     sy
    isb
    mrc     p15, 0, r0, c1, c0, 0               // SCTLR
    bic     r0, r0, #0x70000000                 // exceptions in ARM state, no TEX remap
    bic     r0, r0, #0x00002000                 // vectors at VBAR
    orr     r0, r0, #0x00001000                 // instruction cache
    orr     r0, r0, #0x00000005                 // MMU, data cache
    // The next instructions are fetched where they are, RAM being mapped to itself.
    mcr     p15, 0, r0, c1, c0, 0
    isb
    ldr     pc, =5f

5:  ldr     sp, =replay_stack_top
    ldr     r0, =replay_bss
    ldr     r1, =replay_translation_table
    mov     r2, #0
6:  cmp     r0, r1
    strlo   r2, [r0], #4
    blo     6b
    bl      replay_main
7:  wfi
    b       7b

    .ltorg

// Nothing here expects an exception: each says which it is and where it came from.
    .balign 32
replay_vectors:
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7
    b       replay_vector_\n
    .endr
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7
replay_vector_\n:
    mov     r0, #\n
    b       8f
    .endr
8:  mov     r1, lr
    cps     #0x13
    ldr     sp, =replay_stack_top
    bl      replay_exception
9:  b       9b

    .ltorg

// replay_smc(registers, which): loads r0-r12 from the 13 words at r0, executes the SMC of number r1
// (bit 0 its immediate, bit 1 Thumb), and stores r0-r12 there.
    .global replay_smc
replay_smc:
    push    {r0, r4-r11, lr}
    adr     r2, replay_instructions
    ldr     lr, [r2, r1, lsl #2]
    ldmia   r0, {r0-r12}
    bx      lr
replay_made:
    push    {r0-r12}
    ldr     r0, [sp, #52]
    pop     {r1-r7}
    stmia   r0!, {r1-r7}
    pop     {r1-r6}
    stmia   r0!, {r1-r6}
    pop     {r0, r4-r11, pc}

    .balign 4
replay_instructions:
    .word   replay_arm_0, replay_arm_1, replay_thumb_0, replay_thumb_1

    .type   replay_arm_0, %function
replay_arm_0:
    smc     #0
    b       replay_made
    .type   replay_arm_1, %function
replay_arm_1:
    smc     #1
    b       replay_made

    .thumb
    .type   replay_thumb_0, %function
    .thumb_func
replay_thumb_0:
    smc     #0
    blx     replay_made
    // Not at a multiple of four, as any other Thumb instruction may be.
    nop
    .type   replay_thumb_1, %function
    .thumb_func
replay_thumb_1:
    smc     #1
    blx     replay_made
    .arm
    .balign 4
