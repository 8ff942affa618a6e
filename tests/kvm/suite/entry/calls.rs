// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Entries without a call beside calls: neither is taken for the other, and none of them gets lost.

use std::time::Duration;

use fakemon_abi::layout::{GATE, vcpu_block};
use fakemon_host::regs::{PC, Registers, x};
use fakemon_host::{CallRecord, Conduit, FaultReason, OnFault, Step, Trap, monotonic_ns};
use fakemon_tests::elf::{FUNCTION, blob};
use fakemon_tests::machine::{Cpu, END, Machine, Options, Stop, logging};
use fakemon_tests::{program, trials};
use libtest_mimic::Trial;

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

// An entry without a call takes a quarter of a second, and counts.
program!(
    take_time,
    "9: eret",
    ".space 0x100 - (. - 9b)",
    "mrs x20, cntfrq_el0",
    "mov x21, #4",
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

// Fails if x1 says so, or adds. Nothing comes of an entry without a call.
program!(
    fail_or_add,
    "9: cbz x1, 1f",
    "udf #0",
    "1: add x0, x2, x3",
    "eret",
    ".space 0x100 - (. - 9b)",
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
        // A log that a single call does not fill, which would bring it here.
        let mut options = logging();
        options.config.log = 2;
        let mut machine = Machine::new(&blob(count()), call_once(), &options);
        let world = world(&machine);
        let cpu = &mut machine.cpus[0];
        if !cpu.is_carried() {
            return;
        }
        let begin = monotonic_ns();
        cpu.next_call(&[]);
        let lane = cpu.firmware.as_ref().expect("a blob");
        lane.kick_handle().kick();
        let trap = cpu.run_to_call().expect("a call that is left");
        // Its registers are what a blob leaves that does nothing but return.
        let lane = cpu.firmware.as_mut().expect("a blob");
        let monitor = lane.payload_vcpu(0).expect("a payload");
        let at = vcpu_block(0) + GATE + vector;
        Registers::of(&monitor).set(PC, at).expect("a register");
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
        let times = [begin, record.begin_ns, record.end_ns, monotonic_ns()];
        assert!(times.is_sorted(), "{times:?}");
        let cpu = &mut machine.cpus[0];
        assert!(cpu.deliver().is_none());
        let stop = cpu.run();
        assert!(matches!(stop, Stop::Ended), "{stop:?}");
        assert_eq!(entries(&machine), 1);
    }
}

/// Each takes a sixteenth of what a call may take, so that a host which gives an emulated one no CPU for
/// seconds makes none of them too long; all of them take more.
fn entries_are_watched_each_by_itself() {
    const ENTRIES: u64 = 20;
    let mut options = Options::default();
    options.config.watchdog = Duration::from_secs(4);
    let mut machine = Machine::new(&blob(take_time()), spin(), &options);
    let world = world(&machine);
    for _ in 0..ENTRIES {
        world.interrupt(0, 0);
        under_signals_each(Duration::from_millis(5), || enter(&mut machine.cpus[0]));
    }
    assert_eq!(entries(&machine), ENTRIES);
}

fn an_entry_is_no_call_on_record() {
    let mut machine = Machine::new(&blob(count()), spin(), &logging());
    let world = world(&machine);
    for n in 1..=3 {
        world.interrupt(0, 0);
        under_signals(|| enter(&mut machine.cpus[0]));
        assert_eq!(entries(&machine), n);
        let records = records(&mut machine.cpus[0]);
        assert!(records.is_empty(), "{records:?}");
    }
}

/// Makes a call that a filter of the VMM's own forwards, from wherever the guest is: with the kernel engine
/// KVM does not see it begin.
fn forwarded(cpu: &mut Cpu, inputs: [u64; 3]) -> Step {
    let registers = [FUNCTION.into()].into_iter().chain(inputs);
    for (n, value) in (0..).zip(registers) {
        cpu.set(x(n), value);
    }
    let step = cpu.forwarded(Trap::new(FUNCTION, Conduit::Smc));
    step.expect("no error")
}

fn a_forwarded_call_is_on_record_as_any_other() {
    let mut machine = Machine::new(&blob(count()), spin(), &logging());
    let world = world(&machine);
    for n in 1..=3 {
        world.interrupt(0, 0);
        under_signals(|| enter(&mut machine.cpus[0]));
        let cpu = &mut machine.cpus[0];
        let begin = monotonic_ns();
        assert!(matches!(forwarded(cpu, [5, 6, 7]), Step::Run));
        let records = records(cpu);
        let [record] = &records[..] else {
            panic!("one call: {records:?}")
        };
        assert_eq!((record.function, record.conduit), (FUNCTION, Conduit::Smc));
        assert!(record.returned);
        assert_eq!(
            record.before[..record.inputs][..4],
            [FUNCTION.into(), 5, 6, 7]
        );
        assert_eq!(record.after[..record.outputs], [n, 5, 6, 7]);
        let times = [begin, record.begin_ns, record.end_ns, monotonic_ns()];
        assert!(times.is_sorted(), "{times:?}");
    }
}

/// With the kernel engine an entry and a forwarded call have the same number if KVM carries none in between.
fn a_forwarded_call_that_fails_is_not_taken_for_the_entry_before() {
    let mut options = logging();
    options.config.on_fault = OnFault::NotSupported;
    let mut machine = Machine::new(&blob(fail_or_add()), spin(), &options);
    let world = world(&machine);
    let cpu = &mut machine.cpus[0];
    for _ in 0..3 {
        world.interrupt(0, 0);
        under_signals(|| enter(cpu));
        match forwarded(cpu, [1, 40, 2]) {
            Step::Fault(fault) => {
                let undefined = matches!(fault.reason, FaultReason::Exception { .. });
                assert!(undefined && fault.function == FUNCTION, "{fault}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(cpu.x()[..4], [u64::MAX, 1, 40, 2]);
        assert_eq!(records(cpu).len(), 1);
        assert!(matches!(forwarded(cpu, [0, 40, 2]), Step::Run));
        assert_eq!(cpu.x()[0], 42);
        assert_eq!(records(cpu).len(), 1);
    }
}

pub(super) fn tests() -> Vec<Trial> {
    trials![
        an_entry_finds_a_return_on_its_way,
        entries_are_watched_each_by_itself,
        an_entry_is_no_call_on_record,
        a_forwarded_call_is_on_record_as_any_other,
        a_forwarded_call_that_fails_is_not_taken_for_the_entry_before,
    ]
}
