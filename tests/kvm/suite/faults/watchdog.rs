// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A blob that does not return is ended by the watchdog, however it spends its time. The VMM's time
//! is not the blob's: neither what it takes to serve a call, nor while a call is left. And a thread
//! that has no CPU spends none.

use std::mem::offset_of;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fakemon_abi::frame::Frame;
use fakemon_abi::hostcall;
use fakemon_abi::layout::FRAME;
use fakemon_abi::note::GUEST_MEMORY_WRITE;
use fakemon_host::{BlobFault, Config, Error, FaultReason, Limit, OnFault, Served, World};
use fakemon_tests::elf::{DATA, blob, blob_with, note};
use fakemon_tests::machine::{Cpu, Machine, Options, RAM, Stop};
use fakemon_tests::program::caller;
use fakemon_tests::{program, sched, trials};
use kvm_ioctls::Kvm;
use libtest_mimic::Trial;

use super::{BODY, Case, LIMIT, Reason, machine, works};

/// An address that the VMM serves.
const DEVICE: u64 = 0x0a00_0000;
/// A word of the guest's RAM that the blob writes, and one that it reads.
const THERE: u64 = RAM + 0x1_0000;
const WORD: u64 = RAM + 0x1_1000;

misbehaves!(endless_loop, "b .");
misbehaves!(wait_for_interrupt, "2: wfi", "b 2b");
misbehaves!(wait_for_event, "2: wfe", "b 2b");
misbehaves!(device_loop, "2: ldr x11, [x4]", "b 2b");
misbehaves!(
    host_call_loop,
    "mrs x10, tpidr_el1",
    "str x4, [x10, #{CALL}]",
    "sub x10, x10, #{FRAME}",
    "2: ldr wzr, [x10, #8]",
    "b 2b";
    CALL = offset_of!(Frame, call),
    FRAME = FRAME
);
// Its next exception, the return itself, has nowhere to go.
misbehaves!(vector_base, "msr vbar_el1, x4", "isb", "eret");
misbehaves!(
    translation_table,
    "msr ttbr0_el1, xzr",
    "isb",
    "tlbi vmalle1",
    "dsb ish",
    "isb",
    "b ."
);
misbehaves!(
    left,
    "mrs x10, tpidr_el1",
    "str x4, [x10, #{CALL}]",
    "sub x10, x10, #{FRAME}",
    "ldr wzr, [x10, #8]",
    "add x0, x2, x3",
    "eret";
    CALL = offset_of!(Frame, call),
    FRAME = FRAME
);

// Reads from a device, and tells the VMM of an event.
misbehaves!(
    busy_vmm,
    "ldr x11, [x4]",
    "mrs x10, tpidr_el1",
    "mov x12, #{LOG_EVENT}",
    "str x12, [x10, #{CALL}]",
    "sub x10, x10, #{FRAME}",
    "ldr wzr, [x10, #8]",
    "add x0, x2, x3",
    "eret";
    LOG_EVENT = hostcall::LOG_EVENT,
    CALL = offset_of!(Frame, call),
    FRAME = FRAME
);
// Says that it is there, and waits for a word.
program!(
    wait_for_word,
    "mov w10, #1",
    "stlr w10, [x3]",
    "1: ldar w10, [x4]",
    "cbz w10, 1b",
    "add x0, x1, x2",
    "eret",
);

// Waits for that lock if there is no x1, else takes it and fails.
program!(
    lock_or_fail,
    "cbnz x1, 2f",
    "1: ldar w10, [x4]",
    "cbnz w10, 1b",
    "add x0, x2, x3",
    "eret",
    "2: mov w10, #1",
    "stlr w10, [x4]",
    "udf #0",
);

fn cases() -> Vec<Case> {
    use Limit::{CpuTime, WallTime};
    let case = |name, program, argument, limit, pc| {
        let reason = Reason::Exactly(FaultReason::Timeout(limit, LIMIT));
        Case {
            name,
            program,
            argument,
            reason,
            pc,
        }
    };
    vec![
        case("loops", endless_loop, 0, CpuTime, Some(BODY)),
        case("sleeps_in_wfi", wait_for_interrupt, 0, WallTime, None),
        case("waits_in_wfe", wait_for_event, 0, CpuTime, None),
        case("polls_a_device", device_loop, DEVICE, CpuTime, None),
        case(
            "loops_over_host_calls",
            host_call_loop,
            hostcall::TIME,
            CpuTime,
            None,
        ),
        case(
            "moves_its_vectors_to_its_data",
            vector_base,
            DATA,
            CpuTime,
            Some(DATA + 0x200),
        ),
        case(
            "drops_its_translation_tables",
            translation_table,
            0,
            CpuTime,
            None,
        ),
    ]
}

/// Leaves a call for longer than the limit, which is no time of the blob's.
fn the_watchdog_waits_while_a_call_is_left() {
    for limit in [Limit::CpuTime, Limit::WallTime] {
        let mut machine = machine(left(), OnFault::Fatal, Some(limit));
        let cpu = &mut machine.cpus[0];
        let trap = cpu.next_call(&[1, 40, 2, hostcall::WAIT_FOR_INTERRUPT]);
        let step = cpu.begin(trap);
        assert!(matches!(step, Ok(Served::WaitForInterrupt)), "{step:?}");
        away(limit);
        cpu.firmware.as_ref().expect("a blob").kick_handle().kick();
        let step = cpu.resume();
        assert!(matches!(step, Ok(Served::Interrupted)), "{step:?}");
        away(limit);
        let step = cpu.resume();
        assert!(matches!(step, Ok(Served::Run)), "{step:?}");
        assert_eq!(cpu.x()[0], 42);
        works(cpu);
    }
}

/// Has more than the limit on the calling thread.
fn away(limit: Limit) {
    match limit {
        Limit::CpuTime => sched::work(LIMIT * 2),
        Limit::WallTime => std::thread::sleep(LIMIT * 2),
        other => panic!("{other:?} is new"),
    }
}

/// The next call hangs, once: then the blob's data is what it was at first.
fn a_lock_that_a_failed_call_held_hangs_one_call_and_no_more() {
    let limit = Some(Limit::CpuTime);
    let mut machine = machine(lock_or_fail(), OnFault::NotSupported, limit);
    let cpu = &mut machine.cpus[0];
    assert!(cpu.ask(&[0, 40, 2, DATA]).is_none());
    assert_eq!(cpu.x()[0], 42);
    assert!(cpu.ask(&[1, 40, 2, DATA]).is_none());
    for _ in 0..3 {
        assert!(cpu.ask(&[0, 40, 2, DATA]).is_none());
    }
    assert_eq!(cpu.x()[0], 42);
    let reasons: Vec<_> = cpu.log.faults.iter().map(|fault| &fault.reason).collect();
    assert!(
        matches!(
            reasons[..],
            [FaultReason::Exception { .. }, FaultReason::Timeout(..)]
        ),
        "{reasons:?}"
    );
}

/// Each hangs while the other does, so that there is no time at which no CPU is in a call.
fn cpus_that_hang_in_turn_are_served_again() {
    const HANGS: usize = 8;
    let mut options = Options {
        cpus: 2,
        ..Options::default()
    };
    options.config.on_fault = OnFault::NotSupported;
    options.config.watchdog = LIMIT;
    let mut machine = Machine::new(&blob(lock_or_fail()), caller(), &options);
    assert!(machine.cpus[0].ask(&[1, 40, 2, DATA]).is_none());
    let [first, second] = &mut machine.cpus[..] else {
        panic!("two CPUs")
    };
    let is_served = |cpu: &mut Cpu| {
        (0..HANGS).any(|_| {
            let stop = cpu.ask(&[0, 40, 2, DATA]);
            assert!(stop.is_none(), "{stop:?}");
            cpu.x()[0] == 42
        })
    };
    let served = std::thread::scope(|scope| {
        let first = scope.spawn(|| is_served(first));
        std::thread::sleep(LIMIT / 2);
        [is_served(second), first.join().expect("no panic")]
    });
    assert_eq!(served, [true; 2]);
    let mut faults = machine.cpus.iter().flat_map(|cpu| &cpu.log.faults);
    assert!(faults.any(|fault| matches!(fault.reason, FaultReason::Timeout(..))));
}

fn what_the_vmm_does_for_a_call_is_not_the_blobs_time() {
    for limit in [Limit::CpuTime, Limit::WallTime] {
        let mut machine = machine(busy_vmm(), OnFault::Fatal, Some(limit));
        let cpu = &mut machine.cpus[0];
        cpu.log.effort = LIMIT * 2;
        let stop = cpu.ask(&[1, 40, 2, DEVICE]);
        assert!(stop.is_none(), "{stop:?}");
        assert_eq!(cpu.x()[0], 42);
        assert_eq!((cpu.log.secure.len(), cpu.log.events.len()), (1, 1));
    }
}

/// A blob runs for many times the limit on a thread that gets next to nothing of its CPU, since
/// another one does not leave it any.
fn a_blob_that_gets_no_cpu_is_not_ended() {
    let mut note = note();
    note.guest_memory = GUEST_MEMORY_WRITE;
    let mut options = Options::default();
    options.config.watchdog = LIMIT;
    let blob = blob_with(note, wait_for_word(), &[]);
    let mut machine = Machine::new(&blob, caller(), &options);
    let mut cpu = machine.cpus.remove(0);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let call = scope.spawn(|| {
            sched::pin();
            sched::stand_back();
            let stop = cpu.ask(&[40, 2, THERE, WORD]);
            (stop, sched::used(), cpu.x()[0])
        });
        while machine.read_ram(THERE, 4) == [0; 4] && !call.is_finished() {
            std::thread::yield_now();
        }
        scope.spawn(|| {
            sched::pin();
            while !over.load(Ordering::Acquire) {
                std::hint::spin_loop();
            }
        });
        std::thread::sleep(LIMIT * 4);
        machine.write_ram(WORD, &[1]);
        over.store(true, Ordering::Release);
        let (stop, used, result) = call.join().expect("no panic");
        assert!(stop.is_none(), "{stop:?}, {used:?} used");
        assert_eq!(result, 42);
    });
}

/// As a VMM has it that takes its signals by KVM_SET_SIGNAL_MASK, while a vCPU runs and at no other
/// time: the thread blocks them all, and the guest's vCPU lets the kick signal through.
fn a_thread_that_blocks_the_kick_signal_is_watched_as_well() {
    for on_fault in [OnFault::Fatal, OnFault::NotSupported] {
        let mut machine = machine(endless_loop(), on_fault, Some(Limit::CpuTime));
        let cpu = &mut machine.cpus[0];
        std::thread::scope(|scope| {
            let calls = scope.spawn(|| {
                let signal = let_through(cpu);
                for n in 0..3 {
                    let mut signalled = false;
                    let hangs = call(cpu, &[1, 40, 2], || {
                        signalled |= take(&signal, Duration::ZERO);
                    });
                    match (on_fault, hangs) {
                        (OnFault::Fatal, Err(Error::Blob(fault))) => is_timeout(&fault),
                        (_, Ok(Served::Run)) => is_timeout(&cpu.log.faults.remove(0)),
                        (_, other) => panic!("{other:?}"),
                    }
                    // The VMM may use the signal for itself, and what came be its own. The watchdog may
                    // also have got the blob out before it sends it.
                    let signalled = signalled || take(&signal, Duration::from_secs(60));
                    assert!(signalled, "no signal is left");
                    for m in 0..3 {
                        let step = call(cpu, &[0, n, m], || {
                            take(&signal, Duration::ZERO);
                        });
                        assert!(matches!(step, Ok(Served::Run)), "{step:?}");
                        assert_eq!(cpu.x()[0], n + m);
                    }
                }
            });
            calls.join().expect("no panic");
        });
        // A thread that does not block it has no use for the mask of the other one.
        let stop = cpu.ask(&[1, 40, 2]);
        match stop {
            Some(Stop::Error(Error::Blob(fault))) => is_timeout(&fault),
            other => assert!(other.is_none() && cpu.log.faults.len() == 1, "{other:?}"),
        }
        works(cpu);
    }
}

fn is_timeout(fault: &BlobFault) {
    let timeout = FaultReason::Timeout(Limit::CpuTime, LIMIT);
    assert_eq!(fault.reason, timeout, "{fault}");
}

/// Blocks all signals in the calling thread, and lets the kick signal, which this returns as a set,
/// through to the guest's vCPU.
fn let_through(cpu: &Cpu) -> libc::sigset_t {
    crate::suite::block_signals();
    let signal = Config::default().kick_signal;
    let mask = !(1_u64 << (signal - 1));
    let [low, high] = [mask as u32, (mask >> 32) as u32];
    let request: [u32; 3] = [size_of_val(&mask) as u32, low, high];
    // _IOW(KVMIO, 0x8b, struct kvm_signal_mask).
    const KVM_SET_SIGNAL_MASK: libc::c_ulong = 0x4004_ae8b;
    let vcpu = cpu.fd.as_raw_fd();
    // SAFETY: KVM reads the length and as many bytes as that says.
    let done = unsafe { libc::ioctl(vcpu, KVM_SET_SIGNAL_MASK as _, &raw const request) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: a set of signals is an array of numbers, for which zero is a value.
    let mut kick: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is valid for its size.
    unsafe { libc::sigaddset(&raw mut kick, signal) };
    kick
}

/// Takes the signal if it comes within this time, and tells whether it has.
fn take(signal: &libc::sigset_t, time: Duration) -> bool {
    let time = libc::timespec {
        tv_sec: time.as_secs() as _,
        tv_nsec: 0,
    };
    // SAFETY: the kernel reads the set and the time, and has nowhere to write.
    unsafe { libc::sigtimedwait(signal, std::ptr::null_mut(), &raw const time) > 0 }
}

/// Makes a call, and does what such a VMM does when it is interrupted.
fn call(cpu: &mut Cpu, inputs: &[u64], mut interrupted: impl FnMut()) -> Result<Served, Error> {
    let trap = cpu.next_call(inputs);
    let mut step = cpu.begin(trap);
    while matches!(step, Ok(Served::Interrupted)) {
        interrupted();
        step = cpu.resume();
    }
    step
}

/// It would go past KVM_RUN, and the watchdog would do nothing.
fn a_kick_signal_that_is_ignored_is_refused() {
    let mut options = Options::default();
    // Nobody else here uses it.
    options.config.kick_signal = libc::SIGRTMAX();
    // SAFETY: ignoring a signal runs no code of this program's.
    unsafe { libc::signal(options.config.kick_signal, libc::SIG_IGN) };
    let kvm = Kvm::new().expect("/dev/kvm");
    let world = World::new(&kvm, &[&blob(endless_loop())], 1, options.config.clone());
    let Err(Error::Watchdog(error)) = world else {
        panic!("{world:?}")
    };
    assert!(error.to_string().contains("is ignored"), "{error}");
    // Without a watchdog nobody sends it.
    options.config.watchdog = Duration::ZERO;
    let world = World::new(&kvm, &[&blob(endless_loop())], 1, options.config);
    assert!(world.is_ok(), "{world:?}");
}

pub(super) fn tests() -> Vec<Trial> {
    let mut tests = trials![
        a_thread_that_blocks_the_kick_signal_is_watched_as_well,
        a_kick_signal_that_is_ignored_is_refused,
        the_watchdog_waits_while_a_call_is_left,
        a_lock_that_a_failed_call_held_hangs_one_call_and_no_more,
        cpus_that_hang_in_turn_are_served_again,
        what_the_vmm_does_for_a_call_is_not_the_blobs_time,
        a_blob_that_gets_no_cpu_is_not_ended,
    ];
    tests.extend(super::trials(cases()));
    tests
}
