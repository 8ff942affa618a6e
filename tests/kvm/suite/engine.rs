// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What differs between the engines, and that a VMM can rely on either (docs/architecture.md).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fakemon_abi::note::WINDOW_SMCCC_1_2;
use fakemon_host::{Config, Engine, Error, World};
use fakemon_launch::env;
use fakemon_tests::elf::{FUNCTION, blob, blob_with, note};
use fakemon_tests::machine::{Machine, Options, Stop, engine};
use fakemon_tests::program::caller;
use fakemon_tests::{program, trials};
use kvm_ioctls::Kvm;
use libtest_mimic::Trial;

program!(add, "add x0, x1, x2", "eret",);

program!(syndrome, "mrs x2, esr_el1", "eret",);

program!(
    immediates,
    "movz x1, #0x0900, lsl #16",
    ".irp imm, 0, 1, 0xffff",
    "movz x0, #0xc300, lsl #16",
    "movk x0, #0x5a5a, lsl #48",
    "mov x2, #0",
    "smc #\\imm",
    "str x0, [x1]",
    "str x2, [x1, #8]",
    ".endr",
    "str x0, [x1, #0x1000]",
    "b .",
);

program!(
    storm,
    "mov x3, #0",
    "mov x4, #0",
    "1: movz x0, #0xc300, lsl #16",
    "mov x1, x3",
    "mov x2, #7",
    "smc #0",
    "sub x0, x0, #7",
    "cmp x0, x3",
    "cinc x4, x4, ne",
    "add x3, x3, #1",
    "mov x5, #5000",
    "cmp x3, x5",
    "b.ne 1b",
    "movz x1, #0x0900, lsl #16",
    "str x3, [x1]",
    "str x4, [x1, #8]",
    "str x0, [x1, #0x1000]",
    "b .",
);

/// Makes a world with this engine.
fn world(engine: Engine) -> Result<World, Error> {
    let config = Config {
        engine,
        ..Config::default()
    };
    World::new(&Kvm::new().expect("/dev/kvm"), &[&blob(add())], 1, config)
}

fn the_engine_is_the_one_that_was_chosen() {
    let userspace = world(Engine::Userspace).expect("any kernel has it");
    assert_eq!(userspace.engine(), Engine::Userspace);
    let auto = world(Engine::Auto).expect("a choice").engine();
    match world(Engine::Kernel) {
        Ok(monitor) => {
            assert_eq!((monitor.engine(), auto), (Engine::Kernel, Engine::Kernel));
        }
        Err(Error::NoKernelEngine) => assert_eq!(auto, Engine::Userspace),
        Err(error) => panic!("{error}"),
    }
    // What the environment asks for is what the other tests have tested.
    if engine() == Engine::Kernel {
        assert_eq!(auto, Engine::Kernel, "{}=kernel", env::ENGINE);
    }
}

fn an_smc_with_an_immediate_arrives_where_kvm_carries_calls() {
    let mut note = note();
    note.window = WINDOW_SMCCC_1_2;
    note.ranges[0].outputs = 4;
    let blob = blob_with(note, syndrome(), &[]);
    let mut machine = Machine::new(&blob, immediates(), &Options::default());
    let cpu = &mut machine.cpus[0];
    let carried = cpu.is_carried();
    let stop = cpu.run();
    assert!(matches!(stop, Stop::Ended), "{stop:?}");
    const SMC: u64 = 0x17 << 26 | 1 << 25;
    // Of x0, only w0 is the call's; with an immediate it is no function ID and goes along in full.
    let full = 0x5a5a << 48 | u64::from(FUNCTION);
    let mut expected = vec![(0, FUNCTION.into()), (8, SMC)];
    for immediate in [1, 0xffff] {
        let (x0, x2) = if carried {
            (full, SMC | immediate)
        } else {
            (u64::MAX, 0)
        };
        expected.extend([(0, x0), (8, x2)]);
    }
    assert_eq!(cpu.log.reports, expected);
}

/// Signals and kicks come whenever they like.
fn no_call_is_lost_in_a_storm_of_kicks() {
    let mut machine = Machine::new(&blob(add()), storm(), &Options::default());
    let cpu = &mut machine.cpus[0];
    let handle = cpu.firmware.as_ref().expect("a blob").kick_handle();
    // SAFETY: gettid has no arguments and always succeeds.
    let thread = unsafe { libc::gettid() };
    let done = AtomicBool::new(false);
    let stop = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                handle.kick();
                let signal = Config::default().kick_signal;
                // SAFETY: tgkill touches no memory, and the signal's handler does nothing.
                unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), thread, signal) };
                std::thread::sleep(Duration::from_micros(300));
            }
        });
        let stop = cpu.run();
        done.store(true, Ordering::Release);
        stop
    });
    assert!(matches!(stop, Stop::Ended), "{stop:?}");
    assert_eq!(cpu.log.reports, [(0, 5000), (8, 0)], "calls, wrong answers");
}

fn a_guest_without_its_monitor_vcpu_has_its_calls_forwarded_again() {
    let mut machine = Machine::new(&blob(add()), caller(), &Options::default());
    let cpu = &mut machine.cpus[0];
    assert!(cpu.ask(&[40, 2]).is_none());
    assert_eq!(cpu.x()[0], 42);
    cpu.firmware = None;
    let trap = cpu.run_to_call().expect("a call");
    assert_eq!(trap.function, FUNCTION);
    // And another monitor can take over.
    let world = world(engine()).expect("a world");
    let width = fakemon_host::Width::AArch64;
    let firmware = world.lane(0, &cpu.fd, width).expect("a lane");
    cpu.firmware = Some(firmware);
    assert!(cpu.ask(&[1, 2]).is_none());
    assert_eq!(cpu.x()[0], 3);
}

/// KVM has one monitor for each vCPU, and the one that it has stays.
fn a_second_lane_for_a_vcpu_leaves_the_first_alone() {
    let mut machine = Machine::new(&blob(add()), caller(), &Options::default());
    let cpu = &mut machine.cpus[0];
    let second = world(engine())
        .expect("a world")
        .lane(0, &cpu.fd, fakemon_host::Width::AArch64);
    assert_eq!(second.is_err(), cpu.is_carried());
    assert!(cpu.ask(&[40, 2]).is_none());
    assert_eq!(cpu.x()[0], 42);
}

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        a_second_lane_for_a_vcpu_leaves_the_first_alone,
        the_engine_is_the_one_that_was_chosen,
        an_smc_with_an_immediate_arrives_where_kvm_carries_calls,
        no_call_is_lost_in_a_storm_of_kicks,
        a_guest_without_its_monitor_vcpu_has_its_calls_forwarded_again,
    ]
}
