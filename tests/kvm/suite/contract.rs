// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The register contract (docs/abi.md, "Register windows" and "Entry"): what the blob is entered
//! with, and what of its doings the caller can see.
//!
//! One blob serves all tests. It puts everything that it was entered with on its stack, for the
//! test to read, and then overwrites every register there is before it returns. The test fills the
//! caller's registers at the moment of the call, and looks at them afterwards.

use fakemon_abi::frame::SPSR_IL;
use fakemon_abi::layout::{FRAME, MONITOR_BASE, VCPU_STRIDE, VECTOR_LOWER_AARCH64, vcpu_block};
use fakemon_abi::note::{WINDOW_SMCCC, WINDOW_SMCCC_1_2};
use fakemon_host::regs::{PC, PSTATE, PSTATE_EL1H_MASKED, SP_EL1, x};
use fakemon_host::{Blob, FaultReason, OnFault};
use fakemon_tests::elf::{FUNCTION, blob_with, note};
use fakemon_tests::machine::{Machine, Options, RAM, Stop};
use fakemon_tests::program::caller;
use fakemon_tests::{program, trials};
use libtest_mimic::Trial;

/// What the blob leaves below the top of its stack: x0 to x30, then the fields of [`Entry`].
const WORDS: usize = 40;

program!(
    witness,
    "sub sp, sp, #({WORDS} * 8)",
    "stp x0, x1, [sp]",
    "stp x2, x3, [sp, #0x10]",
    "stp x4, x5, [sp, #0x20]",
    "stp x6, x7, [sp, #0x30]",
    "stp x8, x9, [sp, #0x40]",
    "stp x10, x11, [sp, #0x50]",
    "stp x12, x13, [sp, #0x60]",
    "stp x14, x15, [sp, #0x70]",
    "stp x16, x17, [sp, #0x80]",
    "stp x18, x19, [sp, #0x90]",
    "stp x20, x21, [sp, #0xa0]",
    "stp x22, x23, [sp, #0xb0]",
    "stp x24, x25, [sp, #0xc0]",
    "stp x26, x27, [sp, #0xd0]",
    "stp x28, x29, [sp, #0xe0]",
    "add x0, sp, #({WORDS} * 8)",
    "stp x30, x0, [sp, #0xf0]",
    "mrs x0, tpidr_el1",
    "mrs x1, daif",
    "stp x0, x1, [sp, #0x100]",
    "mrs x0, currentel",
    "mrs x1, spsel",
    "stp x0, x1, [sp, #0x110]",
    "mrs x0, elr_el1",
    "mrs x1, spsr_el1",
    "stp x0, x1, [sp, #0x120]",
    // An exclusive store succeeds only on a claim from before the entry, and then leaves one for
    // the next.
    "mrs x0, esr_el1",
    "add x2, sp, #0x130",
    "stxr w1, x0, [x2]",
    "mov w1, w1",
    "stp x0, x1, [sp, #0x130]",
    "ldxr x0, [x2]",
    "mov x0, #(3 << 22)",
    "msr tpidr_el0, x0",
    "msr sp_el0, x0",
    "subs xzr, x0, x0",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30",
    "movz x\\n, #0xb100 + \\n",
    ".endr",
    "mov sp, x0",
    "eret";
    WORDS = WORDS
);

program!(
    /// Has no business with FP registers, but tries to switch them on and to write them.
    fp_blob,
    "mrs x0, cpacr_el1",
    "orr x0, x0, #(3 << 20)",
    "msr cpacr_el1, x0",
    "isb",
    "mov x0, #0xb10b",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "dup v\\n\\().2d, x0",
    ".endr",
    "mov x0, #(3 << 22)",
    "msr fpcr, x0",
    "eret",
);

program!(
    fp_caller,
    "mrs x0, cpacr_el1",
    "orr x0, x0, #(3 << 20)",
    "msr cpacr_el1, x0",
    "isb",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "mov x1, #0xf000 + \\n",
    "dup v\\n\\().2d, x1",
    ".endr",
    "mov x1, #(1 << 22)",
    "msr fpcr, x1",
    "movz x0, #0xc300, lsl #16",
    "smc #0",
    "movz x0, #0x4001, lsl #16",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "str q\\n, [x0], #16",
    ".endr",
    "mrs x1, fpcr",
    "str x1, [x0]",
    "movz x1, #0x0900, lsl #16",
    "str x0, [x1, #0x1000]",
    "b .",
);

/// What the blob was entered with, besides x0 to x30.
#[derive(Debug, PartialEq)]
struct Entry {
    sp: u64,
    tpidr: u64,
    daif: u64,
    current_el: u64,
    sp_sel: u64,
    elr: u64,
    spsr: u64,
    esr: u64,
    exclusive_store_failed: u64,
}

fn witnessed(machine: &Machine) -> ([u64; 31], Entry) {
    let monitor = machine.payload();
    let at = vcpu_block(0) + VCPU_STRIDE - 8 * WORDS as u64;
    let bytes = monitor.read_memory(at, 8 * WORDS).expect("a stack");
    let words: Vec<u64> = bytes
        .as_chunks()
        .0
        .iter()
        .map(|&word| u64::from_le_bytes(word))
        .collect();
    let entry = Entry {
        sp: words[31],
        tpidr: words[32],
        daif: words[33],
        current_el: words[34],
        sp_sel: words[35],
        elr: words[36],
        spsr: words[37],
        esr: words[38],
        exclusive_store_failed: words[39],
    };
    (words[..31].try_into().expect("31 words"), entry)
}

fn witness_with(window: u32, inputs: u16, outputs: u16) -> Blob {
    let mut note = note();
    note.window = window;
    note.ranges[0].inputs = inputs;
    note.ranges[0].outputs = outputs;
    blob_with(note, witness(), &[])
}

/// x`n` of the caller; the upper half of x0 is no part of the function ID.
fn pattern(n: u64) -> u64 {
    let low = if n == 0 { FUNCTION.into() } else { 0xca11 + n };
    0x6e57_0000_0000_0000 | low
}

fn only_the_window_passes(window: u32, inputs: u16, outputs: u16) {
    const CARRY_ZERO: u64 = 0b0110 << 28;
    const GUEST_STACK: u64 = RAM + 0x8000;
    let mut machine = Machine::new(
        &witness_with(window, inputs, outputs),
        caller(),
        &Options::default(),
    );
    // The second call finds nothing of what the first has left.
    for _ in 0..2 {
        let cpu = &mut machine.cpus[0];
        let trap = cpu.next_call(&[]);
        (0..31).for_each(|n| cpu.set(x(n), pattern(n)));
        cpu.set(SP_EL1, GUEST_STACK);
        cpu.set(PSTATE, PSTATE_EL1H_MASKED | CARRY_ZERO);
        let pc = cpu.behind_call();
        let stop = cpu.serve(trap);
        assert!(stop.is_none(), "{stop:?}");
        for (n, value) in (0..).zip(cpu.x()) {
            let expected = if n < u64::from(outputs) {
                0xb100 + n
            } else {
                pattern(n)
            };
            assert_eq!(value, expected, "x{n} of the caller");
        }
        assert_eq!((cpu.get(SP_EL1), cpu.get(PC)), (GUEST_STACK, pc));
        assert_eq!(cpu.get(PSTATE), PSTATE_EL1H_MASKED | CARRY_ZERO);

        let (registers, entry) = witnessed(&machine);
        for (n, value) in (0..).zip(registers) {
            let expected = match n {
                0 => FUNCTION.into(),
                30 => MONITOR_BASE + VECTOR_LOWER_AARCH64,
                _ if n < u64::from(inputs) => pattern(n),
                _ => 0,
            };
            assert_eq!(value, expected, "x{n} of the blob");
        }
        let expected = Entry {
            sp: vcpu_block(0) + VCPU_STRIDE,
            tpidr: vcpu_block(0) + FRAME,
            daif: 0x3c0,
            current_el: 1 << 2,
            sp_sel: 1,
            elr: pc,
            spsr: PSTATE_EL1H_MASKED | CARRY_ZERO | SPSR_IL,
            esr: 0x17 << 26 | 1 << 25,
            exclusive_store_failed: 1,
        };
        assert_eq!(entry, expected);
    }
}

/// Where KVM carries calls, the blob finds FP instructions undefined; else it has registers of its
/// own.
fn fp_registers_survive_a_blob_that_writes_them() {
    let mut options = Options::default();
    options.config.on_fault = OnFault::NotSupported;
    let mut machine = Machine::new(&blob_with(note(), fp_blob(), &[]), fp_caller(), &options);
    let cpu = &mut machine.cpus[0];
    let stop = cpu.run();
    assert!(matches!(stop, Stop::Ended), "{stop:?}");
    let faults: Vec<_> = cpu.log.faults.iter().map(|fault| &fault.reason).collect();
    match (cpu.is_carried(), &faults[..]) {
        (false, []) => {}
        (true, [FaultReason::Exception { esr, .. }]) => assert_eq!(esr >> 26, 0, "UNDEFINED"),
        (_, other) => panic!("{other:?}"),
    }
    let saved = machine.read_ram(RAM + 0x1_0000, 32 * 16 + 8);
    let words: Vec<u64> = saved
        .as_chunks()
        .0
        .iter()
        .map(|&word| u64::from_le_bytes(word))
        .collect();
    for (n, halves) in (0..).zip(words[..64].chunks(2)) {
        assert_eq!(halves, [0xf000 + n, 0xf000 + n], "v{n}");
    }
    assert_eq!(words[64], 1 << 22, "FPCR");
}

pub(crate) fn tests() -> Vec<Trial> {
    let mut tests = trials![fp_registers_survive_a_blob_that_writes_them];
    for (name, window, inputs, outputs) in [
        ("of_smccc", WINDOW_SMCCC, 8, 4),
        ("of_smccc_1_2", WINDOW_SMCCC_1_2, 18, 18),
        ("of_a_narrow_range", WINDOW_SMCCC, 3, 1),
        (
            "of_a_range_with_more_outputs_than_inputs",
            WINDOW_SMCCC_1_2,
            1,
            9,
        ),
        ("of_a_range_without_outputs", WINDOW_SMCCC, 8, 0),
        ("of_a_range_without_inputs", WINDOW_SMCCC, 0, 4),
    ] {
        tests.push(Trial::test(
            format!("only_the_window_{name}_passes"),
            move || {
                only_the_window_passes(window, inputs, outputs);
                Ok(())
            },
        ));
    }
    tests
}
