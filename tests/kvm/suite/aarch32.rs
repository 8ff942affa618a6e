// SPDX-License-Identifier: Apache-2.0 OR MIT
//! 32-bit guests: r0 to r12 go in and come out, nothing else changes, ARM and Thumb code go on
//! where they were, and without a blob the call is the UNDEFINED instruction that it is on a CPU
//! without a monitor.
//!
//! The assembler of the tests knows A64 alone, so the guests' few instructions are numbers. They
//! call, and end when the test has put [`END`] into r2.

mod contract;
mod refused;
mod returns;

use fakemon_abi::note::{Note, Range, WINDOW_LEGACY32, board_name, ranges};
use fakemon_host::{Blob, OnFault, Width, regs};
use fakemon_tests::elf::{DATA, blob_with, note};
use fakemon_tests::machine::{Cpu, END, Machine, Options, RAM, Stop};
use fakemon_tests::program;
use libtest_mimic::Trial;

const SVC: u64 = regs::CPSR_SVC_MASKED;
const THUMB: u64 = 1 << 5;
/// What no call touches by itself: the flags N and C, Q, and GE.
const FLAGS: u64 = 0xa80f_0000;
/// The L2 controller call of board midway: an id in r12, which KVM's filter does not see.
const LEGACY_ID: u64 = 0x102;

program!(
    arm,
    ".inst 0xe1600070", // smc #0
    ".inst 0xe5820000", // str r0, [r2]
);

program!(
    arm_with_immediate,
    ".inst 0xe1600071", // smc #1
    ".inst 0xe5820000", // str r0, [r2]
);

program!(
    arm_if_equal,
    ".inst 0x01600070", // smceq #0
    ".inst 0xe5820000", // str r0, [r2]
);

program!(
    thumb,
    ".hword 0xf7f0, 0x8000", // smc #0
    ".hword 0x6010",         // str r0, [r2]
);

program!(
    thumb_if_equal,
    ".hword 0xbf08",         // it eq
    ".hword 0xf7f0, 0x8000", // smceq #0
    ".hword 0x6010",         // str r0, [r2]
);

program!(
    /// Undefined Instruction vector: reports its LR. It does not return, because the CPUs of QEMU's
    /// TCG forget the SPSR of the mode in which a hypervisor enters its 32-bit guest (helper-a64.c,
    /// `exception_return`).
    undefined,
    ".inst 0xe1a0400e", // mov r4, lr
    ".inst 0xe5834000", // str r4, [r3]
    ".inst 0xe5820000", // str r0, [r2]
);

program!(
    /// Adds 0x100 + n to each r`n` of the window, with nonsense above 32 bits, and spoils
    /// everything else.
    change_all,
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12",
    "add x\\n, x\\n, #0x100 + \\n",
    "orr x\\n, x\\n, #0xffffffff00000000",
    ".endr",
    ".irp n, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30",
    "mov x\\n, #-1",
    ".endr",
    "cmp xzr, xzr",
    "eret",
);

program!(
    /// Leaves in its data where it was entered, and ESR, ELR, SPSR and r12.
    witness,
    "1: adr x13, 1b",
    "ldr x14, ={DATA}",
    "mrs x15, esr_el1",
    "stp x13, x15, [x14]",
    "mrs x13, elr_el1",
    "mrs x15, spsr_el1",
    "stp x13, x15, [x14, #16]",
    "str x12, [x14, #32]",
    "eret",
    ".ltorg";
    DATA = DATA,
);

program!(
    /// Sets the SPSR to itself ^ r1 and the ELR to itself + r3.
    return_elsewhere,
    "mrs x13, spsr_el1",
    "eor x13, x13, x1",
    "msr spsr_el1, x13",
    "mrs x13, elr_el1",
    "add x13, x13, x3",
    "msr elr_el1, x13",
    "eret",
);

/// A note like that of a 2013 board: an id in any register, so every function ID is claimed.
fn legacy_note() -> Note {
    let range = |first, last| Range {
        first,
        last,
        inputs: 13,
        outputs: 13,
    };
    Note {
        window: WINDOW_LEGACY32,
        board: board_name("legacy"),
        range_count: 3,
        ranges: ranges(&[
            range(0, 0x7fff_ffff),
            range(0x8001_0000, 0xbfff_ffff),
            range(0xc001_0000, 0xffff_ffff),
        ]),
        ..note()
    }
}

fn legacy(program: &[u8]) -> Blob {
    blob_with(legacy_note(), program, program)
}

fn machine(blob: &[u8], guest: &[u8], on_fault: OnFault) -> Machine {
    let mut options = Options {
        width: Width::AArch32,
        ..Options::default()
    };
    options.config.on_fault = on_fault;
    Machine::new(&legacy(blob), guest, &options)
}

/// Runs to the guest's call and serves it; [`None`] when the guest can go on.
fn call(cpu: &mut Cpu) -> Option<Stop> {
    let trap = cpu.next_call(&[]);
    cpu.serve(trap)
}

/// Asserts that the guest goes on `after` bytes from its start, and lets it end.
#[track_caller]
fn assert_ends(cpu: &mut Cpu, after: u64) {
    assert_eq!(cpu.get(regs::PC), RAM + after);
    cpu.set(regs::x(2), END);
    let stop = cpu.run();
    assert!(matches!(stop, Stop::Ended), "{stop:?}");
}

pub(crate) fn tests() -> Vec<Trial> {
    let parts = [contract::tests(), returns::tests(), refused::tests()];
    parts.into_iter().flatten().collect()
}
