// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An error of the host's in the middle of a call gives that call up (docs/embedding.md, "Errors"): the
//! lane is free, and when the host works again the next call finds a payload that has started over.
//!
//! The host's error is a file that stands for a vCPU and is none.

use std::mem::offset_of;

use fakemon_abi::frame::Frame;
use fakemon_abi::hostcall::{self, HostCall};
use fakemon_abi::layout::FRAME;
use fakemon_host::regs::PC;
use fakemon_host::{Error, Reply, Request, Step, Trap};
use fakemon_tests::elf::blob;
use fakemon_tests::machine::{Cpu, Machine, Options};
use fakemon_tests::program::caller;
use fakemon_tests::{program, trials};
use libtest_mimic::Trial;

use super::files::{self, Broken};

// Tells of an event; then makes the host call that x1 to x3 say, or none for 0, or fails for -1; then
// adds. 0x100 bytes after the vector for calls is that for entries without one.
program!(
    two_host_calls,
    "9: mrs x9, tpidr_el1",
    "sub x10, x9, #{FRAME}",
    "mov x11, #{LOG_EVENT}",
    "str x11, [x9, #{NR}]",
    "ldr wzr, [x10, #8]",
    "cmn x1, #1",
    "b.eq 1f",
    "cbz x1, 2f",
    "str x1, [x9, #{NR}]",
    "add x11, x9, #{ARGS}",
    "stp x2, x3, [x11]",
    "ldr wzr, [x10, #8]",
    "2: add x0, x2, x3",
    "eret",
    "1: udf #0",
    ".space 0x100 - (. - 9b)",
    "mov x5, #0x1234",
    "eret";
    NR = offset_of!(Frame, call) + offset_of!(HostCall, nr),
    ARGS = offset_of!(Frame, call) + offset_of!(HostCall, args),
    LOG_EVENT = hostcall::LOG_EVENT,
    FRAME = FRAME
);

/// The second host call of a blob that fails in its place.
const FAILS: u64 = u64::MAX;

fn machine() -> Machine {
    Machine::new(&blob(two_host_calls()), caller(), &Options::default())
}

/// A call with these inputs, which has come to the first request.
fn at_request(cpu: &mut Cpu, inputs: &[u64]) -> Trap {
    let trap = cpu.next_call(inputs);
    let step = cpu.trap(trap);
    let asks = matches!(&step, Ok(Step::Ask(Request::Event { .. })));
    assert!(asks, "{step:?}");
    trap
}

fn is_hosts<T: std::fmt::Debug>(result: &Result<T, Error>) {
    assert!(matches!(result, Err(Error::Register(_))), "{result:?}");
}

/// The lane has no call, and begins none as long as the host fails.
fn is_over(machine: &mut Machine, trap: Trap) {
    let world = machine.world.clone().expect("a world");
    let lane = machine.cpus[0].firmware.as_mut().expect("a blob");
    assert!(!lane.in_call() && lane.request().is_none());
    assert!(matches!(lane.answer(Reply::ok()), Err(Error::OutOfTurn)));
    assert!(matches!(lane.resume(), Err(Error::OutOfTurn)));
    is_hosts(&lane.trap(trap));
    is_hosts(&lane.abandon());
    assert!(!lane.in_call());
    // No CPU is in a call.
    world.reset().expect("a reset");
}

/// Makes calls that the blob serves, after the call that was given up has been taken out of KVM, too.
fn works_again(cpu: &mut Cpu) {
    let lane = cpu.firmware.as_mut().expect("a blob");
    lane.abandon().expect("the host works again");
    works(cpu);
}

/// Makes calls that the blob serves.
fn works(cpu: &mut Cpu) {
    for n in 0..3 {
        let stop = cpu.ask(&[0, 40, n]);
        assert!(stop.is_none(), "{stop:?}");
        assert_eq!(cpu.x()[0], 40 + n);
    }
}

/// Breaks the host after the first request of a call with these inputs.
fn breaks(inputs: &[u64]) {
    let mut machine = machine();
    let trap = at_request(&mut machine.cpus[0], inputs);
    let pc = machine.cpus[0].get(PC);
    let broken = Broken::new(files::guest(&machine.cpus[0]));
    let step = machine.cpus[0].reply(Reply::ok());
    is_hosts(&step);
    is_over(&mut machine, trap);
    drop(broken);
    let cpu = &mut machine.cpus[0];
    assert_eq!(cpu.get(PC), pc);
    assert_eq!(cpu.x()[1..=inputs.len()], *inputs, "the guest's registers");
    works_again(cpu);
}

fn a_host_call_that_the_host_fails_to_serve_gives_the_call_up() {
    breaks(&[hostcall::TRANSLATE, 0x1000, 0]);
    breaks(&[hostcall::SET_EXCEPTION, 1, 2]);
}

fn a_fault_of_a_blob_that_cannot_start_over_gives_the_call_up() {
    breaks(&[FAILS, 1, 2]);
}

fn a_return_that_the_guest_cannot_be_given_gives_the_call_up() {
    // KVM gives the guest what it carries without this file.
    if !machine().cpus[0].is_carried() {
        breaks(&[0, 1, 2]);
    }
}

fn a_power_event_that_the_host_fails_at_gives_the_call_up() {
    let mut machine = machine();
    let cpu = &mut machine.cpus[0];
    let trap = at_request(cpu, &[hostcall::SYSTEM_OFF, 0, 0]);
    let step = cpu.reply(Reply::ok());
    assert!(matches!(step, Ok(Step::Ask(Request::Power(_)))), "{step:?}");
    let broken = Broken::new(files::guest(cpu));
    is_hosts(&cpu.reply(Reply::ok()));
    is_over(&mut machine, trap);
    drop(broken);
    works_again(&mut machine.cpus[0]);
}

fn a_call_that_the_host_fails_to_abandon_is_over() {
    let mut machine = machine();
    let cpu = &mut machine.cpus[0];
    let trap = at_request(cpu, &[0, 1, 2]);
    let broken = Broken::new(files::guest(cpu));
    is_hosts(&cpu.firmware.as_mut().expect("a blob").abandon());
    is_over(&mut machine, trap);
    drop(broken);
    works_again(&mut machine.cpus[0]);
}

fn a_call_or_entry_that_the_host_fails_to_begin_can_be_begun_again() {
    let mut machine = machine();
    let world = machine.world.clone().expect("a world");
    let cpu = &mut machine.cpus[0];
    works(cpu);
    world.interrupt(0, 0);
    let broken = Broken::new(files::guest(cpu));
    let lane = cpu.firmware.as_mut().expect("a blob");
    for _ in 0..2 {
        assert!(lane.is_due());
        is_hosts(&lane.deliver());
        assert!(!lane.in_call());
    }
    drop(broken);
    assert!(cpu.deliver().is_none());
    let lane = cpu.firmware.as_ref().expect("a blob");
    assert!(!lane.is_raised());
    works(cpu);
    // The entry of the kernel engine ends when the guest runs.
    assert_eq!(cpu.x()[5], 0x1234);
}

/// The payload's own vCPU is what the host fails with, after the guest's has told where it is.
fn an_entry_that_the_host_fails_to_begin_stays_due() {
    let mut machine = machine();
    let world = machine.world.clone().expect("a world");
    // The userspace engine asks KVM for nothing before it runs the payload, but where a thread blocks
    // the kick signal.
    std::thread::scope(|scope| {
        let work = scope.spawn(|| {
            super::block_signals();
            let cpu = &mut machine.cpus[0];
            world.interrupt(0, 0);
            let broken = Broken::new(files::monitor(cpu));
            let lane = cpu.firmware.as_mut().expect("a blob");
            for _ in 0..2 {
                assert!(lane.is_due());
                let step = lane.deliver();
                let hosts = matches!(step, Err(Error::Register(_) | Error::Kvm { .. }));
                assert!(hosts, "{step:?}");
                assert!(!lane.in_call());
            }
            drop(broken);
        });
        work.join().expect("no panic");
    });
    let cpu = &mut machine.cpus[0];
    assert!(cpu.deliver().is_none());
    assert!(!cpu.firmware.as_ref().expect("a blob").is_raised());
    works(cpu);
    assert_eq!(cpu.x()[5], 0x1234);
}

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        an_entry_that_the_host_fails_to_begin_stays_due,
        a_host_call_that_the_host_fails_to_serve_gives_the_call_up,
        a_fault_of_a_blob_that_cannot_start_over_gives_the_call_up,
        a_return_that_the_guest_cannot_be_given_gives_the_call_up,
        a_power_event_that_the_host_fails_at_gives_the_call_up,
        a_call_that_the_host_fails_to_abandon_is_over,
        a_call_or_entry_that_the_host_fails_to_begin_can_be_begun_again,
    ]
}
