// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What was saved in the middle of a call goes on in another world, as it would in another process.

use std::mem::offset_of;

use fakemon_abi::frame::Frame;
use fakemon_abi::hostcall::{self, HostCall};
use fakemon_abi::layout::FRAME;
use fakemon_host::regs::x;
use fakemon_host::{Blob, Error, Reply, Request, SavedLane, Served, Step};
use fakemon_tests::elf::{DATA, FUNCTION, blob_with, note};
use fakemon_tests::machine::{Machine, Options};
use fakemon_tests::program::caller;
use fakemon_tests::{program, trials};
use libtest_mimic::Trial;

// Adds x1 to a sum in its data, asks for the time, and returns the sum as it has kept it meanwhile: in its data,
// on its stack and in a register.
program!(
    sum,
    "ldr x9, ={DATA}",
    "ldr x19, [x9]",
    "add x19, x19, x1",
    "str x19, [x9]",
    "str x19, [sp, #-16]!",
    "mrs x10, tpidr_el1",
    "mov x11, #{TIME}",
    "str x11, [x10, #{NR}]",
    "sub x11, x10, #{FRAME}",
    "ldr wzr, [x11, #8]",
    "ldr x0, [x9]",
    "ldr x1, [sp], #16",
    "mov x2, x19",
    "mov x3, x19",
    "eret",
    ".ltorg";
    DATA = DATA,
    TIME = hostcall::TIME,
    NR = offset_of!(Frame, call) + offset_of!(HostCall, nr),
    FRAME = FRAME
);

fn blob() -> Blob {
    blob_with(note(), sum(), &[0; 8])
}

fn machine() -> Machine {
    Machine::new(&blob(), caller(), &Options::default())
}

/// Moves a machine of the parent's to another world, where its first CPU asks the same.
pub(super) fn to_another_world(machine: &mut Machine, request: &Request) {
    let saved = machine.save().expect("a saved machine");
    machine.forget(&super::blob(), &super::options());
    let steps = machine.restore(&saved).expect("the same machine");
    assert!(
        matches!(&steps[..], [Step::Ask(again), Step::Run] if again == request),
        "{steps:?}, not {request:?}"
    );
}

/// Adds to the sum, and answers the request: the sums that the blob returns.
fn add(machine: &mut Machine, number: u64, between: impl FnOnce(&mut Machine)) -> [u64; 4] {
    let cpu = &mut machine.cpus[0];
    // The guest may still be at its last call, which has changed this.
    cpu.set(x(0), FUNCTION.into());
    let trap = cpu.next_call(&[number]);
    let step = cpu.trap(trap);
    assert!(matches!(step, Ok(Step::Ask(Request::Time))), "{step:?}");
    between(machine);
    let cpu = &mut machine.cpus[0];
    let step = cpu.reply(Reply::ok());
    assert!(matches!(step, Ok(Step::Run)), "{step:?}");
    std::array::from_fn(|n| cpu.x()[n])
}

fn a_blob_finds_all_its_state_in_another_world() {
    let mut machine = machine();
    assert_eq!(add(&mut machine, 5, |_| {}), [5; 4]);
    let sums = add(&mut machine, 7, |machine| {
        let saved = machine.save().expect("a saved machine");
        machine.forget(&blob(), &Options::default());
        let steps = machine.restore(&saved).expect("the same machine");
        assert!(matches!(steps[..], [Step::Ask(Request::Time)]), "{steps:?}");
    });
    assert_eq!(sums, [12; 4]);
    // And so when no call is in progress.
    let saved = machine.save().expect("a saved machine");
    machine.forget(&blob(), &Options::default());
    let steps = machine.restore(&saved).expect("the same machine");
    assert!(matches!(steps[..], [Step::Run]), "{steps:?}");
    assert_eq!(add(&mut machine, 1, |_| {}), [13; 4]);
}

fn what_was_saved_can_go_on_more_than_once() {
    let mut machine = machine();
    let mut saved = None;
    let first = add(&mut machine, 3, |machine| saved = machine.save().ok());
    assert_eq!(first, [3; 4], "saving changes nothing");
    let saved = saved.expect("a saved machine");
    // The guest's vCPU is past its call in the machine that was saved, and so it is here.
    for _ in 0..2 {
        machine.forget(&blob(), &Options::default());
        machine.restore(&saved).expect("the same machine");
        let cpu = &mut machine.cpus[0];
        assert!(matches!(cpu.reply(Reply::ok()), Ok(Step::Run)));
        assert_eq!(cpu.x()[..4], [3; 4]);
    }
}

fn a_call_that_was_left_by_a_kick_is_left_in_the_other_world() {
    let mut machine = machine();
    let cpu = &mut machine.cpus[0];
    let trap = cpu.next_call(&[4]);
    cpu.firmware.as_ref().expect("a blob").kick_handle().kick();
    let step = cpu.trap(trap);
    assert!(matches!(step, Ok(Step::Interrupted)), "{step:?}");
    let saved = machine.save().expect("a saved machine");
    machine.forget(&blob(), &Options::default());
    let steps = machine.restore(&saved).expect("the same machine");
    assert!(matches!(steps[..], [Step::Interrupted]), "{steps:?}");
    let cpu = &mut machine.cpus[0];
    let step = cpu.resume();
    assert!(matches!(step, Ok(Served::Run)), "{step:?}");
    assert_eq!(cpu.x()[..4], [4; 4]);
}

fn a_world_of_another_blob_is_refused() {
    let mut machine = machine();
    let saved = machine.save().expect("a saved machine");
    machine.forget(&super::blob(), &Options::default());
    let refused = machine.restore(&saved);
    assert!(matches!(refused, Err(Error::Snapshot(_))), "{refused:?}");
    assert!(machine.cpus[0].ask(&[hostcall::VERSION]).is_none());
    assert_eq!(machine.cpus[0].x()[0], 0, "it serves its own calls");
}

fn a_lane_of_a_world_that_is_not_restored_is_refused() {
    let mut machine = machine();
    if machine.cpus[0].is_carried() {
        // KVM goes on with it by itself.
        return;
    }
    let mut saved = None;
    add(&mut machine, 3, |machine| saved = machine.save().ok());
    machine.forget(&blob(), &Options::default());
    let lane = &saved.expect("a saved machine").lanes[0];
    let lane: SavedLane = serde_json::from_slice(lane).expect("a lane");
    let refused = machine.cpus[0]
        .firmware
        .as_mut()
        .expect("a blob")
        .restore(&lane);
    assert!(matches!(refused, Err(Error::Snapshot(_))), "{refused:?}");
    assert_eq!(add(&mut machine, 2, |_| {}), [2; 4], "it is as new");
}

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        a_blob_finds_all_its_state_in_another_world,
        what_was_saved_can_go_on_more_than_once,
        a_call_that_was_left_by_a_kick_is_left_in_the_other_world,
        a_world_of_another_blob_is_refused,
        a_lane_of_a_world_that_is_not_restored_is_refused,
    ]
}
