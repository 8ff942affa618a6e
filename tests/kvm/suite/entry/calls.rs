// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Entries without a call beside calls: neither is taken for the other, and none of them gets lost.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use fakemon_abi::layout::{GATE, vcpu_block};
use fakemon_host::regs::{PC, Registers};
use fakemon_host::{CallRecord, Step};
use fakemon_tests::elf::{FUNCTION, blob};
use fakemon_tests::machine::{Cpu, END, Machine, Options, Stop, logging};
use fakemon_tests::{program, trials};
use libtest_mimic::Trial;

use super::super::files;
use super::{count, enter, entries, spin, under_signals, under_signals_each, world};

// Makes one call, and ends.
program!(
    call_once,
    "movz x0, #0xc300, lsl #16",
    "smc #0",
    "ldr x1, ={END}",
    "str xzr, [x1]",
    "b .",
    ".ltorg";
    END = END,
);

// An entry without a call takes 30 ms, and counts.
program!(
    take_time,
    "9: eret",
    ".space 0x100 - (. - 9b)",
    "mrs x20, cntfrq_el0",
    "mov x21, #33",
    "udiv x20, x20, x21",
    "mrs x21, cntvct_el0",
    "add x20, x20, x21",
    "1: isb",
    "mrs x21, cntvct_el0",
    "cmp x21, x20",
    "b.lo 1b",
    "movz x19, #0x7f, lsl #32",
    "movk x19, #0x2000",
    "ldr x20, [x19]",
    "add x20, x20, #1",
    "str x20, [x19]",
    "eret",
);

fn records(cpu: &mut Cpu) -> Vec<CallRecord> {
    let mut records = Vec::new();
    let lane = cpu.firmware.as_mut().expect("a blob");
    lane.drain_log(|record| records.push(*record));
    records
}

/// KVM ends a call at the first instruction of its vectors. A signal can come when a return has got there
/// and no further; an entry that is due then comes after the call all the same, and nobody has to kick
/// once more.
fn an_entry_finds_a_return_on_its_way() {
    for vector in [0x000, 0x200, 0x400, 0x600] {
        let mut machine = Machine::new(&blob(count()), call_once(), &logging());
        let world = world(&machine);
        let cpu = &mut machine.cpus[0];
        if !cpu.is_carried() {
            return;
        }
        cpu.next_call(&[]);
        let lane = cpu.firmware.as_ref().expect("a blob");
        lane.kick_handle().kick();
        let trap = cpu.run_to_call().expect("a call that is left");
        // Its registers are what a blob leaves that does nothing but return.
        // SAFETY: the lane keeps the file open.
        let monitor = unsafe { BorrowedFd::borrow_raw(files::monitor(cpu)) };
        let at = vcpu_block(0) + GATE + vector;
        Registers::of(&monitor).set(PC, at).expect("a register");
        let lane = cpu.firmware.as_mut().expect("a blob");
        let step = lane.trap(trap);
        assert!(matches!(step, Ok(Step::Interrupted)), "{step:?}");
        world.interrupt(0, 0);
        assert!(matches!(lane.resume(), Ok(Step::Run)));
        assert!(lane.is_due());
        assert!(matches!(lane.deliver(), Ok(Step::Run)));
        assert!(lane.in_call() && !lane.is_due());
        let trap = cpu.run_to_call().expect("the return comes to this process");
        let lane = cpu.firmware.as_mut().expect("a blob");
        assert!(matches!(lane.trap(trap), Ok(Step::Run)));
        assert!(!lane.in_call() && lane.is_due());
        let records = records(cpu);
        let [record] = &records[..] else {
            panic!("one call: {records:?}")
        };
        assert!(record.returned && record.function == FUNCTION);
        under_signals(|| enter(&mut machine.cpus[0]));
        assert_eq!(entries(&machine), 1);
        let stop = machine.cpus[0].run();
        assert!(matches!(stop, Stop::Ended), "{stop:?}");
    }
}

/// Each takes a third of what a call may take.
fn entries_are_watched_each_by_itself() {
    const ENTRIES: u64 = 10;
    let mut options = Options::default();
    options.config.watchdog = Duration::from_millis(100);
    let mut machine = Machine::new(&blob(take_time()), spin(), &options);
    let world = world(&machine);
    for _ in 0..ENTRIES {
        world.interrupt(0, 0);
        under_signals_each(Duration::from_millis(5), || enter(&mut machine.cpus[0]));
    }
    assert_eq!(entries(&machine), ENTRIES);
}

pub(super) fn tests() -> Vec<Trial> {
    trials![
        an_entry_finds_a_return_on_its_way,
        entries_are_watched_each_by_itself,
    ]
}
