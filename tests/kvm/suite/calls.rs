// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A call reaches the blob and comes back (docs/abi.md, "Entry" and "Return"), and the record of it
//! can be read.

use fakemon_host::{Conduit, monotonic_ns};
use fakemon_tests::elf::{FUNCTION, blob, blob_with, note};
use fakemon_tests::machine::{Machine, Options, Stop, logging};
use fakemon_tests::program::caller;
use fakemon_tests::{program, trials};
use libtest_mimic::Trial;

program!(add, "add x0, x1, x2", "eret",);

program!(
    call_once,
    "movz x0, #0xc300, lsl #16",
    "mov x1, #40",
    "mov x2, #2",
    "smc #0",
    "movz x1, #0x0900, lsl #16",
    "str x0, [x1]",
    "str x0, [x1, #0x1000]",
    "b .",
);

fn the_blob_answers() {
    let (machine, stop) = Machine::run(&blob(add()), call_once());
    assert!(matches!(stop, Stop::Ended), "{stop:?}");
    assert_eq!(machine.cpus[0].log.reports, [(0, 42)]);
}

fn every_call_is_as_good_as_the_first() {
    let mut machine = Machine::new(&blob(add()), caller(), &Options::default());
    let cpu = &mut machine.cpus[0];
    for n in 0..1000 {
        let stop = cpu.ask(&[n, 1]);
        assert!(stop.is_none(), "call {n}: {stop:?}");
        assert_eq!(cpu.x()[0], n + 1);
    }
}

fn the_last_call_is_on_record() {
    let mut note = note();
    note.ranges[0].inputs = 3;
    note.ranges[0].outputs = 2;
    let mut machine = Machine::new(&blob_with(note, add(), &[]), caller(), &logging());
    let cpu = &mut machine.cpus[0];
    let before = monotonic_ns();
    assert!(cpu.ask(&[40, 2, 99]).is_none());
    let after = monotonic_ns();
    let firmware = cpu.firmware.as_mut().expect("a blob");
    let mut records = Vec::new();
    firmware.drain_log(|record| records.push(*record));
    firmware.drain_log(|_| panic!("it has been handed out"));
    let ([record], last) = (&records[..], firmware.last_call()) else {
        panic!("one call: {records:?}");
    };
    assert_eq!((last.before, last.after), (record.before, record.after));
    assert!(record.returned);
    let times = [before, record.begin_ns, record.end_ns, after];
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!((record.function, record.conduit), (FUNCTION, Conduit::Smc));
    assert_eq!(record.before[..record.inputs], [FUNCTION.into(), 40, 2]);
    assert_eq!(record.after[..record.outputs], [42, 40]);
}

/// A log that fills up makes no call wait and loses none.
fn a_log_holds_every_call_in_order() {
    const CALLS: u64 = 10;
    let mut options = Options::default();
    options.config.log = 3;
    let mut note = note();
    note.ranges[0].inputs = 3;
    let blob = blob_with(note, add(), &[]);
    let mut machine = Machine::new(&blob, caller(), &options);
    let cpu = &mut machine.cpus[0];
    let mut answers = Vec::new();
    for n in 0..CALLS {
        assert!(cpu.ask(&[n, 1]).is_none());
        let carried = cpu.is_carried();
        let firmware = cpu.firmware.as_mut().expect("a blob");
        // The userspace engine keeps one; KVM stops the guest before it would lose any.
        if !carried || n % 3 == 2 {
            firmware.drain_log(|record| answers.push((record.before[1], record.after[0])));
        }
    }
    let firmware = cpu.firmware.as_mut().expect("a blob");
    firmware.drain_log(|record| answers.push((record.before[1], record.after[0])));
    let expected: Vec<_> = (0..CALLS).map(|n| (n, n + 1)).collect();
    assert_eq!(answers, expected);
}

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        the_blob_answers,
        every_call_is_as_good_as_the_first,
        the_last_call_is_on_record,
        a_log_holds_every_call_in_order,
    ]
}
