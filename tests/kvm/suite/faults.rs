// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A blob that does what it must not is reported with who, where and why, and harms nobody else
//! (docs/abi.md, "Faults").
//!
//! Every blob here adds two numbers as long as x1 is zero, and misbehaves otherwise. Each is tried
//! with both ways of treating a fault: *fatal* ends in an error for the VMM, *not supported* in an
//! answer for the guest. Either way the host goes on, and the next call finds a blob that works.

use std::time::Duration;

use fakemon_abi::layout::{MONITOR_BASE, VECTOR_LOWER_AARCH64};
use fakemon_host::{Blob, BlobFault, Error, FaultReason, Limit, OnFault};
use fakemon_tests::elf::{DATA, FUNCTION, SYMBOL, blob};
use fakemon_tests::machine::{Cpu, Machine, Options, Stop};
use fakemon_tests::program::caller;
use libtest_mimic::Trial;

/// Defines a blob that misbehaves when x1 is not zero; that part begins at [`BODY`].
macro_rules! misbehaves {
    ($name:ident, $($line:expr),+ $(,)? $(; $($operand:ident = $value:expr),+)?) => {
        fakemon_tests::program!(
            $name,
            "cbnz x1, 1f",
            "add x0, x2, x3",
            "eret",
            "1: mov x9, #0x99",
            "mov x19, #0x1919",
            "mov x29, #0x2929",
            $($line),+
            $(; $($operand = $value),+)?
        );
    };
}

mod exceptions;
mod forged;
mod panic;
mod watchdog;

/// Address of the first instruction that a misbehaving blob has for itself.
const BODY: u64 = MONITOR_BASE + VECTOR_LOWER_AARCH64 + 6 * 4;

/// A misbehaving blob, and what the report of it says.
struct Case {
    name: &'static str,
    program: fn() -> &'static [u8],
    /// x4 of the caller.
    argument: u64,
    reason: Reason,
    /// Where the report says that the blob was; [`None`] if that is a matter of chance.
    pc: Option<u64>,
}

/// The watchdog's limit where a test has one: many times what a call takes that works.
const LIMIT: Duration = Duration::from_secs(1);

enum Reason {
    /// This exception class, and FAR_EL1 where the architecture defines it.
    Exception(u64, Option<u64>),
    Exactly(FaultReason),
}

fn no_write(address: u64) -> FaultReason {
    FaultReason::Exit(format!("write to {address:#x}, where it may not write"))
}

impl Case {
    fn check(&self, fault: &BlobFault) {
        match (&self.reason, &fault.reason) {
            (Reason::Exactly(expected), actual) => assert_eq!(expected, actual, "{fault}"),
            (&Reason::Exception(class, expected), &FaultReason::Exception { esr, far }) => {
                assert_eq!(
                    (esr >> 26, expected.unwrap_or(far)),
                    (class, far),
                    "{fault}"
                );
            }
            _ => panic!("{fault}"),
        }
        assert_eq!(
            (fault.board.as_str(), fault.cpu, fault.function),
            ("test", 0, FUNCTION)
        );
        let set = [fault.x[2], fault.x[3], fault.x[9], fault.x[19], fault.x[29]];
        assert_eq!(set, [40, 2, 0x99, 0x1919, 0x2929], "{fault}");
        if let Some(pc) = self.pc {
            let in_text = (MONITOR_BASE..DATA).contains(&pc);
            let symbol = in_text.then(|| (SYMBOL.to_owned(), pc - MONITOR_BASE));
            assert_eq!((fault.pc, &fault.symbol), (pc, &symbol), "{fault}");
        }
    }

    fn run(&self) {
        let limit = match self.reason {
            Reason::Exactly(FaultReason::Timeout(limit, _)) => Some(limit),
            _ => None,
        };
        for on_fault in [OnFault::Fatal, OnFault::NotSupported] {
            let mut machine = machine((self.program)(), on_fault, limit);
            let cpu = &mut machine.cpus[0];
            let fault = fault(cpu, on_fault, &[1, 40, 2, self.argument]);
            self.check(&fault);
            works(cpu);
        }
    }
}

/// A machine whose monitor VM has room for a second vCPU, and whose watchdog has [`LIMIT`] of this
/// and plenty of the rest.
fn machine(program: &[u8], on_fault: OnFault, limit: Option<Limit>) -> Machine {
    machine_with(&blob(program), on_fault, limit)
}

/// The same for a blob of any kind.
fn machine_with(blob: &Blob, on_fault: OnFault, limit: Option<Limit>) -> Machine {
    let mut options = Options {
        spare_cpus: 1,
        ..Options::default()
    };
    options.config.on_fault = on_fault;
    match limit {
        Some(Limit::CpuTime) => options.config.watchdog = LIMIT,
        Some(Limit::WallTime) => options.config.watchdog_wall = LIMIT,
        None => {}
        Some(other) => panic!("{other:?} is new"),
    }
    Machine::new(blob, caller(), &options)
}

/// Makes a call during which the blob fails, and returns the report of it.
fn fault(cpu: &mut Cpu, on_fault: OnFault, inputs: &[u64]) -> BlobFault {
    let stop = cpu.ask(inputs);
    let mut after = cpu.x();
    let fault = match (on_fault, stop) {
        (OnFault::Fatal, Some(Stop::Error(Error::Blob(fault)))) => *fault,
        (OnFault::NotSupported, None) => {
            assert_eq!(after[0], u64::MAX, "the guest is answered NOT_SUPPORTED");
            after[0] = FUNCTION.into();
            cpu.log.faults.pop().expect("a report")
        }
        (_, stop) => panic!("no fault: {stop:?}"),
    };
    assert!(cpu.log.faults.is_empty(), "one report");
    assert_eq!(
        after[0],
        u64::from(FUNCTION),
        "the guest has seen nothing of the fault"
    );
    assert_eq!(
        after[1..=inputs.len()],
        *inputs,
        "the guest has seen nothing of the fault"
    );
    fault
}

/// Makes a call that the blob serves.
fn works(cpu: &mut Cpu) {
    let stop = cpu.ask(&[0, 40, 2]);
    assert!(stop.is_none(), "{stop:?}");
    assert_eq!(cpu.x()[0], 42);
}

pub(crate) fn tests() -> Vec<Trial> {
    let mut tests = exceptions::tests();
    tests.extend(forged::tests());
    tests.extend(panic::tests());
    tests.extend(watchdog::tests());
    tests
}

fn trials(cases: Vec<Case>) -> Vec<Trial> {
    let trial = |case: Case| {
        Trial::test(
            format!("a_blob_that_{}_is_reported", case.name),
            move || {
                case.run();
                Ok(())
            },
        )
    };
    cases.into_iter().map(trial).collect()
}
