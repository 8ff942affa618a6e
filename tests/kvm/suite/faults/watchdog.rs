// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A blob that does not return is ended by the watchdog, however it spends its time; a call that
//! has been left is not.

use std::mem::offset_of;
use std::time::Duration;

use fakemon_abi::frame::Frame;
use fakemon_abi::hostcall;
use fakemon_abi::layout::FRAME;
use fakemon_host::{FaultReason, OnFault, Step};
use fakemon_tests::elf::DATA;
use fakemon_tests::trials;
use libtest_mimic::Trial;

use super::{BODY, Case, Reason, machine, works};

misbehaves!(endless_loop, "b .");
misbehaves!(wait_for_interrupt, "2: wfi", "b 2b");
misbehaves!(wait_for_event, "2: wfe", "b 2b");
misbehaves!(device_loop, "2: ldr x11, [x4]", "b 2b");
misbehaves!(
    host_call_loop,
    "mrs x10, tpidr_el1",
    "str x4, [x10, #{CALL}]",
    "sub x10, x10, #{FRAME}",
    "2: ldr wzr, [x10, #8]",
    "b 2b";
    CALL = offset_of!(Frame, call),
    FRAME = FRAME
);
// Its next exception, the return itself, has nowhere to go.
misbehaves!(vector_base, "msr vbar_el1, x4", "isb", "eret");
misbehaves!(
    translation_table,
    "msr ttbr0_el1, xzr",
    "isb",
    "tlbi vmalle1",
    "dsb ish",
    "isb",
    "b ."
);
misbehaves!(
    left,
    "mrs x10, tpidr_el1",
    "str x4, [x10, #{CALL}]",
    "sub x10, x10, #{FRAME}",
    "ldr wzr, [x10, #8]",
    "add x0, x2, x3",
    "eret";
    CALL = offset_of!(Frame, call),
    FRAME = FRAME
);

/// Long enough for a call that works on a busy machine.
const LIMIT: Duration = Duration::from_secs(1);

fn cases() -> Vec<Case> {
    let case = |name, program, argument, pc| {
        let reason = Reason::Exactly(FaultReason::Timeout(LIMIT));
        Case {
            name,
            program,
            argument,
            reason,
            pc,
        }
    };
    vec![
        case("loops", endless_loop, 0, Some(BODY)),
        case("sleeps_in_wfi", wait_for_interrupt, 0, None),
        case("sleeps_in_wfe", wait_for_event, 0, None),
        case("polls_a_device", device_loop, 0x0a00_0000, None),
        case(
            "loops_over_host_calls",
            host_call_loop,
            hostcall::TIME,
            None,
        ),
        case(
            "moves_its_vectors_to_its_data",
            vector_base,
            DATA,
            Some(DATA + 0x200),
        ),
        case("drops_its_translation_tables", translation_table, 0, None),
    ]
}

/// Leaves a call for longer than the limit, which is no time of the blob's.
fn the_watchdog_waits_while_a_call_is_left() {
    let mut machine = machine(left(), OnFault::Fatal, LIMIT);
    let cpu = &mut machine.cpus[0];
    let trap = cpu.next_call(&[1, 40, 2, hostcall::WAIT_FOR_INTERRUPT]);
    let step = cpu.begin(trap);
    assert!(matches!(step, Ok(Step::WaitForInterrupt)), "{step:?}");
    std::thread::sleep(LIMIT * 3);
    cpu.firmware.as_ref().expect("a blob").kick_handle().kick();
    let step = cpu.resume();
    assert!(matches!(step, Ok(Step::Interrupted)), "{step:?}");
    std::thread::sleep(LIMIT * 3);
    let step = cpu.resume();
    assert!(matches!(step, Ok(Step::Done)), "{step:?}");
    assert_eq!(cpu.x()[0], 42);
    works(cpu);
}

pub(super) fn tests() -> Vec<Trial> {
    let mut tests = trials![the_watchdog_waits_while_a_call_is_left];
    tests.extend(super::trials(cases(), LIMIT));
    tests
}
