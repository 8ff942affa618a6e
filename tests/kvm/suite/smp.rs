// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Many CPUs: calls from all of them at once never mix, a blob that fails for one CPU goes on
//! serving the others, and a CPU belongs to no thread.

use std::mem::offset_of;

use fakemon_abi::frame::Frame;
use fakemon_abi::hostcall::WAIT_FOR_INTERRUPT;
use fakemon_abi::layout::{DOORBELL, DOORBELL_CALL, FRAME, MAX_VCPUS};
use fakemon_host::{Config, Error, FaultReason, OnFault, Served, Width, World, regs};
use fakemon_launch::env;
use fakemon_tests::elf::{DATA, blob};
use fakemon_tests::machine::{Cpu, Machine, Options, REPORT, Stop};
use fakemon_tests::program::caller;
use fakemon_tests::{program, trials};
use kvm_ioctls::Kvm;
use libtest_mimic::Trial;

const CPUS: u32 = 4;
/// Where the blob counts the calls of all CPUs, in the page that begins with each CPU's own count.
const TOTAL: u64 = 0x800;

program!(
    /// Makes x20 calls with x23 in x6, and checks every answer of [`count`]. Reports: calls, wrong
    /// answers.
    storm,
    "mov x21, x0",
    "1: movz x0, #0xc300, lsl #16",
    "mov x1, x19",
    "mov x2, x21",
    "add x7, x19, x21, lsl #32",
    "mov x3, x7",
    "mov x6, x23",
    "smc #0",
    "eor x8, x19, x21",
    "eor x8, x8, x7",
    "cmp x0, x8",
    "ccmp x1, x19, #0, eq",
    "ccmp x2, x21, #0, eq",
    "ccmp x3, x7, #0, eq",
    "cinc x22, x22, ne",
    "add x19, x19, #1",
    "cmp x19, x20",
    "b.ne 1b",
    "ldr x0, ={REPORT}",
    "str x19, [x0]",
    "str x22, [x0, #8]",
    "str x22, [x0, #0x1000]",
    "b .",
    ".ltorg";
    REPORT = REPORT,
);

program!(
    /// Gives back x1 ^ x2 ^ x7, how many calls this CPU had made before, and the CPU's number.
    /// Fails if x6 is not zero.
    count,
    "cbnz x6, 3f",
    "mrs x9, tpidr_el1",
    "ldr w10, [x9, #{CPU}]",
    "ldr x11, ={DATA}",
    "add x12, x11, x10, lsl #6",
    "1: ldxr x13, [x12]",
    "add x14, x13, #1",
    "stxr w15, x14, [x12]",
    "cbnz w15, 1b",
    "add x12, x11, #{TOTAL}",
    "2: ldxr x14, [x12]",
    "add x14, x14, #1",
    "stxr w15, x14, [x12]",
    "cbnz w15, 2b",
    "eor x0, x1, x2",
    "eor x0, x0, x7",
    "mov x1, x13",
    "mov x2, x10",
    "eret",
    "3: udf #0",
    ".ltorg";
    CPU = offset_of!(Frame, cpu), DATA = DATA, TOTAL = TOTAL,
);

program!(
    /// Gives back the CPU's number, how many there are, and its MPIDR.
    introduce,
    "mrs x9, tpidr_el1",
    "ldp w0, w1, [x9, #{CPU}]",
    "mrs x2, mpidr_el1",
    "eret";
    CPU = offset_of!(Frame, cpu),
);

program!(
    /// Waits for an interrupt, then gives back x1 + 1.
    wait,
    "mrs x9, tpidr_el1",
    "mov x10, #{WAIT}",
    "str x10, [x9, #{CALL}]",
    "sub x9, x9, #{FRAME}",
    "ldr wzr, [x9, #{BELL}]",
    "add x0, x1, #1",
    "eret";
    WAIT = WAIT_FOR_INTERRUPT, CALL = offset_of!(Frame, call), FRAME = FRAME,
    BELL = DOORBELL + DOORBELL_CALL,
);

fn calls_of_four_cpus_at_once_never_mix() {
    // 100,000 for each CPU, which take over a minute where KVM's host is emulated.
    let calls = if env::is_on(env::QUICK) {
        10_000
    } else {
        100_000
    };
    let mut machine = machine(CPUS, 0, OnFault::Fatal);
    for cpu in &machine.cpus {
        cpu.set(regs::x(20), calls);
    }
    run_all(&mut machine);
    for (n, cpu) in machine.cpus.iter().enumerate() {
        assert_eq!(
            cpu.log.reports,
            [(0, calls), (8, 0)],
            "CPU {n}: calls, wrong answers"
        );
        assert_eq!(counter(&machine, 64 * n as u64), calls);
    }
    assert_eq!(counter(&machine, TOTAL), calls * u64::from(CPUS));
}

fn three_cpus_are_served_while_the_blob_fails_for_the_fourth() {
    const CALLS: u64 = 2_000;
    const FAILING: usize = 3;
    let mut machine = machine(CPUS, 0, OnFault::NotSupported);
    for cpu in &machine.cpus {
        cpu.set(regs::x(20), CALLS);
    }
    machine.cpus[FAILING].set(regs::x(23), 1);
    run_all(&mut machine);
    for (n, cpu) in machine.cpus.iter().enumerate() {
        let (wrong, faults) = if n == FAILING { (CALLS, CALLS) } else { (0, 0) };
        assert_eq!(
            cpu.log.reports,
            [(0, CALLS), (8, wrong)],
            "CPU {n}: calls, wrong answers"
        );
        assert_eq!(counter(&machine, 64 * n as u64), CALLS - wrong);
        assert_eq!(cpu.log.faults.len() as u64, faults);
        for fault in &cpu.log.faults {
            assert_eq!(fault.cpu as usize, FAILING);
            let undefined =
                matches!(fault.reason, FaultReason::Exception { esr, .. } if esr >> 26 == 0);
            assert!(undefined, "{fault}");
        }
    }
}

fn an_announced_cpu_that_never_comes_changes_nothing() {
    const CALLS: u64 = 100;
    let mut machine = machine(CPUS, 1, OnFault::Fatal);
    for cpu in &machine.cpus {
        cpu.set(regs::x(20), CALLS);
    }
    run_all(&mut machine);
    for cpu in &machine.cpus {
        assert_eq!(cpu.log.reports, [(0, CALLS), (8, 0)]);
    }
    assert_eq!(counter(&machine, 64 * u64::from(CPUS)), 0);
}

fn each_cpu_is_told_its_number_and_has_its_callers_mpidr() {
    let options = Options {
        cpus: CPUS,
        ..Options::default()
    };
    let mut machine = Machine::new(&blob(introduce()), caller(), &options);
    let mut mpidrs = Vec::new();
    for (n, cpu) in (0..).zip(&mut machine.cpus) {
        assert!(cpu.ask(&[]).is_none());
        let mpidr = cpu.get(regs::MPIDR_EL1);
        assert_eq!(cpu.x()[..3], [n, CPUS.into(), mpidr]);
        mpidrs.push(mpidr);
    }
    mpidrs.dedup();
    assert_eq!(
        mpidrs.len(),
        CPUS as usize,
        "no two CPUs have the same MPIDR"
    );
}

fn a_call_left_on_one_thread_goes_on_on_another() {
    let mut machine = Machine::new(&blob(wait()), caller(), &Options::default());
    for round in 0..10 {
        let cpu = &mut machine.cpus[0];
        let begin = |cpu: &mut Cpu| {
            let trap = cpu.next_call(&[round]);
            cpu.begin(trap)
        };
        let step = on_new_thread(cpu, begin);
        assert!(matches!(step, Ok(Served::WaitForInterrupt)), "{step:?}");
        let step = on_new_thread(cpu, Cpu::resume);
        assert!(matches!(step, Ok(Served::Run)), "{step:?}");
        assert_eq!(cpu.get(regs::x(0)), round + 1);
    }
}

fn only_announced_cpus_can_be_paired_and_each_once() {
    let machine = machine(CPUS, 0, OnFault::Fatal);
    let world = machine.world.as_ref().expect("a world");
    let lane = |cpu| world.lane(cpu, &machine.cpus[0].fd, Width::AArch64);
    for cpu in [0, CPUS - 1] {
        let again = lane(cpu);
        assert!(matches!(again, Err(Error::Kvm { .. })), "{cpu}: {again:?}");
    }
    for cpu in [CPUS, u32::MAX] {
        let unknown = lane(cpu);
        assert!(
            matches!(unknown, Err(Error::NoSuchCpu { cpu: n, cpus: CPUS }) if n == cpu),
            "{unknown:?}"
        );
    }
    for cpus in [0, MAX_VCPUS + 1, u32::MAX] {
        let kvm = Kvm::new().expect("/dev/kvm");
        let world = World::new(&kvm, &[&blob(count())], cpus, Config::default());
        assert!(
            matches!(world, Err(Error::TooManyCpus(n)) if n == cpus),
            "{world:?}"
        );
    }
}

fn machine(cpus: u32, spare_cpus: u32, on_fault: OnFault) -> Machine {
    let mut options = Options {
        cpus,
        spare_cpus,
        ..Options::default()
    };
    options.config.on_fault = on_fault;
    Machine::new(&blob(count()), storm(), &options)
}

fn run_all(machine: &mut Machine) {
    let stops = machine.run_all();
    assert!(
        stops.iter().all(|stop| matches!(stop, Stop::Ended)),
        "{stops:?}"
    );
}

fn counter(machine: &Machine, offset: u64) -> u64 {
    let monitor = machine.payload();
    let bytes = monitor
        .read_memory(DATA + offset, 8)
        .expect("the blob's data");
    u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
}

fn on_new_thread<T: Send>(cpu: &mut Cpu, job: impl FnOnce(&mut Cpu) -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(|| job(cpu)).join().expect("no panic"))
}

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        calls_of_four_cpus_at_once_never_mix,
        three_cpus_are_served_while_the_blob_fails_for_the_fourth,
        an_announced_cpu_that_never_comes_changes_nothing,
        each_cpu_is_told_its_number_and_has_its_callers_mpidr,
        a_call_left_on_one_thread_goes_on_on_another,
        only_announced_cpus_can_be_paired_and_each_once,
    ]
}
