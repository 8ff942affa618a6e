// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every path that a call can take.

use fakemon_host::regs::{Registers, x};
use fakemon_host::{Policy, Width};
use fakemon_tests::elf::FUNCTION;
use fakemon_tests::machine::Machine;
use serde_json::{Value, json};

use crate::calls::{by_blob, by_vmm, call, call_on_all, options, prepare, repeat, round};
use crate::programs::{Work, blob, hvc, smc, smc_32};

/// PSCI_VERSION (DEN 0022, 5.1.1), which KVM answers.
const PSCI_VERSION: u32 = 0x8400_0000;

/// Ways that a path cannot do without: world trips, registers read, registers written.
type Needs = (u32, u32, u32);

/// Measures everything, in one run.
pub(crate) fn measure() -> Value {
    let (trip, get, set) = units();
    let three = through_blob(Work::Add, 3, false);
    let none = through_blob(Work::Add, 0, false);
    let rows = [
        (
            "hvc-kvm",
            "none",
            in_kvm(Policy::Kvm, hvc(), PSCI_VERSION),
            None,
        ),
        (
            "smc-deny",
            "none",
            in_kvm(Policy::Deny, smc(), FUNCTION),
            None,
        ),
        ("smc-vmm", "none", emulated(), Some((1, 3, 1))),
        (
            "smc-blob-1",
            "userspace",
            through_blob(Work::Add, 1, false),
            needs(1),
        ),
        ("smc-blob-3", "userspace", three, needs(3)),
        (
            "smc-blob-7",
            "userspace",
            through_blob(Work::Add, 7, false),
            needs(7),
        ),
        (
            "smc-blob-12",
            "userspace",
            through_blob(Work::Add, 12, false),
            needs(12),
        ),
        // All 32 bits of r0 are read again: `legacy32` promises data there.
        (
            "smc-blob-legacy32",
            "userspace",
            through_blob(Work::Add, 3, true),
            Some((2, 6, 1)),
        ),
        (
            "host-call",
            "userspace",
            through_blob(Work::HostCall, 0, false) - none,
            Some((1, 0, 0)),
        ),
        (
            "secure-mmio",
            "userspace",
            through_blob(Work::SecureLoad, 0, false) - none,
            Some((1, 0, 0)),
        ),
        ("smc-blob-3-4cpu", "userspace", on_four(), needs(3)),
    ];
    let rows = rows.map(|(path, engine, cost, needs)| {
        json!({ "path": path, "engine": engine, "cost": cost, "needs": needs })
    });
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    json!({ "host_kernel": release.trim(), "trip": trip, "get": get, "set": set, "rows": rows })
}

/// Two world trips; the arguments, PC and PSTATE read; the result written.
fn needs(arguments: u32) -> Option<Needs> {
    Some((2, arguments + 2, 1))
}

/// A world trip, a register read, a register written.
fn units() -> (f64, f64, f64) {
    let blob = blob(Work::Add, 3, false);
    let mut machine = Machine::new(&blob, smc(), &options(Policy::Undef, Width::AArch64, 1));
    let cpu = &mut machine.cpus[0];
    let trip = round(cpu, 0, by_vmm);
    let registers = Registers::of(&cpu.fd);
    let get = repeat(|| {
        registers.get(x(3)).expect("a register");
    });
    let set = repeat(|| registers.set(x(3), 0).expect("a register"));
    (trip, get, set)
}

fn in_kvm(policy: Policy, program: &[u8], function: u32) -> f64 {
    let blob = blob(Work::Add, 3, false);
    let mut machine = Machine::new(&blob, program, &options(policy, Width::AArch64, 1));
    prepare(&machine, Width::AArch64, function);
    call(&mut machine.cpus[0], |_, trap| {
        panic!("{trap:?} left KVM");
    })
}

fn emulated() -> f64 {
    let blob = blob(Work::Add, 3, false);
    let mut machine = Machine::new(&blob, smc(), &options(Policy::Undef, Width::AArch64, 1));
    prepare(&machine, Width::AArch64, FUNCTION);
    call(&mut machine.cpus[0], by_vmm)
}

fn through_blob(work: Work, arguments: u16, legacy: bool) -> f64 {
    let (width, program) = match legacy {
        false => (Width::AArch64, smc()),
        true => (Width::AArch32, smc_32()),
    };
    let blob = blob(work, arguments, legacy);
    let mut machine = Machine::new(&blob, program, &options(Policy::Blob, width, 1));
    prepare(&machine, width, FUNCTION);
    call(&mut machine.cpus[0], by_blob)
}

fn on_four() -> f64 {
    let blob = blob(Work::Add, 3, false);
    let mut machine = Machine::new(&blob, smc(), &options(Policy::Blob, Width::AArch64, 4));
    prepare(&machine, Width::AArch64, FUNCTION);
    call_on_all(&mut machine, by_blob)
}
