// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Four CPUs have the blob entered on each other by its host call, and the VMM does from another thread,
//! while all of them make calls: no entry is lost, none comes that nobody has asked for, and no CPU finds
//! a register that is not its own.

use std::mem::offset_of;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use fakemon_abi::frame::Frame;
use fakemon_abi::hostcall::{self, HostCall};
use fakemon_abi::layout::FRAME;
use fakemon_host::regs::x;
use fakemon_launch::env;
use fakemon_tests::elf::{DATA, blob};
use fakemon_tests::machine::{Cpu, END, Machine, Options, REPORT, Stop};
use fakemon_tests::peers::Peers;
use fakemon_tests::program;

const CPUS: u32 = 4;

// Returns how often the blob was entered without a call on CPU x1, and, unless x2 is zero, has it entered
// there once more; then x3 is the host call's status. Such an entry counts for its CPU.
program!(
    count_and_raise,
    "9: mrs x9, tpidr_el1",
    "movz x11, #0x7f, lsl #32",
    "movk x11, #0x2000",
    "add x11, x11, x1, lsl #6",
    "ldar x0, [x11]",
    "mov x3, #0",
    "cbz x2, 2f",
    "mov x10, #{INTERRUPT}",
    "str x10, [x9, #{NR}]",
    "str x1, [x9, #{ARGS}]",
    "sub x10, x9, #{FRAME}",
    "ldr wzr, [x10, #8]",
    "ldr x3, [x9, #{STATUS}]",
    "2: eret",
    ".space 0x100 - (. - 9b)",
    "mrs x19, tpidr_el1",
    "ldr w20, [x19, #{CPU}]",
    "movz x21, #0x7f, lsl #32",
    "movk x21, #0x2000",
    "add x21, x21, x20, lsl #6",
    "ldr x22, [x21]",
    "add x22, x22, #1",
    "stlr x22, [x21]",
    ".irp n, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30",
    "mov x\\n, #-1",
    ".endr",
    "cmp x20, x20",
    "eret";
    INTERRUPT = hostcall::INTERRUPT,
    NR = offset_of!(Frame, call) + offset_of!(HostCall, nr),
    ARGS = offset_of!(Frame, call) + offset_of!(HostCall, args),
    STATUS = offset_of!(Frame, call) + offset_of!(HostCall, status),
    CPU = offset_of!(Frame, cpu),
    FRAME = FRAME
);

// CPU x20. Has each of the others entered in turn, x27 times in all, waits by calls until it was, and
// checks all that it has meanwhile. What is wrong goes to REPORT.
program!(
    storm,
    "mov x20, x0",
    "mov x1, #(3 << 20)",
    "msr cpacr_el1, x1",
    "isb",
    ".irp n, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 22, 23, 24, 25, 26, 29",
    "mov x\\n, #0x100 + \\n",
    "bfi x\\n, x20, #32, #8",
    "dup v\\n\\().2d, x\\n",
    ".endr",
    "add x1, x20, #0x7000",
    "lsl x1, x1, #12",
    "mov sp, x1",
    "1: mov x2, #3",
    "udiv x1, x27, x2",
    "msub x28, x1, x2, x27",
    "add x28, x28, x20",
    "add x28, x28, #1",
    "and x28, x28, #3",
    "movz x0, #0xc300, lsl #16",
    "mov x1, x28",
    "mov x2, #1",
    "smc #0",
    "mov x30, x0",
    "mov x2, x3",
    "cbnz x3, 3f",
    "2: movz x0, #0xc300, lsl #16",
    "mov x1, x28",
    "mov x2, #0",
    "smc #0",
    ".irp n, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 22, 23, 24, 25, 26, 29",
    "mov x1, #0x100 + \\n",
    "bfi x1, x20, #32, #8",
    "sub x2, x\\n, x1",
    "cbnz x2, 3f",
    "umov x2, v\\n\\().d[1]",
    "sub x2, x2, x1",
    "cbnz x2, 3f",
    ".endr",
    "mov x1, sp",
    "sub x2, x1, x20, lsl #12",
    "lsr x2, x2, #12",
    "sub x2, x2, #0x7000",
    "cbnz x2, 3f",
    "mov x1, #64",
    "cmp x1, x1",
    "4: sub x1, x1, #1",
    "mov x2, #0x5b",
    "b.ne 3f",
    "cbnz x1, 4b",
    "cmp x0, x30",
    "b.ls 2b",
    "sub x27, x27, #1",
    "cbnz x27, 1b",
    "ldr x0, ={END}",
    "str xzr, [x0]",
    "5: wfi",
    "b 5b",
    "3: ldr x0, ={REPORT}",
    "str x2, [x0]",
    "b 3b",
    ".ltorg";
    REPORT = REPORT,
    END = END,
);

/// What the VMM's threads know of each other.
struct Vmm {
    peers: Peers,
    together: Barrier,
    /// How many guests have reached their end.
    ended: AtomicUsize,
    /// A thread has panicked, so nobody needs to go on.
    failed: AtomicBool,
}

impl Vmm {
    fn is_over(&self) -> bool {
        self.ended.load(Ordering::Acquire) == CPUS as usize || self.failed.load(Ordering::Acquire)
    }

    /// Runs a vCPU as long as one of them has something to do, since it can be entered until then.
    fn run(&self, cpu: &mut Cpu, number: usize) {
        struct Failure<'a>(&'a Vmm);
        impl Drop for Failure<'_> {
            fn drop(&mut self) {
                if std::thread::panicking() {
                    self.0.failed.store(true, Ordering::Release);
                }
            }
        }
        let _failure = Failure(self);
        let _running = self.peers.announce(number, &mut cpu.fd);
        self.together.wait();
        while !self.is_over() {
            match cpu.run_on() {
                None => {}
                Some(Stop::Ended) => {
                    self.ended.fetch_add(1, Ordering::AcqRel);
                }
                Some(other) => panic!("CPU {number}: {other:?}"),
            }
            assert_eq!(cpu.log.reports, [], "what CPU {number} found wrong");
        }
    }

    /// Has the blob entered so many times on each CPU, and once more when all is over, which wakes those
    /// that have ended before. Returns how often that was.
    fn raise(&self, times: u64) -> u64 {
        let all = || (0..CPUS).for_each(|cpu| self.peers.interrupt(cpu, 0));
        self.together.wait();
        let mut raised = 0;
        while !self.is_over() {
            if raised < times {
                all();
                raised += 1;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        all();
        raised + 1
    }
}

/// How often the blob was entered on a CPU without a call.
fn entries(machine: &Machine, cpu: usize) -> u64 {
    let at = DATA + 64 * cpu as u64;
    let bytes = machine.payload().read_memory(at, 8).expect("its data");
    u64::from_le_bytes(bytes.try_into().expect("8 bytes"))
}

pub(super) fn four_cpus_have_the_blob_entered_on_each_other_while_all_make_calls() {
    let rounds: u64 = if env::is_on(env::QUICK) { 500 } else { 1_000 };
    let options = Options {
        cpus: CPUS,
        ..Options::default()
    };
    let mut machine = Machine::new(&blob(count_and_raise()), storm(), &options);
    let world = super::world(&machine);
    let vmm = Vmm {
        peers: Peers::new(world.clone(), CPUS as usize),
        together: Barrier::new(CPUS as usize + 1),
        ended: AtomicUsize::new(0),
        failed: AtomicBool::new(false),
    };
    for cpu in &mut machine.cpus {
        cpu.set(x(27), rounds);
        cpu.log.peers = Some(vmm.peers.clone());
    }
    let from_outside = std::thread::scope(|scope| {
        let vmm = &vmm;
        for (number, cpu) in machine.cpus.iter_mut().enumerate() {
            scope.spawn(move || vmm.run(cpu, number));
        }
        vmm.raise(rounds)
    });
    let logs = || machine.cpus.iter().map(|cpu| &cpu.log);
    for log in logs() {
        assert_eq!(log.interrupts.len() as u64, rounds);
    }
    for number in 0..CPUS {
        let asked = logs().flat_map(|log| &log.interrupts);
        let asked = asked.filter(|&&place| place == (number, 0)).count() as u64;
        // Each of the three others had a third of its rounds with this CPU, and waited for each.
        let least = rounds / 3;
        let entries = entries(&machine, number as usize);
        let most = asked + from_outside;
        assert!(
            (least..=most).contains(&entries),
            "{least} <= {entries} <= {most}"
        );
    }
    // Nothing was lost in the storm: what is still to come comes, and then exactly one for each.
    for number in 0..CPUS as usize {
        let settle = |machine: &mut Machine| {
            super::under_signals(|| super::enter(&mut machine.cpus[number]));
            entries(machine, number)
        };
        let before = settle(&mut machine);
        world.interrupt(number as u32, 0);
        assert_eq!(settle(&mut machine), before + 1);
    }
}
