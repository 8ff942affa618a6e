// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A blob that panics is quoted, as far as its record can be believed.

use std::mem::offset_of;

use fakemon_abi::frame::{Frame, PANIC_TEXT};
use fakemon_abi::hostcall;
use fakemon_abi::layout::{FRAME, MONITOR_BASE, VCPU_STRIDE, VECTOR_LOWER_AARCH64, vcpu_block};
use fakemon_host::{FaultReason, OnFault};
use fakemon_tests::elf::{DATA, RODATA};
use fakemon_tests::machine::RAM;
use fakemon_tests::trials;
use libtest_mimic::Trial;

use super::{fault, machine, works};

// Gives up with a record of the caller's: x4 and x5 are the file's name and length, x6 and x7 the
// message's.
misbehaves!(
    give_up,
    "mrs x10, tpidr_el1",
    "add x11, x10, #{RECORD}",
    "stp x4, x6, [x11]",
    "stp w5, w7, [x11, #16]",
    "mov w12, #7",
    "mov w13, #3",
    "stp w12, w13, [x11, #24]",
    "mov x12, #{PANIC}",
    "str x12, [x10, #{CALL}]",
    "sub x10, x10, #{FRAME}",
    "ldr wzr, [x10, #8]",
    "udf #0",
    ".ascii \"services.rs\"",
    ".ascii \"too \\033[31mred\\n\"";
    RECORD = offset_of!(Frame, panic),
    PANIC = hostcall::PANIC,
    CALL = offset_of!(Frame, call),
    FRAME = FRAME
);

/// Where the texts begin: after 18 instructions.
const FILE: u64 = MONITOR_BASE + VECTOR_LOWER_AARCH64 + 18 * 4;
const FILE_LEN: u64 = 11;
const MESSAGE: u64 = FILE + FILE_LEN;
const MESSAGE_LEN: u64 = 13;

/// Panics with a record for these texts, each an address and a length, and returns what the report
/// says of them.
fn panics_with(file: (u64, u64), message: (u64, u64)) -> (String, String) {
    let mut texts = Vec::new();
    for on_fault in [OnFault::Fatal, OnFault::NotSupported] {
        let mut machine = machine(give_up(), on_fault, None);
        let cpu = &mut machine.cpus[0];
        let inputs = [1, 40, 2, file.0, file.1, message.0, message.1];
        let fault = fault(cpu, on_fault, &inputs);
        assert_eq!(
            [fault.x[9], fault.x[19], fault.x[29]],
            [0x99, 0x1919, 0x2929]
        );
        let FaultReason::Panic {
            file,
            line: 7,
            column: 3,
            message,
        } = fault.reason
        else {
            panic!("{fault}");
        };
        texts.push((file, message));
        works(cpu);
    }
    assert_eq!(texts[0], texts[1]);
    texts.remove(0)
}

fn a_panic_is_quoted_without_control_characters() {
    let (file, message) = panics_with((FILE, FILE_LEN), (MESSAGE, MESSAGE_LEN));
    assert_eq!(
        (file.as_str(), message.as_str()),
        ("services.rs", "too  [31mred ")
    );
}

fn a_panic_without_a_message_has_an_empty_one() {
    let (file, message) = panics_with((FILE, FILE_LEN), (0, 0));
    assert_eq!((file.as_str(), message.as_str()), ("services.rs", ""));
}

fn a_panic_record_that_points_nowhere_quotes_nothing() {
    let end_of_constants = RODATA + 0x1000;
    let end_of_block = vcpu_block(1) + VCPU_STRIDE;
    for text in [
        (0, 8),
        (RAM, 8),
        (u64::MAX, 8),
        (u64::MAX - 3, u64::from(u32::MAX)),
        (end_of_constants - 4, 8),
        (end_of_constants, 1),
        (end_of_block - 4, 8),
        (vcpu_block(0), 8),
    ] {
        let (file, message) = panics_with(text, text);
        assert_eq!((file.as_str(), message.as_str()), ("", ""), "{text:x?}");
    }
}

fn a_panic_with_endless_texts_is_cut_short() {
    // The data page is all zero, and each NUL becomes a space.
    let (file, message) = panics_with((DATA, u32::MAX.into()), (DATA, 0x1_0000));
    assert_eq!((file.len(), message.len()), (PANIC_TEXT, PANIC_TEXT));
}

pub(super) fn tests() -> Vec<Trial> {
    trials![
        a_panic_is_quoted_without_control_characters,
        a_panic_without_a_message_has_an_empty_one,
        a_panic_record_that_points_nowhere_quotes_nothing,
        a_panic_with_endless_texts_is_cut_short,
    ]
}
