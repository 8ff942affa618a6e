// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An SDEI event of board virt's blob really interrupts its guest: the handler runs, sees what it
//! has interrupted, and the guest goes on as if nothing had been.

use fakemon_tests::assets;
use fakemon_tests::machine::{END, Machine, RAM, REPORT, Stop};
use fakemon_tests::{program, trials_with_assets};
use libtest_mimic::Trial;

/// All of D, A, I and F.
const DAIF: u64 = 0x3c0;
const ARGUMENT: u64 = 0x5a5a;

program!(
    /// Registers its handler for event 0 with the flags in x25, which lies as far from the vectors that
    /// x24 says as it registers it, signals the event to itself with numbers in x4 to x17, and reports in
    /// which order what happened: at 0x00 the codes of the calls, from 0x40 what the handler finds, from 0x80
    /// what is there afterwards.
    signal,
    "msr vbar_el1, x24",
    "isb",
    "ldr x28, ={REPORT}",
    "ldr x29, ={END}",
    "ldr x0, =0xc4000020", // SDEI_VERSION
    "smc #0",
    "str x0, [x28]",
    "ldr x0, =0xc4000021", // SDEI_EVENT_REGISTER
    "mov x1, #0",
    "adr x2, 2f",
    "sub x2, x2, x24",
    "mov x3, #{ARGUMENT}",
    "mov x4, x25",
    "mov x5, #0",
    "smc #0",
    "str x0, [x28, #0x08]",
    "ldr x0, =0xc4000022", // SDEI_EVENT_ENABLE
    "mov x1, #0",
    "smc #0",
    "str x0, [x28, #0x10]",
    "ldr x0, =0xc400002c", // SDEI_PE_UNMASK
    "smc #0",
    "str x0, [x28, #0x18]",
    ".irp n, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17",
    "mov x\\n, #0x100 + \\n",
    ".endr",
    "adr x27, 1f",
    "ldr x0, =0xc400002f", // SDEI_EVENT_SIGNAL
    "mov x1, #0",
    "mov x2, #0",
    "smc #0",
    "1: str x0, [x28, #0x80]",
    "str x4, [x28, #0x88]",
    "str x17, [x28, #0x90]",
    "str x27, [x28, #0x98]",
    "str xzr, [x29]",
    // The handler.
    "2: str x0, [x28, #0x40]",
    "str x1, [x28, #0x48]",
    "str x2, [x28, #0x50]",
    "str x3, [x28, #0x58]",
    "mrs x0, daif",
    "str x0, [x28, #0x60]",
    "ldr x0, =0xc4000024", // SDEI_EVENT_CONTEXT
    "mov x1, #17",
    "smc #0",
    "str x0, [x28, #0x68]",
    ".irp n, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17",
    "mov x\\n, #-1",
    ".endr",
    "ldr x0, =0xc4000025", // SDEI_EVENT_COMPLETE
    "mov x1, #0",
    "cbz x26, 3f",
    "ldr x0, =0xc4000026", // SDEI_EVENT_COMPLETE_AND_RESUME
    "adr x1, 4f",
    "3: smc #0",
    "str xzr, [x29]",
    // What looks like an exception: back by its own return.
    "4: mrs x0, elr_el1",
    "str x0, [x28, #0x70]",
    "mrs x0, spsr_el1",
    "str x0, [x28, #0x78]",
    "mov x0, #0",
    "eret",
    ".ltorg";
    REPORT = REPORT,
    END = END,
    ARGUMENT = ARGUMENT,
);

/// Flags of EVENT_REGISTER: relative mode.
const RELATIVE: u64 = 2;

/// Runs [`signal`] with these in x24, x25 and x26; all reports, by their offset.
fn reports(vectors: u64, flags: u64, resumes: u64) -> Vec<(u64, u64)> {
    let mut machine = Machine::new(&assets::blob("virt"), signal(), &Default::default());
    let cpu = &mut machine.cpus[0];
    for (n, value) in [(24, vectors), (25, flags), (26, resumes)] {
        cpu.set(fakemon_host::regs::x(n), value);
    }
    let stop = cpu.run();
    assert!(matches!(stop, Stop::Ended), "{stop:?}");
    cpu.log.reports.clone()
}

/// Splits off what was interrupted: PC and PSTATE, as the handler was told.
fn interrupted(reports: &[(u64, u64)]) -> (u64, u64) {
    (reports[6].1, reports[7].1)
}

fn an_event_runs_its_handler_and_the_guest_goes_on() {
    let reports = reports(0, 0, 0);
    the_guest_has_gone_on(&reports);
}

fn a_handler_can_lie_at_an_offset_from_the_vectors() {
    let reports = reports(RAM + 0x10_0800, RELATIVE, 0);
    the_guest_has_gone_on(&reports);
}

#[track_caller]
fn the_guest_has_gone_on(reports: &[(u64, u64)]) {
    let (pc, pstate) = interrupted(reports);
    assert_eq!(pstate & 0x1f, 5, "the guest was at EL1h");
    let expected = [
        (0x00, 1 << 48 | 1 << 32),
        (0x08, 0),
        (0x10, 0),
        (0x18, 0),
        (0x40, 0),
        (0x48, ARGUMENT),
        (0x50, pc),
        (0x58, pstate),
        (0x60, DAIF),
        (0x68, 0x111),
        (0x80, 0),
        (0x88, 0x104),
        (0x90, 0x111),
        (0x98, pc),
    ];
    assert_eq!(reports, expected);
}

fn a_handler_can_end_in_what_looks_like_an_exception() {
    let reports = reports(0, 0, 1);
    let (pc, pstate) = interrupted(&reports);
    let end = [
        (0x70, pc),
        (0x78, pstate),
        (0x80, 0),
        (0x88, 0x104),
        (0x90, 0x111),
        (0x98, pc),
    ];
    assert_eq!(reports[10..], end);
}

pub(crate) fn tests() -> Vec<Trial> {
    trials_with_assets![
        an_event_runs_its_handler_and_the_guest_goes_on,
        a_handler_can_lie_at_an_offset_from_the_vectors,
        a_handler_can_end_in_what_looks_like_an_exception,
    ]
}
