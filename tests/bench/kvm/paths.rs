// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every path that a call can take.

use fakemon_host::regs::{Registers, x};
use fakemon_host::{Engine, Policy, Width, has_kernel_engine};
use fakemon_tests::elf::FUNCTION;
use fakemon_tests::machine::Machine;
use kvm_ioctls::Kvm;
use serde_json::{Value, json};

use super::calls::{by_blob, by_vmm, call, call_on_all, entry, options, prepare, repeat, round};
use super::gic;
use super::programs::{Work, blob, hvc, smc, smc_32};

/// PSCI_VERSION (DEN 0022, 5.1.1), which KVM answers.
const PSCI_VERSION: u32 = 0x8400_0000;

/// What bounds are made of.
#[derive(Clone, Copy)]
struct Units {
    /// A world trip.
    trip: f64,
    /// A register read.
    get: f64,
    /// A register written.
    set: f64,
    /// A call that KVM answers by itself.
    answer: f64,
}

/// One path, measured.
struct Row {
    path: &'static str,
    engine: &'static str,
    cost: f64,
    /// The least that it could cost, if it leaves the guest's vCPU.
    bound: Option<f64>,
}

/// What a call through a blob is like.
#[derive(Clone, Copy)]
struct Shape {
    engine: Engine,
    work: Work,
    /// Registers that the blob reads, besides x0.
    arguments: u16,
    /// From AArch32, with the window `legacy32`.
    legacy: bool,
    /// The guest has an interrupt controller in KVM.
    gic: bool,
}

/// The engines that this kernel has.
pub(crate) fn engines() -> Vec<Engine> {
    let mut engines = vec![Engine::Userspace];
    if Kvm::new().is_ok_and(|kvm| has_kernel_engine(&kvm)) {
        engines.push(Engine::Kernel);
    }
    engines
}

/// Measures everything with each of these engines, in one run.
pub(crate) fn measure(engines: &[Engine]) -> Value {
    let units = Units::measure(false);
    let none = |path, cost, bound| Row {
        path,
        engine: "none",
        cost,
        bound,
    };
    let deny = in_kvm(Policy::Deny, smc(), FUNCTION, false);
    let read = 3.0 * units.get;
    let mut rows = vec![
        none("hvc-kvm", units.answer, None),
        none("smc-deny", deny, None),
        none("smc-vmm", emulated(), Some(units.trip + read + units.set)),
    ];
    let with_gic = gic::is_there().then(|| Units::measure(true));
    if let Some(units) = with_gic {
        rows.push(none("hvc-kvm-gic", units.answer, None));
    }
    for &engine in engines {
        rows.extend(with(engine, units, with_gic));
    }
    let rows: Vec<_> = (rows.iter())
        .map(|row| {
            let (path, engine) = (row.path, row.engine);
            json!({ "path": path, "engine": engine, "cost": row.cost, "bound": row.bound })
        })
        .collect();
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    json!({
        "host_kernel": release.trim(),
        "trip": units.trip,
        "get": units.get,
        "set": units.set,
        "answer": units.answer,
        "rows": rows,
    })
}

/// The paths through a blob, and the units for guests without and with an interrupt controller.
fn with(engine: Engine, units: Units, with_gic: Option<Units>) -> Vec<Row> {
    let three = Shape {
        engine,
        work: Work::Add,
        arguments: 3,
        legacy: false,
        gic: false,
    };
    let arguments = |arguments| Shape { arguments, ..three };
    let none = through_blob(arguments(0));
    // What a call without arguments takes longer by one of these.
    let more = |work| {
        through_blob(Shape {
            work,
            ..arguments(0)
        }) - none
    };
    // Two world trips; the arguments, PC and PSTATE read; the result written. In KVM two exits and
    // entries, as for two calls that it answers by itself.
    let bound = |units: Units, arguments: u32| match engine {
        Engine::Kernel => 2.0 * units.answer,
        _ => 2.0 * units.trip + f64::from(arguments + 2) * units.get + units.set,
    };
    let call = |arguments| bound(units, arguments);
    let legacy = Shape {
        legacy: true,
        ..three
    };
    let gic = Shape { gic: true, ..three };
    let mut rows = vec![
        ("smc-blob-1", through_blob(arguments(1)), call(1)),
        ("smc-blob-3", through_blob(three), call(3)),
        ("smc-blob-7", through_blob(arguments(7)), call(7)),
        ("smc-blob-12", through_blob(arguments(12)), call(12)),
        // All 32 bits of r0 are read again: `legacy32` promises data there.
        ("smc-blob-legacy32", through_blob(legacy), call(4)),
        ("host-call", more(Work::HostCall), units.trip),
        ("secure-mmio", more(Work::SecureLoad), units.trip),
        ("smc-blob-3-4cpu", on_four(engine), call(3)),
    ];
    if let Some(units) = with_gic {
        rows.push(("smc-blob-3-gic", through_blob(gic), bound(units, 3)));
    }
    // Its least is another for each engine, and is not derived.
    let entry = entry_of(engine);
    let engine = match engine {
        Engine::Kernel => "kernel",
        _ => "userspace",
    };
    let row = |(path, cost, bound)| Row {
        path,
        engine,
        cost,
        bound: Some(bound),
    };
    let mut rows: Vec<_> = rows.into_iter().map(row).collect();
    rows.push(Row {
        path: "async-entry",
        engine,
        cost: entry,
        bound: None,
    });
    rows
}

/// A machine whose calls no blob serves.
fn without_blob(policy: Policy, program: &[u8]) -> Machine {
    let blob = blob(Work::Add, 3, false);
    let options = options(policy, Engine::Userspace, Width::AArch64, 1);
    Machine::new(&blob, program, &options)
}

impl Units {
    /// Measures them, with a guest that has an interrupt controller or none.
    fn measure(gic: bool) -> Units {
        let mut machine = without_blob(Policy::Undef, smc());
        let _gic = gic.then(|| gic::create(&machine.vm));
        let cpu = &mut machine.cpus[0];
        let trip = round(cpu, 0, by_vmm);
        let registers = Registers::of(&cpu.fd);
        let get = repeat(|| {
            registers.get(x(3)).expect("a register");
        });
        let set = repeat(|| registers.set(x(3), 0).expect("a register"));
        let answer = in_kvm(Policy::Kvm, hvc(), PSCI_VERSION, gic);
        Units {
            trip,
            get,
            set,
            answer,
        }
    }
}

fn in_kvm(policy: Policy, program: &[u8], function: u32, gic: bool) -> f64 {
    let mut machine = without_blob(policy, program);
    let _gic = gic.then(|| gic::create(&machine.vm));
    prepare(&machine, Width::AArch64, function);
    call(&mut machine.cpus[0], |_, trap| {
        panic!("{trap:?} left KVM");
    })
}

fn emulated() -> f64 {
    let mut machine = without_blob(Policy::Undef, smc());
    prepare(&machine, Width::AArch64, FUNCTION);
    call(&mut machine.cpus[0], by_vmm)
}

fn through_blob(shape: Shape) -> f64 {
    let (width, program) = match shape.legacy {
        false => (Width::AArch64, smc()),
        true => (Width::AArch32, smc_32()),
    };
    let blob = blob(shape.work, shape.arguments, shape.legacy);
    let options = options(Policy::Blob, shape.engine, width, 1);
    let mut machine = Machine::new(&blob, program, &options);
    let _gic = shape.gic.then(|| gic::create(&machine.vm));
    prepare(&machine, width, FUNCTION);
    call(&mut machine.cpus[0], by_blob)
}

fn entry_of(engine: Engine) -> f64 {
    let blob = blob(Work::Add, 3, false);
    let options = options(Policy::Blob, engine, Width::AArch64, 1);
    let mut machine = Machine::new(&blob, smc(), &options);
    prepare(&machine, Width::AArch64, FUNCTION);
    entry(&mut machine)
}

fn on_four(engine: Engine) -> f64 {
    let blob = blob(Work::Add, 3, false);
    let options = options(Policy::Blob, engine, Width::AArch64, 4);
    let mut machine = Machine::new(&blob, smc(), &options);
    prepare(&machine, Width::AArch64, FUNCTION);
    call_on_all(&mut machine, by_blob)
}
