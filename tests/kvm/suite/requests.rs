// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A call can be left at every kind of request: another CPU makes calls meanwhile, and the answer
//! comes later and from another thread, or in another process.

use std::mem::offset_of;

use fakemon_abi::frame::Frame;
use fakemon_abi::hostcall::{self, HostCall};
use fakemon_abi::layout::FRAME;
use fakemon_abi::note::WINDOW_SMCCC_1_2;
use fakemon_abi::status::{DENIED, INVALID_ADDRESS, SUCCESS};
use fakemon_host::{Blob, Error, PowerEvent, Reply, Request, Step};
use fakemon_tests::elf::{DATA, FUNCTION, blob_with, note};
use fakemon_tests::machine::{Machine, Options};
use fakemon_tests::program::caller;
use fakemon_tests::{program, trials};
use libtest_mimic::Trial;

mod saved;

// Makes the host call that x1 to x7 say; without a number it loads from x2 and stores to x3.
program!(
    ask,
    "cmn x1, #1",
    "b.eq 1f",
    "mrs x9, tpidr_el1",
    "str x1, [x9, #{NR}]",
    "add x10, x9, #{ARGS}",
    "stp x2, x3, [x10]",
    "stp x4, x5, [x10, #16]",
    "stp x6, x7, [x10, #32]",
    "sub x10, x9, #{FRAME}",
    "ldr wzr, [x10, #8]",
    "ldr x0, [x9, #{STATUS}]",
    "add x10, x9, #{RESULTS}",
    "ldp x1, x2, [x10]",
    "ldp x3, x4, [x10, #16]",
    "eret",
    "1: ldr w1, [x2]",
    "strh w1, [x3]",
    "mov x0, xzr",
    "eret";
    NR = offset_of!(Frame, call) + offset_of!(HostCall, nr),
    ARGS = offset_of!(Frame, call) + offset_of!(HostCall, args),
    STATUS = offset_of!(Frame, call) + offset_of!(HostCall, status),
    RESULTS = offset_of!(Frame, call) + offset_of!(HostCall, results),
    FRAME = FRAME
);

/// The number that stands for a load and a store.
const ACCESSES: u64 = u64::MAX;
const LOAD: u64 = 0x0a00_0000;
const STORE: u64 = 0x0a00_0100;

fn blob() -> Blob {
    let mut note = note();
    note.window = WINDOW_SMCCC_1_2;
    note.ranges[0].outputs = 5;
    blob_with(note, ask(), &[])
}

fn options() -> Options {
    Options {
        cpus: 2,
        ..Options::default()
    }
}

fn machine() -> Machine {
    Machine::new(&blob(), caller(), &options())
}

/// Makes the first CPU ask for something, and answers it on another thread after the second CPU has
/// made calls.
fn ask_and_answer(machine: &mut Machine, inputs: &[u64], expected: &Request, reply: Reply) -> Step {
    ask_of(machine, inputs, expected);
    answer_later(machine, expected, reply)
}

/// Makes the first CPU ask for something.
fn ask_of(machine: &mut Machine, inputs: &[u64], expected: &Request) {
    let first = &mut machine.cpus[0];
    let trap = first.next_call(inputs);
    let step = first.trap(trap);
    assert!(
        matches!(&step, Ok(Step::Ask(request)) if request == expected),
        "{step:?}, not {expected:?}"
    );
}

/// Answers a request that is open on the first CPU.
fn answer_later(machine: &mut Machine, expected: &Request, reply: Reply) -> Step {
    let [first, second] = &mut machine.cpus[..] else {
        panic!("two CPUs")
    };
    let lane = first.firmware.as_mut().expect("a blob");
    assert_eq!(lane.request(), Some(expected));
    assert!(lane.in_call());
    assert!(matches!(lane.resume(), Err(Error::OutOfTurn)), "no answer");
    for _ in 0..3 {
        assert!(second.ask(&[hostcall::VERSION]).is_none());
        assert_eq!(second.x()[0], 0);
    }
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| first.reply(reply));
        answer.join().expect("no panic").expect("a step")
    })
}

/// What the guest finds in x0 to x4 after a request that ends with this answer.
fn returns(number: u64, args: &[u64], request: Request, reply: Reply, expected: [u64; 5]) {
    let mut inputs = vec![number];
    inputs.extend(args);
    for is_moved in [false, true] {
        let mut machine = machine();
        ask_of(&mut machine, &inputs, &request);
        if is_moved {
            saved::to_another_world(&mut machine, &request);
        }
        let step = answer_later(&mut machine, &request, reply);
        assert!(matches!(step, Step::Run), "{step:?}");
        let cpu = &machine.cpus[0];
        assert_eq!(cpu.x()[..5], expected, "{request:?}, moved: {is_moved}");
        let lane = cpu.firmware.as_ref().expect("a blob");
        assert!(lane.request().is_none() && !lane.in_call());
    }
}

fn a_call_is_left_at_every_request_that_has_an_answer() {
    let denied = i64::from(DENIED) as u64;
    let values = Reply::values([5, 6, 7, 8]);
    let none = [0; 5];
    returns(
        hostcall::CONSOLE_WRITE,
        &[DATA, 3],
        Request::Console(vec![0; 3]),
        Reply::ok(),
        none,
    );
    let (mpidr, entry, context) = (1, 0x4000_0000, 3);
    returns(
        hostcall::CPU_ON,
        &[mpidr, entry, context],
        Request::CpuOn {
            mpidr,
            entry,
            context,
        },
        Reply::status(DENIED),
        [denied, 0, 0, 0, 0],
    );
    returns(
        hostcall::CPU_AFFINITY,
        &[1, 2],
        Request::CpuAffinity { mpidr: 1, level: 2 },
        Reply::value(1),
        [0, 1, 0, 0, 0],
    );
    let (wait, time) = (hostcall::WAIT_FOR_INTERRUPT, hostcall::TIME);
    returns(wait, &[], Request::WaitForInterrupt, Reply::ok(), none);
    returns(time, &[], Request::Time, values, [0, 5, 6, 7, 8]);
    let entropy = Request::Entropy { words: 4 };
    returns(hostcall::ENTROPY, &[4], entropy, values, [0, 5, 6, 7, 8]);
    let event = Request::Event {
        code: 9,
        args: [1, 2, 3],
    };
    returns(hostcall::LOG_EVENT, &[9, 1, 2, 3], event, Reply::ok(), none);
    let watchdog = Request::Watchdog { ns: 77 };
    returns(hostcall::WATCHDOG, &[77], watchdog, Reply::ok(), none);
    let interrupt = Request::Interrupt { cpu: 1, payload: 0 };
    returns(hostcall::INTERRUPT, &[1], interrupt, Reply::ok(), none);
    let timer = Request::Timer {
        deadline: 77,
        payload: 0,
    };
    returns(hostcall::TIMER, &[77], timer, Reply::ok(), none);
    let stolen_time = Request::StolenTime;
    returns(
        hostcall::STOLEN_TIME,
        &[],
        stolen_time,
        Reply::value(64),
        [0, 64, 0, 0, 0],
    );
    let (address, size) = (LOAD, 2);
    returns(
        hostcall::MMIO,
        &[address, 2],
        Request::Read { address, size },
        Reply::value(0x1234),
        [0, 0x1234, 0, 0, 0],
    );
    let value = 0x5678;
    returns(
        hostcall::MMIO,
        &[address, 2, 0xffff_5678, 1],
        Request::Write {
            address,
            size,
            value,
        },
        Reply::ok(),
        none,
    );
}

fn a_call_is_left_at_accesses_of_its_own() {
    for is_moved in [false, true] {
        accesses(is_moved);
    }
}

fn accesses(is_moved: bool) {
    let mut machine = machine();
    let load = Request::Read {
        address: LOAD,
        size: 4,
    };
    let store = Request::Write {
        address: STORE,
        size: 2,
        value: 0x1234,
    };
    let inputs = [ACCESSES, LOAD, STORE];
    ask_of(&mut machine, &inputs, &load);
    if is_moved {
        saved::to_another_world(&mut machine, &load);
    }
    let step = answer_later(&mut machine, &load, Reply::value(0x1234));
    assert!(
        matches!(&step, Step::Ask(request) if *request == store),
        "{step:?}"
    );
    if is_moved {
        saved::to_another_world(&mut machine, &store);
    }
    let step = answer_later(&mut machine, &store, Reply::ok());
    assert!(matches!(step, Step::Run), "{step:?}");
    assert_eq!(machine.cpus[0].x()[..2], [0, 0x1234]);
}

/// The guest has seen nothing of a call that ends so; one that is refused goes on in the blob.
fn a_power_event_ends_the_call_or_is_refused() {
    let (entry, context) = (0x4000_0000, 7);
    let events = [
        (hostcall::CPU_OFF, PowerEvent::CpuOff),
        (
            hostcall::CPU_RESUME,
            PowerEvent::CpuResume { entry, context },
        ),
        (hostcall::SYSTEM_OFF, PowerEvent::SystemOff),
        (
            hostcall::SYSTEM_RESET,
            PowerEvent::SystemReset {
                kind: entry,
                cookie: context,
            },
        ),
        (
            hostcall::SYSTEM_SUSPEND,
            PowerEvent::SystemSuspend { entry, context },
        ),
    ];
    for (number, event) in events {
        let request = Request::Power(event);
        let inputs = [number, entry, context];
        let refused = i64::from(INVALID_ADDRESS) as u64;
        returns(
            number,
            &inputs[1..],
            request.clone(),
            Reply::status(INVALID_ADDRESS),
            [refused, 0, 0, 0, 0],
        );
        let mut machine = machine();
        let step = ask_and_answer(&mut machine, &inputs, &request, Reply::status(SUCCESS));
        assert!(matches!(step, Step::Left), "{step:?}");
        let cpu = &mut machine.cpus[0];
        assert_eq!(cpu.x()[..2], [FUNCTION.into(), number]);
        assert!(!cpu.firmware.as_ref().expect("a blob").in_call());
        assert!(cpu.ask(&[hostcall::VERSION]).is_none());
        assert_eq!(cpu.x()[0], 0);
    }
}

fn an_abandoned_call_leaves_nothing_behind() {
    let mut machine = machine();
    for _ in 0..3 {
        let cpu = &mut machine.cpus[0];
        let trap = cpu.next_call(&[hostcall::TIME]);
        assert!(matches!(cpu.trap(trap), Ok(Step::Ask(Request::Time))));
        let lane = cpu.firmware.as_mut().expect("a blob");
        lane.abandon().expect("an end");
        assert!(!lane.in_call() && lane.request().is_none());
        let answer = lane.answer(Reply::ok());
        assert!(matches!(answer, Err(Error::OutOfTurn)), "{answer:?}");
        assert!(cpu.ask(&[hostcall::VERSION]).is_none());
        assert_eq!(cpu.x()[0], 0);
    }
}

pub(crate) fn tests() -> Vec<Trial> {
    let mut tests = trials![
        a_call_is_left_at_every_request_that_has_an_answer,
        a_call_is_left_at_accesses_of_its_own,
        a_power_event_ends_the_call_or_is_refused,
        an_abandoned_call_leaves_nothing_behind,
    ];
    tests.extend(saved::tests());
    tests
}
