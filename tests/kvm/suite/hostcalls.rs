// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every host call does what `fakemon_abi::hostcall` says, and refuses what it cannot do by a
//! status (docs/abi.md, "Host calls").
//!
//! The blob makes whatever host call the guest's x1 to x7 name, and returns the status and the
//! results.

use std::mem::offset_of;

use fakemon_abi::frame::Frame;
use fakemon_abi::hostcall::{self, HostCall};
use fakemon_abi::layout::{
    FRAME, MONITOR_BASE, TABLES_BASE, VCPU_STRIDE, VECTOR_LOWER_AARCH64, vcpu_block,
};
use fakemon_abi::note::{
    GUEST_MEMORY_NONE, GUEST_MEMORY_READ, GUEST_MEMORY_WRITE, WINDOW_SMCCC_1_2,
};
use fakemon_abi::{ABI_VERSION, status};
use fakemon_host::{PowerEvent, Served, regs};
use fakemon_tests::elf::{DATA, FUNCTION, blob_with, note};
use fakemon_tests::machine::{Cpu, Machine, Options, RAM, RAM_SIZE, Stop};
use fakemon_tests::program::caller;
use fakemon_tests::{program, trials};
use libtest_mimic::Trial;

mod bus;
mod translate;
mod workarounds;

program!(
    pass_on,
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
    "eret";
    NR = offset_of!(Frame, call) + offset_of!(HostCall, nr),
    ARGS = offset_of!(Frame, call) + offset_of!(HostCall, args),
    STATUS = offset_of!(Frame, call) + offset_of!(HostCall, status),
    RESULTS = offset_of!(Frame, call) + offset_of!(HostCall, results),
    FRAME = FRAME
);

/// A machine whose blob passes host calls on.
fn machine() -> Machine {
    machine_with(GUEST_MEMORY_NONE)
}

/// One whose blob has this access to guest memory.
fn machine_with(guest_memory: u32) -> Machine {
    let mut note = note();
    note.window = WINDOW_SMCCC_1_2;
    note.guest_memory = guest_memory;
    note.ranges[0].outputs = 5;
    Machine::new(
        &blob_with(note, pass_on(), &[]),
        caller(),
        &Options::default(),
    )
}

/// x1 to x7 for a host call.
fn inputs(number: u64, args: &[u64]) -> [u64; 7] {
    let mut inputs = [0; 7];
    inputs[0] = number;
    inputs[1..=args.len()].copy_from_slice(args);
    inputs
}

/// Makes a host call that returns: its status and results.
fn host_call(cpu: &mut Cpu, number: u64, args: &[u64]) -> (i32, [u64; 4]) {
    let stop = cpu.ask(&inputs(number, args));
    assert!(stop.is_none(), "{stop:?}");
    answer(cpu)
}

fn answer(cpu: &Cpu) -> (i32, [u64; 4]) {
    let [status, a, b, c, d, ..] = cpu.x();
    let status = i32::try_from(status as i64).expect("a status, sign-extended");
    (status, [a, b, c, d])
}

fn version_is_the_abis() {
    let answer = host_call(&mut machine().cpus[0], hostcall::VERSION, &[]);
    assert_eq!(answer, (status::SUCCESS, [ABI_VERSION.into(), 0, 0, 0]));
}

fn unknown_host_calls_are_not_supported() {
    let mut machine = machine();
    let cpu = &mut machine.cpus[0];
    for number in [hostcall::VECTOR_BASE + 1, 1 << 32, u64::MAX] {
        assert_eq!(
            host_call(cpu, number, &[]),
            (status::NOT_SUPPORTED, [0; 4]),
            "{number:#x}"
        );
    }
    version_is_the_abis();
}

fn console_write_shows_the_blobs_own_bytes() {
    const TEXT: u64 = MONITOR_BASE + VECTOR_LOWER_AARCH64;
    let mut machine = machine();
    let cpu = &mut machine.cpus[0];
    for length in [0, 1, pass_on().len() as u64] {
        cpu.log.console.clear();
        let answer = host_call(cpu, hostcall::CONSOLE_WRITE, &[TEXT, length]);
        assert_eq!(answer, (status::SUCCESS, [0; 4]));
        assert_eq!(cpu.log.console, pass_on()[..length as usize]);
    }
    cpu.log.console.clear();
    let most = host_call(
        cpu,
        hostcall::CONSOLE_WRITE,
        &[DATA, hostcall::CONSOLE_MAX as u64],
    );
    assert_eq!(
        (most.0, cpu.log.console.len()),
        (status::SUCCESS, hostcall::CONSOLE_MAX)
    );
}

fn console_write_refuses_what_is_too_long_or_not_the_blobs() {
    const STACK_END: u64 = vcpu_block(0) + VCPU_STRIDE;
    let mut machine = machine();
    let cpu = &mut machine.cpus[0];
    for length in [hostcall::CONSOLE_MAX as u64 + 1, 1 << 32, u64::MAX] {
        let answer = host_call(cpu, hostcall::CONSOLE_WRITE, &[DATA, length]);
        assert_eq!(answer, (status::INVALID_PARAMETERS, [0; 4]), "{length:#x}");
    }
    for address in [
        0,
        RAM,
        MONITOR_BASE - 1,
        TABLES_BASE - 1,
        vcpu_block(0),
        STACK_END - 1,
        STACK_END,
        u64::MAX,
    ] {
        let answer = host_call(cpu, hostcall::CONSOLE_WRITE, &[address, 2]);
        assert_eq!(answer, (status::INVALID_ADDRESS, [0; 4]), "{address:#x}");
    }
    assert!(cpu.log.console.is_empty());
}

fn cpu_on_and_affinity_ask_the_vmm() {
    let mut machine = machine();
    let cpu = &mut machine.cpus[0];
    let answer = host_call(cpu, hostcall::CPU_ON, &[0x8000_0003, RAM + 4, 99]);
    assert_eq!(answer, (status::SUCCESS, [0; 4]));
    assert_eq!(cpu.log.started, [[0x8000_0003, RAM + 4, 99]]);
    assert_eq!(
        host_call(cpu, hostcall::CPU_AFFINITY, &[0, 0]),
        (status::SUCCESS, [0; 4])
    );
    assert_eq!(
        host_call(cpu, hostcall::CPU_AFFINITY, &[1, 0]),
        (status::SUCCESS, [1, 0, 0, 0])
    );
}

fn time_does_not_go_back() {
    let mut machine = machine();
    let cpu = &mut machine.cpus[0];
    let mut last = [0; 4];
    for _ in 0..10 {
        let (code, now) = host_call(cpu, hostcall::TIME, &[]);
        assert_eq!(code, status::SUCCESS);
        assert!(now[0] > last[0], "{now:?} after {last:?}");
        assert!(now[1] > 0);
        last = now;
    }
}

fn entropy_fills_as_many_words_as_asked() {
    let mut machine = machine();
    let cpu = &mut machine.cpus[0];
    let mut seen = Vec::new();
    for words in 1..=4_usize {
        let (code, results) = host_call(cpu, hostcall::ENTROPY, &[words as u64]);
        assert_eq!(code, status::SUCCESS);
        assert!(results[words..].iter().all(|&word| word == 0));
        seen.extend_from_slice(&results[..words]);
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 10, "ten different words of 64 bits");
    for words in [0, 5, u64::MAX] {
        let answer = host_call(cpu, hostcall::ENTROPY, &[words]);
        assert_eq!(answer, (status::INVALID_PARAMETERS, [0; 4]));
    }
}

fn log_event_reaches_the_vmm() {
    let mut machine = machine();
    let cpu = &mut machine.cpus[0];
    assert_eq!(
        host_call(cpu, hostcall::LOG_EVENT, &[7, 1, 2, u64::MAX]).0,
        status::SUCCESS
    );
    assert_eq!(cpu.log.events, [(7, [1, 2, u64::MAX])]);
}

fn host_calls_without_return_end_the_call_in_their_step() {
    let mut machine = machine();
    let cpu = &mut machine.cpus[0];
    let (entry, context) = (RAM + 0x40, 0x77);
    for (number, step) in [
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
    ] {
        let stop = cpu.ask(&inputs(number, &[entry, context]));
        assert!(
            matches!(stop, Some(Stop::Step(Served::Power(end))) if end == step),
            "{stop:?}"
        );
        assert!(!cpu.firmware.as_ref().expect("a blob").in_call());
        assert_eq!(
            cpu.x()[..2],
            [FUNCTION.into(), number],
            "the guest's registers are as they were"
        );
        let next = host_call(cpu, hostcall::VERSION, &[]);
        assert_eq!(next, (status::SUCCESS, [ABI_VERSION.into(), 0, 0, 0]));
    }
}

fn wait_for_interrupt_leaves_the_call_and_succeeds_later() {
    let mut machine = machine();
    let cpu = &mut machine.cpus[0];
    let trap = cpu.next_call(&inputs(hostcall::WAIT_FOR_INTERRUPT, &[]));
    let step = cpu.begin(trap);
    assert!(matches!(step, Ok(Served::WaitForInterrupt)), "{step:?}");
    assert!(cpu.firmware.as_ref().expect("a blob").in_call());
    let step = cpu.resume();
    assert!(matches!(step, Ok(Served::Run)), "{step:?}");
    assert_eq!(answer(cpu), (status::SUCCESS, [0; 4]));
}

fn guest_memory_is_told_as_far_as_the_note_reaches() {
    for access in [GUEST_MEMORY_READ, GUEST_MEMORY_WRITE] {
        let mut machine = machine_with(access);
        let cpu = &mut machine.cpus[0];
        let first = host_call(cpu, hostcall::GUEST_MEMORY, &[0]);
        let ram = [RAM, RAM_SIZE, access.into(), 0];
        assert_eq!(first, (status::SUCCESS, ram));
        for after in [1, u64::MAX] {
            let answer = host_call(cpu, hostcall::GUEST_MEMORY, &[after]);
            assert_eq!(answer, (status::INVALID_PARAMETERS, [0; 4]));
        }
    }
    let none = host_call(&mut machine().cpus[0], hostcall::GUEST_MEMORY, &[0]);
    assert_eq!(none, (status::NOT_SUPPORTED, [0; 4]));
}

fn a_vmm_without_watchdog_or_stolen_time_supports_neither() {
    let mut machine = machine();
    let cpu = &mut machine.cpus[0];
    for number in [hostcall::WATCHDOG, hostcall::STOLEN_TIME] {
        let answer = host_call(cpu, number, &[1]);
        assert_eq!(answer, (status::NOT_SUPPORTED, [0; 4]));
    }
}

fn set_exception_changes_the_callers_own_registers() {
    let mut machine = machine();
    let cpu = &mut machine.cpus[0];
    let answer = host_call(cpu, hostcall::SET_EXCEPTION, &[RAM + 0x123, 0x8000_03c5]);
    assert_eq!(answer, (status::SUCCESS, [0; 4]));
    assert_eq!(cpu.get(regs::ELR_EL1), RAM + 0x123);
    assert_eq!(cpu.get(regs::SPSR_EL1), 0x8000_03c5);
}

fn vector_base_is_the_callers_own() {
    let mut machine = machine();
    let cpu = &mut machine.cpus[0];
    cpu.set(regs::VBAR_EL1, RAM + 0x1800);
    let answer = host_call(cpu, hostcall::VECTOR_BASE, &[]);
    assert_eq!(answer, (status::SUCCESS, [RAM + 0x1800, 0, 0, 0]));
}

pub(crate) fn tests() -> Vec<Trial> {
    let mut tests = trials![
        version_is_the_abis,
        unknown_host_calls_are_not_supported,
        console_write_shows_the_blobs_own_bytes,
        console_write_refuses_what_is_too_long_or_not_the_blobs,
        cpu_on_and_affinity_ask_the_vmm,
        time_does_not_go_back,
        entropy_fills_as_many_words_as_asked,
        log_event_reaches_the_vmm,
        host_calls_without_return_end_the_call_in_their_step,
        wait_for_interrupt_leaves_the_call_and_succeeds_later,
        guest_memory_is_told_as_far_as_the_note_reaches,
        a_vmm_without_watchdog_or_stolen_time_supports_neither,
        set_exception_changes_the_callers_own_registers,
        vector_base_is_the_callers_own,
    ];
    tests.extend(bus::tests());
    tests.extend(translate::tests());
    tests.extend(workarounds::tests());
    tests
}
