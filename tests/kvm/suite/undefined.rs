// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A call that nobody is to answer raises the exception that an undefined instruction raises (issue
//! 2, policy undef).
//!
//! The CPU itself is the oracle. Two guests differ in one instruction: one makes a call under the
//! policy `undef`, the other executes UDF. Whatever state they start from, they must arrive in the
//! handler with the same registers.

use fakemon_abi::layout::VECTOR_LOWER_AARCH64;
use fakemon_host::Policy;
use fakemon_host::regs::{
    ELR_EL1, ESR_EL1, PC, PSTATE, PSTATE_EL1H_MASKED, SCTLR_EL1, SPSR_EL1, VBAR_EL1, x,
};
use fakemon_tests::elf::{FUNCTION, blob};
use fakemon_tests::machine::{Machine, Options, RAM, Stop};
use fakemon_tests::program;
use libtest_mimic::Trial;

program!(answer, "mov x0, #42", "eret",);

/// Defines a guest that executes one instruction and ends in whichever vector that leads to.
macro_rules! one_instruction {
    ($name:ident, $instruction:expr) => {
        program!(
            $name,
            $instruction,
            "movz x9, #0x0900, lsl #16",
            "str x0, [x9, #0x1000]",
            ".rept 16",
            ".balign 0x80",
            "movz x9, #0x0900, lsl #16",
            "str x0, [x9, #0x1000]",
            "b .",
            ".endr",
        );
    };
}
one_instruction!(udf, "udf #0");
one_instruction!(smc, "smc #0");
one_instruction!(hvc, "hvc #0");

/// Where the vectors are copied to, and that the instruction lies elsewhere.
const VECTORS: u64 = RAM + 0x1000;

/// Everything that the exception sets, and x0 to x30.
#[derive(Debug, PartialEq)]
struct Taken {
    pc: u64,
    pstate: u64,
    elr: u64,
    spsr: u64,
    esr: u64,
    x: [u64; 31],
}

/// Runs a program from `pstate`, with some bits of SCTLR_EL1 cleared and set.
fn run(program: &[u8], policy: Policy, pstate: u64, sctlr: (u64, u64)) -> Taken {
    let options = Options {
        policy,
        ..Options::default()
    };
    let mut machine = Machine::new(&blob(answer()), program, &options);
    machine.write_ram(VECTORS, &program[0x80..]);
    let cpu = &mut machine.cpus[0];
    (1..31).for_each(|n| cpu.set(x(n), 0x1000 + n));
    cpu.set(x(0), FUNCTION.into());
    cpu.set(PSTATE, pstate);
    cpu.set(SCTLR_EL1, cpu.get(SCTLR_EL1) & !sctlr.0 | sctlr.1);
    cpu.set(VBAR_EL1, VECTORS);
    let stop = cpu.run();
    assert!(matches!(stop, Stop::Ended), "{stop:?}");
    Taken {
        pc: cpu.get(PC),
        pstate: cpu.get(PSTATE),
        elr: cpu.get(ELR_EL1),
        spsr: cpu.get(SPSR_EL1),
        esr: cpu.get(ESR_EL1),
        x: cpu.x(),
    }
}

const EL1H: u64 = PSTATE_EL1H_MASKED;
const EL1T: u64 = EL1H - 1;
const EL0T: u64 = EL1H & !0xf;
const UNMASKED: u64 = 0x3c0;
const NEGATIVE_OVERFLOW: u64 = 0b1001 << 28;
/// PSTATE.SSBS, PAN, UAO, DIT and TCO; a CPU without one of them drops it.
const EXTENSIONS: u64 = 1 << 12 | 1 << 22 | 1 << 23 | 1 << 24 | 1 << 25;
/// PSTATE.NZCV and DIT: an exception leaves them as they are (Arm ARM, AArch64.TakeException), but
/// QEMU clears them.
const KEPT: u64 = 0xf << 28 | 1 << 24;
/// PSTATE.ALLINT: a CPU with FEAT_NMI sets it, which a guest does not know of because KVM hides the
/// feature.
const ALLINT: u64 = 1 << 13;
/// SCTLR_EL1.SPAN: 0 sets PAN on every exception.
const SPAN: u64 = 1 << 23;

fn same_as_undefined(call: &[u8], policy: Policy, pstate: u64, sctlr: (u64, u64), vector: u64) {
    let mut oracle = run(udf(), Policy::Kvm, pstate, sctlr);
    let mut taken = run(call, policy, pstate, sctlr);
    assert_eq!(taken.pstate & KEPT, taken.spsr & KEPT);
    oracle.pstate &= !(KEPT | ALLINT);
    taken.pstate &= !(KEPT | ALLINT);
    assert_eq!(taken, oracle);
    assert_eq!(
        (taken.esr, taken.elr),
        (1 << 25, RAM),
        "unknown reason, at the call itself"
    );
    assert_eq!(taken.pc & !0x7f, VECTORS + vector);
}

pub(crate) fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    let mut case = |name: String, call: fn() -> &'static [u8], policy, pstate, sctlr, vector| {
        tests.push(Trial::test(name, move || {
            same_as_undefined(call(), policy, pstate, sctlr, vector);
            Ok(())
        }));
    };
    for (instruction, call) in [("smc", smc as fn() -> &'static [u8]), ("hvc", hvc)] {
        for (state, pstate, sctlr, vector) in [
            ("el1h", EL1H, (0, 0), 0x200),
            ("el1t", EL1T, (0, 0), 0x000),
            (
                "el1h_with_flags_and_no_masks",
                EL1H & !UNMASKED | NEGATIVE_OVERFLOW,
                (0, 0),
                0x200,
            ),
            (
                "el1h_with_every_extension",
                EL1H | EXTENSIONS,
                (0, 0),
                0x200,
            ),
            (
                "el1h_with_every_extension_and_no_span",
                EL1H | EXTENSIONS,
                (SPAN, 0),
                0x200,
            ),
            ("el1t_with_pan_on_exceptions", EL1T, (SPAN, 0), 0x000),
        ] {
            let name = format!("undef_raises_what_udf_raises_for_{instruction}_at_{state}");
            case(name, call, Policy::Undef, pstate, sctlr, vector);
        }
        // EL0 may not call at all: the CPU says so before KVM or the blob hear of it.
        for policy in [Policy::Blob, Policy::Kvm, Policy::Deny, Policy::Undef] {
            let name = format!("{instruction}_at_el0_is_undefined_under_{policy}");
            case(name, call, policy, EL0T, (0, 0), VECTOR_LOWER_AARCH64);
        }
    }
    tests
}
