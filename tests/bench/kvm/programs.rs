// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the measured guests and blobs execute.
//!
//! A guest makes rounds of as many calls as x20 (r8) says, with the function ID in x21 (r7), and
//! ends each round with a store to REPORT. A round without calls is one world trip.

use std::mem::offset_of;

use fakemon_abi::frame::Frame;
use fakemon_abi::hostcall::{HostCall, VERSION};
use fakemon_abi::layout::FRAME;
use fakemon_abi::note::{Range, WINDOW_LEGACY32, WINDOW_SMCCC, WINDOW_SMCCC_1_2, ranges};
use fakemon_host::Blob;
use fakemon_tests::elf::{FUNCTION, blob_with, note};
use fakemon_tests::program;

/// Defines a guest that makes its rounds of this call.
macro_rules! rounds {
    ($name:ident, $call:expr) => {
        program!(
            $name,
            "1: mov x19, x20",
            "cbz x19, 3f",
            "2: mov x0, x21",
            $call,
            "subs x19, x19, #1",
            "b.ne 2b",
            "3: movz x9, #0x0900, lsl #16",
            "str x19, [x9]",
            "b 1b",
        );
    };
}
rounds!(smc_rounds, "smc #0");
rounds!(hvc_rounds, "hvc #0");

program!(
    /// The same in A32, which the assembler does not know; r10 is REPORT.
    smc_rounds_32,
    ".inst 0xe1a09008", // 1: mov r9, r8
    ".inst 0xe3590000", // cmp r9, #0
    ".inst 0x0a000003", // beq 3f
    ".inst 0xe1a00007", // 2: mov r0, r7
    ".inst 0xe1600070", // smc #0
    ".inst 0xe2599001", // subs r9, r9, #1
    ".inst 0x1afffffb", // bne 2b
    ".inst 0xe58a9000", // 3: str r9, [r10]
    ".inst 0xeafffff6", // b 1b
);

program!(
    /// An entry without a call, 0x100 bytes on, does nothing.
    add,
    "9: add x0, x1, x2",
    "eret",
    ".space 0x100 - (. - 9b)",
    "eret",
);

program!(
    call_the_host,
    "mrs x9, tpidr_el1",
    "mov x10, #{NUMBER}",
    "str x10, [x9, #{NR}]",
    "sub x10, x9, #{FRAME}",
    "ldr wzr, [x10, #8]",
    "ldr x0, [x9, #{STATUS}]",
    "eret";
    NUMBER = VERSION,
    NR = offset_of!(Frame, call) + offset_of!(HostCall, nr),
    STATUS = offset_of!(Frame, call) + offset_of!(HostCall, status),
    FRAME = FRAME
);

program!(
    load_from_device,
    "movz x9, #0x0a00, lsl #16",
    "ldr w0, [x9]",
    "eret",
);

/// The function ID that a guest calls in legacy32.
pub(crate) const LEGACY_ID: u32 = 0x102;

/// Calls by SMC.
pub(crate) fn smc() -> &'static [u8] {
    smc_rounds()
}

/// Calls by HVC.
pub(crate) fn hvc() -> &'static [u8] {
    hvc_rounds()
}

/// Calls by SMC from AArch32.
pub(crate) fn smc_32() -> &'static [u8] {
    smc_rounds_32()
}

/// What a measured blob does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// Adds its first two arguments.
    Add,
    /// Makes one host call.
    HostCall,
    /// Loads from a device of the VMM.
    SecureLoad,
}

/// A blob that reads x0 and `arguments` registers above it, and returns a new x0.
pub(crate) fn blob(work: Work, arguments: u16, legacy: bool) -> Blob {
    let mut note = note();
    note.window = match arguments {
        _ if legacy => WINDOW_LEGACY32,
        0..=7 => WINDOW_SMCCC,
        _ => WINDOW_SMCCC_1_2,
    };
    if legacy {
        note.callers = fakemon_abi::note::CALLER_AARCH32;
    }
    let first = if legacy { LEGACY_ID } else { FUNCTION };
    note.ranges = ranges(&[Range {
        first,
        last: first,
        inputs: arguments + 1,
        outputs: 1,
    }]);
    let program = match work {
        Work::Add => add(),
        Work::HostCall => call_the_host(),
        Work::SecureLoad => load_from_device(),
    };
    blob_with(note, program, &[])
}
