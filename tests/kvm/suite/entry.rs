// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A blob that is entered without a call (docs/abi.md, "Entry without a call"): wherever the guest is,
//! it finds nothing changed but what the blob has changed on purpose.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fakemon_abi::version;
use fakemon_host::regs::{PSTATE, x};
use fakemon_host::{Config, Lane, Width, World};
use fakemon_launch::env;
use fakemon_tests::elf::{DATA, blob, blob_with, note};
use fakemon_tests::machine::{Cpu, END, Machine, Options, REPORT, Stop};
use fakemon_tests::program::caller;
use fakemon_tests::{program, trials};
use libtest_mimic::Trial;

mod calls;
mod sdei;
mod storm;
mod timer;

use storm::four_cpus_have_the_blob_entered_on_each_other_while_all_make_calls;

// A call returns how often the blob was entered without one; such an entry counts, and spoils what it
// may spoil. 0x100 bytes after the vector for calls is that for FIQ.
program!(
    count,
    "9: movz x9, #0x7f, lsl #32",
    "movk x9, #0x2000",
    "ldr x0, [x9]",
    "eret",
    ".space 0x100 - (. - 9b)",
    "movz x19, #0x7f, lsl #32",
    "movk x19, #0x2000",
    "ldr x20, [x19]",
    "add x20, x20, #1",
    "str x20, [x19]",
    ".irp n, 18, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30",
    "mov x\\n, #-1",
    ".endr",
    "cmp x20, x20",
    "eret",
);

// Checks all that it has, again and again, and ends when it has found x28 rounds good. What is wrong
// goes to REPORT, and each round leaves by a store to the word after it. A round has one atomic increment
// of the word at x27.
program!(
    check_all,
    "mov x0, #(3 << 20)",
    "msr cpacr_el1, x0",
    "isb",
    "ldr x27, ={WORD}",
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 29",
    "mov x\\n, #0x100 + \\n",
    "dup v\\n\\().2d, x\\n",
    ".endr",
    "mov x30, #0x7000",
    "movk x30, #0x4000, lsl #16",
    "mov sp, x30",
    "1:",
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 29",
    "sub x30, x\\n, #0x100 + \\n",
    "cbnz x30, 3f",
    "umov x30, v\\n\\().d[1]",
    "sub x30, x30, #0x100 + \\n",
    "cbnz x30, 3f",
    ".endr",
    "mov x30, sp",
    "sub x30, x30, #0x7000",
    "lsr x30, x30, #12",
    "cmp x30, #0x40, lsl #12",
    "mov x30, #0x5b",
    "b.ne 3f",
    // Flags survive for as long as it takes.
    "mov x30, #64",
    "cmp x30, x30",
    "2: sub x30, x30, #1",
    "b.ne 3f",
    "cbnz x30, 2b",
    "4: ldxr x30, [x27]",
    "add x30, x30, #1",
    "stxr w0, x30, [x27]",
    "cbnz w0, 4b",
    "mov x0, #0x100",
    "ldr x30, ={REPORT}",
    "str xzr, [x30, #8]",
    "sub x28, x28, #1",
    "cbnz x28, 1b",
    "ldr x29, ={END}",
    "str xzr, [x29]",
    "b .",
    "3: ldr x29, ={REPORT}",
    "str x30, [x29]",
    "b 3b",
    ".ltorg";
    WORD = 0x4001_0000_u64,
    REPORT = REPORT,
    END = END,
);

// Waits, with all interrupts masked.
program!(spin, "msr daifset, #0xf", "1: b 1b");
program!(sleep, "msr daifset, #0xf", "1: wfi", "b 1b");
// The same two from AArch32, in Supervisor mode: cpsid aif; then b . or wfi.
program!(spin_32, ".word 0xf10c01c0", ".word 0xeafffffe");
program!(
    sleep_32,
    ".word 0xf10c01c0",
    ".word 0xe320f003",
    ".word 0xeafffffd"
);
// At EL0, with tables for nothing: the MMU is off.
program!(
    user,
    "adr x0, 1f",
    "msr elr_el1, x0",
    "mov x0, #0x3c0",
    "msr spsr_el1, x0",
    "eret",
    "1: b 1b",
);
// In its own exception handler: an SVC of which it does not return.
program!(
    handler,
    "b 2f",
    ".balign 0x800",
    "9: .space 0x200 - (. - 9b)",
    "1: b 1b",
    "2: adr x0, 9b",
    "msr vbar_el1, x0",
    "isb",
    "svc #0",
    "b .",
);

/// Sends signals to this thread, so that it leaves KVM_RUN again and again, while `work` runs.
fn under_signals<T>(work: impl FnOnce() -> T) -> T {
    under_signals_each(Duration::from_micros(200), work)
}

fn under_signals_each<T>(period: Duration, work: impl FnOnce() -> T) -> T {
    // SAFETY: gettid has no arguments and always succeeds.
    let thread = unsafe { libc::gettid() };
    let signal = Config::default().kick_signal;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                // SAFETY: tgkill touches no memory, and the signal's handler does nothing.
                unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), thread, signal) };
                std::thread::sleep(period);
            }
        });
        // Also when it panics, or nobody would end the other thread.
        struct Done<'a>(&'a AtomicBool);
        impl Drop for Done<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Release);
            }
        }
        let _done = Done(&done);
        work()
    })
}

fn world(machine: &Machine) -> World {
    machine.world.clone().expect("a world")
}

/// How often the blob was entered without a call.
fn entries(machine: &Machine) -> u64 {
    let bytes = machine.payload().read_memory(DATA, 8).expect("its data");
    u64::from_le_bytes(bytes.try_into().expect("8 bytes"))
}

/// After each round and, by signals, anywhere in between.
fn a_guest_that_checks_all_its_state_notices_nothing_of_entries() {
    let rounds: u64 = if env::is_on(env::QUICK) {
        2_000
    } else {
        100_000
    };
    let mut machine = Machine::new(&blob(count()), check_all(), &Options::default());
    let world = world(&machine);
    let cpu = &mut machine.cpus[0];
    cpu.set(x(28), rounds);
    let stop = under_signals(|| {
        loop {
            world.interrupt(0, 0);
            if let Some(stop) = cpu.run_on() {
                return stop;
            }
            let wrong = cpu.log.reports.drain(..).find(|&(place, _)| place == 0);
            assert_eq!(wrong, None, "what the guest found wrong");
        }
    });
    assert!(matches!(stop, Stop::Ended), "{stop:?}");
    let count = machine.read_ram(0x4001_0000, 8);
    assert_eq!(count, rounds.to_le_bytes(), "atomic increments");
    let entries = entries(&machine);
    assert!(entries >= rounds, "{entries} entries");
}

/// Has the blob entered without a call, which is due, and runs the guest until that is over.
fn enter(cpu: &mut Cpu) {
    let stop = cpu.deliver();
    assert!(stop.is_none(), "{stop:?}");
    // With the kernel engine it is entered by this.
    let is_busy = |lane: &Lane| lane.in_call() || lane.is_raised();
    while cpu.firmware.as_ref().is_some_and(is_busy) {
        let stop = cpu.run_on();
        assert!(stop.is_none(), "{stop:?}");
    }
}

/// Wherever the guest is, with all its interrupts masked.
fn entered_in(program: &[u8], width: Width) {
    let options = Options {
        width,
        ..Options::default()
    };
    let mut machine = Machine::new(&blob(count()), program, &options);
    let world = world(&machine);
    let state = |cpu: &Cpu| {
        let registers: Vec<_> = (0..31).map(|n| cpu.get(x(n))).collect();
        (registers, cpu.get(PSTATE))
    };
    under_signals(|| {
        let cpu = &mut machine.cpus[0];
        // As far as it gets: there is only one place where it can be in the end.
        for _ in 0..20 {
            let stop = cpu.run_on();
            assert!(stop.is_none(), "{stop:?}");
        }
    });
    let before = state(&machine.cpus[0]);
    for n in 1..=50 {
        world.interrupt(0, 0);
        under_signals(|| enter(&mut machine.cpus[0]));
        assert_eq!(entries(&machine), n);
        assert_eq!(state(&machine.cpus[0]), before);
    }
}

fn a_guest_is_entered_in_a_loop_with_all_interrupts_masked() {
    entered_in(spin(), Width::AArch64);
}

fn a_guest_is_entered_in_wfi() {
    entered_in(sleep(), Width::AArch64);
}

fn a_guest_is_entered_at_el0() {
    entered_in(user(), Width::AArch64);
}

fn a_guest_is_entered_in_its_own_exception_handler() {
    entered_in(handler(), Width::AArch64);
}

fn an_aarch32_guest_is_entered_in_a_loop_and_in_wfi() {
    entered_in(spin_32(), Width::AArch32);
    entered_in(sleep_32(), Width::AArch32);
}

/// What is raised during a call comes when that is over, once.
fn an_entry_waits_for_the_end_of_a_call() {
    let mut machine = Machine::new(&blob(count()), caller(), &Options::default());
    let world = world(&machine);
    for n in 0..20 {
        let cpu = &mut machine.cpus[0];
        // The call is left before it has begun.
        cpu.firmware.as_ref().expect("a blob").kick_handle().kick();
        let trap = cpu.next_call(&[]);
        let step = cpu.begin(trap);
        assert!(
            matches!(step, Ok(fakemon_host::Served::Interrupted)),
            "{step:?}"
        );
        world.interrupt(0, 0);
        world.interrupt(0, 0);
        let lane = cpu.firmware.as_ref().expect("a blob");
        assert!(lane.is_raised() && !lane.is_due());
        let mut step = cpu.resume();
        while matches!(step, Ok(fakemon_host::Served::Interrupted)) {
            step = cpu.resume();
        }
        assert!(matches!(step, Ok(fakemon_host::Served::Run)), "{step:?}");
        assert_eq!(cpu.x()[0], n, "the call came first");
        assert!(cpu.deliver().is_none());
        // The next call finds it done.
        assert!(cpu.ask(&[]).is_none());
        assert_eq!(cpu.x()[0], n + 1);
    }
}

fn a_blob_of_an_older_version_is_left_alone() {
    let mut old = note();
    old.abi = version(1, 2);
    let mut machine = Machine::new(&blob_with(old, count(), &[]), spin(), &Options::default());
    world(&machine).interrupt(0, 0);
    for (cpu, payload) in [(1, 0), (0, 1), (u32::MAX, usize::MAX)] {
        world(&machine).interrupt(cpu, payload);
    }
    let lane = machine.cpus[0].firmware.as_ref().expect("a blob");
    assert!(!lane.is_raised() && !lane.is_due());
    assert!(machine.cpus[0].deliver().is_none());
    assert_eq!(entries(&machine), 0);
}

pub(crate) fn tests() -> Vec<Trial> {
    let mut tests = trials![
        a_guest_that_checks_all_its_state_notices_nothing_of_entries,
        a_guest_is_entered_in_a_loop_with_all_interrupts_masked,
        a_guest_is_entered_in_wfi,
        a_guest_is_entered_at_el0,
        a_guest_is_entered_in_its_own_exception_handler,
        an_aarch32_guest_is_entered_in_a_loop_and_in_wfi,
        an_entry_waits_for_the_end_of_a_call,
        four_cpus_have_the_blob_entered_on_each_other_while_all_make_calls,
        a_blob_of_an_older_version_is_left_alone,
    ];
    tests.extend(timer::tests());
    tests.extend(calls::tests());
    tests.extend(sdei::tests());
    tests
}
