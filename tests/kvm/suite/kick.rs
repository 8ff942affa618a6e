// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A call can be left at any moment and goes on where it was: a signal or `immediate_exit` while the
//! blob runs returns to the VMM at once.
//!
//! The blob here waits for a word in the guest's RAM that only the test writes, so it is certain
//! that a call which came back before that was interrupted in the middle.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fakemon_abi::note::GUEST_MEMORY_READ;
use fakemon_host::regs::PC;
use fakemon_host::{Config, Error, Served};
use fakemon_tests::elf::{FUNCTION, blob_with, note};
use fakemon_tests::machine::{Cpu, Machine, Options, RAM};
use fakemon_tests::program::caller;
use fakemon_tests::{program, trials};
use libtest_mimic::Trial;

program!(
    wait_for_word,
    "movz x9, #0x4001, lsl #16",
    "1: ldar w10, [x9]",
    "cbz w10, 1b",
    "add x0, x1, x2",
    "eret",
);

// Arms the virtual timer, for which the monitor VM has no interrupt controller.
program!(
    arm_timer,
    "msr cntv_tval_el0, xzr",
    "mov x9, #1",
    "msr cntv_ctl_el0, x9",
    "isb",
    "movz x9, #0x4001, lsl #16",
    "1: ldar w10, [x9]",
    "cbz w10, 1b",
    "msr cntv_ctl_el0, xzr",
    "add x0, x1, x2",
    "eret",
);

/// The word for which the blob waits.
const WORD: u64 = RAM + 0x1_0000;

fn machine(program: &[u8]) -> Machine {
    let mut note = note();
    note.guest_memory = GUEST_MEMORY_READ;
    Machine::new(
        &blob_with(note, program, &[]),
        caller(),
        &Options::default(),
    )
}

/// Expects a call that has been left, of which the guest has seen nothing.
fn is_left(machine: &Machine, pc: u64, step: &Result<Served, Error>) {
    assert!(matches!(step, Ok(Served::Interrupted)), "{step:?}");
    let cpu = &machine.cpus[0];
    assert!(cpu.firmware.as_ref().expect("a blob").in_call());
    assert_eq!((cpu.x()[0], cpu.get(PC)), (FUNCTION.into(), pc));
}

/// Gives the blob what it waits for, and expects the right answer.
fn completes(machine: &mut Machine) {
    machine.write_ram(WORD, &[1]);
    let cpu = &mut machine.cpus[0];
    let mut step = cpu.resume();
    while matches!(step, Ok(Served::Interrupted)) {
        step = cpu.resume();
    }
    assert!(matches!(step, Ok(Served::Run)), "{step:?}");
    assert_eq!(cpu.x()[0], 42);
    assert!(!cpu.firmware.as_ref().expect("a blob").in_call());
    // And the next call is whole again.
    let stop = cpu.ask(&[3, 4]);
    assert!(stop.is_none(), "{stop:?}");
    assert_eq!(cpu.x()[0], 7);
}

/// Begins a call, lets another thread do `kick` again and again until the call is left, and
/// completes it.
fn left_by(program: &[u8], kick: impl FnOnce(&Cpu) -> Box<dyn FnMut() + Send>) {
    let mut machine = machine(program);
    let cpu = &mut machine.cpus[0];
    let trap = cpu.next_call(&[40, 2]);
    let pc = cpu.behind_call();
    let mut kick = kick(cpu);
    let done = AtomicBool::new(false);
    let step = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                kick();
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let step = cpu.begin(trap);
        done.store(true, Ordering::Release);
        step
    });
    is_left(&machine, pc, &step);
    completes(&mut machine);
}

/// Sends the kick signal, for which the library has a handler, to the thread that asks for this.
fn signal_to_this_thread() -> impl FnMut() + Send {
    // SAFETY: gettid has no arguments and always succeeds.
    let thread = unsafe { libc::gettid() };
    let signal = Config::default().kick_signal;
    move || {
        // SAFETY: tgkill touches no memory, and the signal's handler does nothing.
        unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), thread, signal) };
    }
}

fn a_signal_leaves_a_running_call() {
    left_by(wait_for_word(), |_| Box::new(signal_to_this_thread()));
}

fn a_kick_and_a_signal_leave_a_running_call() {
    left_by(wait_for_word(), |cpu| {
        let handle = cpu.firmware.as_ref().expect("a blob").kick_handle();
        let mut signal = signal_to_this_thread();
        Box::new(move || {
            handle.kick();
            signal();
        })
    });
}

/// KVM tells the VMM of a timer that it has no interrupt controller for by leaving KVM_RUN.
fn a_timer_of_the_blob_leaves_a_running_call() {
    left_by(arm_timer(), |_| Box::new(|| {}));
}

/// Leaves a call at its first entry into the blob.
fn left_at_once() -> Machine {
    let mut machine = machine(wait_for_word());
    let cpu = &mut machine.cpus[0];
    let trap = cpu.next_call(&[40, 2]);
    let pc = cpu.behind_call();
    cpu.firmware.as_ref().expect("a blob").kick_handle().kick();
    let step = cpu.begin(trap);
    is_left(&machine, pc, &step);
    machine
}

fn a_kick_before_a_call_leaves_it_at_once() {
    completes(&mut left_at_once());
}

fn a_call_is_left_as_often_as_it_is_kicked() {
    let mut machine = left_at_once();
    let pc = machine.cpus[0].get(PC);
    for _ in 0..3 {
        let cpu = &mut machine.cpus[0];
        cpu.firmware.as_ref().expect("a blob").kick_handle().kick();
        let step = cpu.resume();
        is_left(&machine, pc, &step);
    }
    completes(&mut machine);
}

/// What parks the payload is not what the kick was for.
fn a_kick_outlasts_the_end_of_another_call() {
    let mut machine = left_at_once();
    let cpu = &mut machine.cpus[0];
    let lane = cpu.firmware.as_mut().expect("a blob");
    lane.kick_handle().kick();
    lane.abandon().expect("no error of the host's");
    // The guest stands past that call.
    let trap = cpu.next_call(&[40, 2]);
    let pc = cpu.behind_call();
    let step = cpu.begin(trap);
    is_left(&machine, pc, &step);
    completes(&mut machine);
}

fn a_left_call_goes_on_in_another_thread() {
    let mut machine = left_at_once();
    let thread = std::thread::spawn(move || completes(&mut machine));
    thread.join().expect("no panic");
}

fn a_call_out_of_turn_is_refused() {
    let out_of_turn = |step: Result<Served, Error>| matches!(step, Err(Error::OutOfTurn));
    let mut machine = machine(wait_for_word());
    let cpu = &mut machine.cpus[0];
    assert!(out_of_turn(cpu.resume()), "nothing was left");
    let trap = cpu.next_call(&[40, 2]);
    assert!(out_of_turn(cpu.resume()), "the call has not begun");
    cpu.firmware.as_ref().expect("a blob").kick_handle().kick();
    assert!(matches!(cpu.begin(trap), Ok(Served::Interrupted)));
    assert!(out_of_turn(cpu.begin(trap)), "a call within a call");
    completes(&mut machine);
    assert!(out_of_turn(machine.cpus[0].resume()), "the call is over");
}

fn a_machine_can_be_dropped_in_the_middle_of_a_call() {
    let mut machine = left_at_once();
    let handle = machine.cpus[0]
        .firmware
        .as_ref()
        .expect("a blob")
        .kick_handle();
    // The two halves can go in any order.
    machine.cpus.remove(0);
    handle.kick();
    drop(machine);
    handle.kick();
    completes(&mut left_at_once());
}

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        a_signal_leaves_a_running_call,
        a_kick_and_a_signal_leave_a_running_call,
        a_timer_of_the_blob_leaves_a_running_call,
        a_kick_before_a_call_leaves_it_at_once,
        a_call_is_left_as_often_as_it_is_kicked,
        a_kick_outlasts_the_end_of_another_call,
        a_left_call_goes_on_in_another_thread,
        a_call_out_of_turn_is_refused,
        a_machine_can_be_dropped_in_the_middle_of_a_call,
    ]
}
