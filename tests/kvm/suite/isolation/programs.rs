// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The programs of the isolation tests: a guest CPU that attacks, and others that call meanwhile.
//!
//! The attacker goes through a list of addresses with its MMU off, then once more with its MMU on
//! and the addresses mapped as Normal memory, and at last makes its MMU walk tables that lie there.
//! What a load brings in must be all ones: that is what the VMM answers, and what was in the
//! register if the load was aborted. Each abort is counted, and the program goes on after the
//! instruction.

use fakemon_abi::layout::MONITOR_BASE;
use fakemon_host::regs;
use fakemon_tests::elf::{DATA, blob};
use fakemon_tests::machine::{Machine, Options, RAM, REPORT};
use fakemon_tests::program;

/// Where the test lists the addresses, ended by a zero.
const LIST: u64 = RAM + 0x1_0000;
/// A word for each CPU: that the attacker is done, that a caller has begun.
const MAIL: u64 = RAM + 0x2_0000;
/// The attacker's level-1 table.
const TABLE: u64 = RAM + 0x3_0000;
/// Memory that the attacker can claim exclusively.
const OWN: u64 = RAM + 0x4_0000;
/// Where the callers start.
const CALLERS: u64 = RAM + 0x8000;
/// Distance from a physical address to where TTBR1 shows it.
const HIGH: u64 = 0xffff_ff80_0000_0000;

/// Aborts that each address must give to a CPU without LSE atomics: ten with the MMU off, ten with
/// it on, and three where only the MMU goes there.
pub(crate) const ABORTS: u64 = 23;
/// What LSE atomics add.
pub(crate) const LSE_ABORTS: u64 = 6;

program!(
    /// CPU 0. Reports: how many addresses, loads that brought something in, aborts, other
    /// exceptions, whether the CPU has LSE atomics.
    attacker,
    // x18 and x19 list, x20 address, x21 own memory, x22 distance to the half in use, x23 LSE, x24
    // to x27 the first four reports, x28 where to go on after an exception.
    ".arch_extension lse",
    ".macro try instruction:vararg",
    "adr x28, .Lbehind\\@",
    "\\instruction",
    ".Lbehind\\@:",
    ".endm",
    ".macro load instruction:vararg",
    "mov x1, #-1",
    "mov x2, #-1",
    "try \\instruction",
    "and x1, x1, x2",
    "cmn x1, #1",
    "cinc x25, x25, ne",
    ".endm",
    //
    "adr x1, 90f",
    "msr vbar_el1, x1",
    "mov x1, #3 << 20",
    "msr cpacr_el1, x1",
    "mrs x1, id_aa64isar0_el1",
    "ubfx x23, x1, #20, #4",
    "isb",
    "ldr x19, ={LIST}",
    "ldr x21, ={OWN}",
    // x20 callers must have begun.
    "ldr x2, ={MAIL}",
    "10: cbz x20, 11f",
    "ldr x1, [x2, x20, lsl #3]",
    "cbz x1, 10b",
    "sub x20, x20, #1",
    "b 10b",
    "11: bl 20f",
    // The test has filled in the translation registers; go on in the upper half.
    "mrs x1, sctlr_el1",
    "mov x2, #0x1005",
    "orr x1, x1, x2",
    "msr sctlr_el1, x1",
    "isb",
    "ldr x22, ={HIGH}",
    "orr x19, x19, x22",
    "orr x21, x21, x22",
    "adr x1, 12f",
    "orr x1, x1, x22",
    "br x1",
    "12: adr x1, 90f",
    "msr vbar_el1, x1",
    "isb",
    "bl 20f",
    "bl 40f",
    // Done.
    "ldr x1, ={REPORT}",
    "orr x1, x1, x22",
    "str x24, [x1]",
    "str x25, [x1, #8]",
    "str x26, [x1, #16]",
    "str x27, [x1, #24]",
    "str x23, [x1, #32]",
    "ldr x2, ={MAIL}",
    "orr x2, x2, x22",
    "mov x3, #1",
    "str x3, [x2]",
    // The callers have their caches off.
    "dc civac, x2",
    "dsb sy",
    "str x3, [x1, #0x1000]",
    "b .",
    //
    // Every access that there is, to each address.
    "20: mov x18, x19",
    "21: ldr x20, [x18], #8",
    "cbz x20, 29f",
    "add x24, x24, #1",
    "try br x20",
    "load ldr x1, [x20]",
    "load ldr x1, [x20, #8]",
    "try str x21, [x20]",
    "try strb w21, [x20, #8]",
    // From here on KVM has no syndrome to tell the VMM what the access was.
    "mov x3, x20",
    "load ldr x1, [x3], #8",
    "mov x3, x20",
    "try str x21, [x3], #8",
    "load ldp x1, x2, [x20]",
    "try stp x21, x21, [x20]",
    "movi v0.2d, #0xffffffffffffffff",
    "try ldr q0, [x20]",
    "umov x4, v0.d[0]",
    "umov x5, v0.d[1]",
    "load and x1, x4, x5",
    "try str q0, [x20]",
    "load ldxr x1, [x20]",
    "load ldaxp x1, x2, [x20]",
    "cbz x23, 22f",
    "load swp x21, x1, [x20]",
    "load ldadd x21, x1, [x20]",
    "load cas x1, x21, [x20]",
    "22: try dc zva, x20",
    // A store with somebody else's claim, and cache maintenance, may or may not get as far as an
    // abort.
    "mov x3, x26",
    "mov w4, #1",
    "try ldxr x1, [x21]",
    "try stxr w4, x21, [x20]",
    "cmp w4, #0",
    "cinc x25, x25, eq",
    "try dc cvac, x20",
    "try dc civac, x20",
    "try dc ivac, x20",
    "try ic ivau, x20",
    "try prfm pstl1keep, [x20]",
    "mov x26, x3",
    "b 21b",
    "29: ret",
    //
    // Translation tables there, to be read and, for the access flag, written.
    "40: mov x18, x19",
    "bic x3, x21, x22",
    "41: ldr x20, [x18], #8",
    "cbz x20, 29b",
    "bic x20, x20, #0xfff",
    "msr ttbr0_el1, x20",
    "isb",
    "tlbi vmalle1",
    "dsb nsh",
    "isb",
    "load ldr x1, [x3]",
    "try str x21, [x3]",
    "try br x3",
    "b 41b",
    //
    // The vectors; aborts have EC 0x21 and 0x25.
    ".balign 2048",
    "90: .skip 0x200",
    "mrs x9, esr_el1",
    "lsr x9, x9, #26",
    "and x9, x9, #~4",
    "cmp x9, #0x21",
    "cinc x26, x26, eq",
    "cinc x27, x27, ne",
    "msr elr_el1, x28",
    "eret",
    ".ltorg",
    ".purgem try",
    ".purgem load",
    ".arch_extension nolse";
    LIST = LIST, MAIL = MAIL, OWN = OWN, HIGH = HIGH, REPORT = REPORT,
);

program!(
    /// The other CPUs call until the attacker is done. Reports: calls, wrong answers.
    bystander,
    "mov x21, x0",
    "ldr x20, ={MAIL}",
    "1: movz x0, #0xc300, lsl #16",
    "mov x1, x19",
    "mov x2, x21",
    "smc #0",
    "add x3, x19, x21",
    "cmp x0, x3",
    "cinc x22, x22, ne",
    "add x19, x19, #1",
    "str x19, [x20, x21, lsl #3]",
    "ldr x0, [x20]",
    "cbz x0, 1b",
    "ldr x0, ={REPORT}",
    "str x19, [x0]",
    "str x22, [x0, #8]",
    "str x22, [x0, #0x1000]",
    "b .",
    ".ltorg";
    MAIL = MAIL, REPORT = REPORT,
);

program!(
    /// The blob: adds x1 and x2, and counts its calls in the first word of its data.
    add_and_count,
    "add x0, x1, x2",
    "ldr x9, ={DATA}",
    "1: ldaxr x10, [x9]",
    "add x10, x10, #1",
    "stlxr w11, x10, [x9]",
    "cbnz w11, 1b",
    "eret",
    ".ltorg";
    DATA = DATA,
);

/// A machine for [`prepare`].
pub(crate) fn machine(cpus: u32) -> Machine {
    let options = Options {
        cpus,
        ..Options::default()
    };
    Machine::new(&blob(add_and_count()), attacker(), &options)
}

/// Makes CPU 0 attack these addresses, and the other CPUs call.
pub(crate) fn prepare(machine: &Machine, addresses: &[u64]) {
    let words = |words: &[u64]| {
        words
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect::<Vec<_>>()
    };
    machine.write_ram(LIST, &words(addresses));
    machine.write_ram(CALLERS, bystander());

    // Gigabyte blocks, one to one: devices, RAM, and where the monitor would be.
    const NORMAL: u64 = 0x701;
    const DEVICE: u64 = 0x405;
    let mut table = [0; 512];
    table[0] = DEVICE;
    table[1] = RAM | NORMAL;
    for gigabyte in MONITOR_BASE >> 30..512 {
        table[gigabyte as usize] = gigabyte << 30 | NORMAL;
    }
    machine.write_ram(TABLE, &words(&table));

    let (attacker, callers) = machine.cpus.split_first().expect("a CPU");
    attacker.set(regs::x(20), callers.len() as u64);
    attacker.set(regs::TTBR0_EL1, TABLE);
    attacker.set(regs::TTBR1_EL1, TABLE);
    attacker.set(regs::MAIR_EL1, 0x04ff);
    // 39-bit halves of 4 KiB pages, write-back and inner shareable, 40-bit physical addresses,
    // hardware management of the access flag and dirty state where the CPU has it.
    attacker.set(regs::TCR_EL1, 0x182_b519_3519);
    for caller in callers {
        caller.set(regs::PC, CALLERS);
    }
}
