// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Several blobs serve one guest, each what it claims and out of the others' reach; what nobody
//! claims is answered all the same, whoever sends it here.

use fakemon_abi::hostcall;
use fakemon_abi::note::{Note, Range, board_name, ranges};
use fakemon_host::regs::{PC, x};
use fakemon_host::{
    Blob, ClaimError, Conduit, Config, Error, FilterError, OnFault, Policy, Step, Trap,
};
use fakemon_host::{World, set_policy};
use fakemon_tests::elf::{DATA, FUNCTION, blob_with, note};
use fakemon_tests::machine::{Machine, Options};
use fakemon_tests::program::caller;
use fakemon_tests::{program, trials};
use kvm_ioctls::Kvm;
use libtest_mimic::Trial;

// Stores x1 in its data, and returns what was there before and a number of its own.
program!(
    first,
    "ldr x3, [x2]",
    "str x1, [x2]",
    "mov x0, x3",
    "mov x1, #1",
    "eret",
);
program!(
    second,
    "ldr x3, [x2]",
    "str x1, [x2]",
    "mov x0, x3",
    "mov x1, #2",
    "eret",
);
program!(broken, "udf #0");

/// A function ID of the second blob.
const OTHER: u32 = FUNCTION + 0x100;

fn named(name: &str, first: u32, program: &[u8]) -> Blob {
    let note = Note {
        board: board_name(name),
        ranges: ranges(&[Range {
            first,
            last: first + 15,
            inputs: 8,
            outputs: 4,
        }]),
        ..note()
    };
    blob_with(note, program, &[])
}

fn machine(programs: [&[u8]; 2]) -> Machine {
    let [a, b] = programs;
    let blobs = [named("a", FUNCTION, a), named("b", OTHER, b)];
    let mut options = Options {
        cpus: 2,
        ..Options::default()
    };
    options.config.on_fault = OnFault::NotSupported;
    Machine::with(&[&blobs[0], &blobs[1]], caller(), &options)
}

/// Calls `function` of the blob that has it, with what it is to store: what was there, and whose it
/// is.
fn call(machine: &mut Machine, cpu: usize, function: u32, value: u64) -> [u64; 2] {
    let cpu = &mut machine.cpus[cpu];
    let _at_call = cpu.next_call(&[value, DATA]);
    cpu.set(x(0), function.into());
    let stop = cpu.serve(Trap::new(function, Conduit::Smc));
    assert!(stop.is_none(), "{stop:?}");
    [cpu.x()[0], cpu.x()[1]]
}

fn each_blob_serves_what_it_claims_from_memory_of_its_own() {
    let mut machine = machine([first(), second()]);
    assert_eq!(call(&mut machine, 0, FUNCTION, 11), [0, 1]);
    assert_eq!(call(&mut machine, 0, OTHER, 22), [0, 2]);
    for cpu in [1, 0] {
        assert_eq!(call(&mut machine, cpu, FUNCTION + 15, 11), [11, 1]);
        assert_eq!(call(&mut machine, cpu, OTHER + 15, 22), [22, 2]);
    }
    let world = machine.world.as_ref().expect("a world");
    let stored = world.payloads().map(|payload| {
        let name = payload.blob().board().to_owned();
        (name, payload.read_memory(DATA, 1))
    });
    let expected = [
        ("a".to_owned(), Some(vec![11])),
        ("b".to_owned(), Some(vec![22])),
    ];
    assert_eq!(stored.collect::<Vec<_>>(), expected);
}

fn a_blob_that_fails_is_named_and_leaves_the_other_alone() {
    let mut machine = machine([first(), broken()]);
    let not_supported = u64::MAX;
    assert_eq!(call(&mut machine, 0, FUNCTION, 11), [0, 1]);
    assert_eq!(call(&mut machine, 0, OTHER, 22)[0], not_supported);
    assert_eq!(call(&mut machine, 0, FUNCTION, 11), [11, 1]);
    let faults = &machine.cpus[0].log.faults;
    let named: Vec<_> = (faults.iter())
        .map(|fault| (fault.board.as_str(), fault.function))
        .collect();
    assert_eq!(named, [("b", OTHER)]);
}

fn blobs_that_claim_the_same_calls_are_refused_with_both_names() {
    let blobs = [
        named("a", FUNCTION, first()),
        named("b", FUNCTION + 8, second()),
    ];
    let blobs = [&blobs[0], &blobs[1]];
    let expected = ClaimError {
        first: "a".into(),
        second: "b".into(),
        from: FUNCTION + 8,
        to: FUNCTION + 15,
    };
    let kvm = Kvm::new().expect("/dev/kvm");
    let world = World::new(&kvm, &blobs, 1, Config::default());
    let Err(Error::Claims(refused)) = world else {
        panic!("{world:?}")
    };
    assert_eq!(*refused, expected);
    let vm = kvm.create_vm().expect("a VM");
    let filter = set_policy(&vm, Policy::Blob, &blobs);
    assert!(
        matches!(&filter, Err(FilterError::Overlap(refused)) if **refused == expected),
        "{filter:?}"
    );
    let text = expected.to_string();
    assert!(text.contains("blobs a and b"), "{text}");
}

fn a_blob_that_is_to_answer_and_is_not_there_is_refused() {
    let kvm = Kvm::new().expect("/dev/kvm");
    let vm = kvm.create_vm().expect("a VM");
    let filter = set_policy(&vm, Policy::Blob, &[]);
    assert!(matches!(filter, Err(FilterError::NoBlob)), "{filter:?}");
    let world = World::new(&kvm, &[], 1, Config::default());
    assert!(matches!(world, Err(Error::NoPayload)), "{world:?}");
}

/// A VMM with filter ranges of its own brings every call here.
fn a_forwarded_call_that_nobody_claims_is_not_supported() {
    let mut machine = machine([first(), second()]);
    let cpu = &mut machine.cpus[0];
    for function in [0, hostcall::WORKAROUNDS[0], FUNCTION + 16, u32::MAX] {
        let _at_call = cpu.next_call(&[]);
        let pc = cpu.get(PC);
        cpu.set(x(0), function.into());
        let lane = cpu.firmware.as_mut().expect("a blob");
        let step = lane.trap(Trap::new(function, Conduit::Smc));
        assert!(matches!(step, Ok(Step::Run)), "{step:?}");
        assert_eq!((cpu.x()[0], cpu.get(PC)), (u64::MAX, pc), "{function:#x}");
        cpu.set(x(0), FUNCTION.into());
    }
}

/// As above, with a call that KVM would have sent to the blob by itself.
fn a_forwarded_call_that_a_blob_claims_is_served() {
    let mut machine = machine([first(), second()]);
    for (function, whose) in [(FUNCTION, 1), (OTHER, 2)] {
        let cpu = &mut machine.cpus[0];
        let _at_call = cpu.next_call(&[whose, DATA]);
        // Where KVM leaves the PC when it forwards a call.
        let pc = cpu.behind_call();
        cpu.set(PC, pc);
        cpu.set(x(0), function.into());
        let step = cpu.forwarded(Trap::new(function, Conduit::Smc));
        assert!(matches!(step, Ok(Step::Run)), "{step:?}");
        assert_eq!((cpu.x()[..2].to_vec(), cpu.get(PC)), (vec![0, whose], pc));
        assert!(!cpu.firmware.as_ref().expect("a blob").in_call());
    }
    assert_eq!(call(&mut machine, 0, FUNCTION, 5), [1, 1]);
}

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        each_blob_serves_what_it_claims_from_memory_of_its_own,
        a_blob_that_fails_is_named_and_leaves_the_other_alone,
        blobs_that_claim_the_same_calls_are_refused_with_both_names,
        a_blob_that_is_to_answer_and_is_not_there_is_refused,
        a_forwarded_call_that_nobody_claims_is_not_supported,
        a_forwarded_call_that_a_blob_claims_is_served,
    ]
}
