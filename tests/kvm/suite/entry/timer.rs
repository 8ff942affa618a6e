// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A blob that is entered at a time that it has asked for.

use std::mem::offset_of;
use std::time::Duration;

use fakemon_abi::frame::Frame;
use fakemon_abi::hostcall::{self, HostCall};
use fakemon_abi::layout::FRAME;
use fakemon_host::{Timers, boottime_ns};
use fakemon_tests::elf::blob;
use fakemon_tests::machine::{Cpu, Machine, Options};
use fakemon_tests::program::caller;
use fakemon_tests::{program, trials};
use libtest_mimic::Trial;

use super::{entries, world};

// A call asks for an entry at the time in x1; such an entry counts.
program!(
    ask_for_time,
    "9: mrs x9, tpidr_el1",
    "mov x10, #{TIMER}",
    "str x10, [x9, #{NR}]",
    "str x1, [x9, #{ARGS}]",
    "sub x10, x9, #{FRAME}",
    "ldr wzr, [x10, #8]",
    "ldr x0, [x9, #{STATUS}]",
    "eret",
    ".space 0x100 - (. - 9b)",
    "movz x19, #0x7f, lsl #32",
    "movk x19, #0x2000",
    "ldr x20, [x19]",
    "add x20, x20, #1",
    "str x20, [x19]",
    "eret";
    TIMER = hostcall::TIMER,
    NR = offset_of!(Frame, call) + offset_of!(HostCall, nr),
    ARGS = offset_of!(Frame, call) + offset_of!(HostCall, args),
    STATUS = offset_of!(Frame, call) + offset_of!(HostCall, status),
    FRAME = FRAME
);

fn asks_for(cpu: &mut Cpu, deadline: u64) {
    let stop = cpu.ask(&[deadline]);
    assert!(stop.is_none(), "{stop:?}");
    assert_eq!(cpu.x()[0], 0, "the host has it");
    let asked = std::mem::take(&mut cpu.log.timers);
    assert_eq!(asked, [(deadline, 0)]);
}

/// By fakemon's own timers, which another thread of a VMM waits for.
fn a_blob_is_entered_at_the_time_that_it_has_asked_for() {
    let mut machine = Machine::new(&blob(ask_for_time()), caller(), &Options::default());
    let timers = Timers::new().expect("timers");
    for round in 1..=3 {
        let deadline = boottime_ns() + 20_000_000;
        asks_for(&mut machine.cpus[0], deadline);
        timers.set((0, 0), deadline).expect("a time");
        let mut come = Vec::new();
        while come.is_empty() {
            std::thread::sleep(Duration::from_millis(1));
            come = timers.take().expect("times");
        }
        assert_eq!(come, [(0, 0)]);
        assert!(boottime_ns() >= deadline);
        assert_eq!(entries(&machine), round - 1, "not before");
        world(&machine).interrupt(0, 0);
        let cpu = &mut machine.cpus[0];
        assert!(cpu.deliver().is_none());
        // The next call finds it done; it takes its time back.
        asks_for(cpu, 0);
        assert_eq!(entries(&machine), round);
    }
}

pub(super) fn tests() -> Vec<Trial> {
    trials![a_blob_is_entered_at_the_time_that_it_has_asked_for]
}
