// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Memory: guest RAM that the blob did not ask for is out of its reach, what it asked for it can
//! never execute, and its own memory is either writable or executable.

mod own;

use fakemon_abi::layout::MONITOR_BASE;
use fakemon_abi::note::{GUEST_MEMORY_NONE, GUEST_MEMORY_READ, GUEST_MEMORY_WRITE, Note};
use fakemon_host::{Blob, BlobFault, FaultReason, OnFault, regs};
use fakemon_tests::elf::{blob_with, note};
use fakemon_tests::machine::{Access, Machine, Options, RAM, RAM_SIZE};
use fakemon_tests::program::caller;
use fakemon_tests::{program, trials};
use libtest_mimic::Trial;

/// Where the tests put a pattern into RAM, and the pattern: A64's RET, twice, so that it could be
/// executed.
const PLACE: u64 = RAM + 0x1_0000;
const PATTERN: u64 = 0xd65f_03c0_d65f_03c0;
/// What the VMM answers to a load of the blob.
const FROM_VMM: u64 = 0x5a5a_5a5a_5a5a_5a5a;

/// What [`reach`] does, by number.
const LOAD: u64 = 0;
const STORE: u64 = 1;
const EXECUTE: u64 = 2;
const LOAD_PAIR: u64 = 3;

program!(
    /// Does to address x1 what x2 says, with x3 as what is stored or as the result.
    reach,
    "cbz x2, 1f",
    "cmp x2, #2",
    "b.lo 2f",
    "b.eq 3f",
    "ldp x3, x4, [x1]",
    "eret",
    "1: ldr x3, [x1]",
    "eret",
    "2: str x3, [x1]",
    "eret",
    "3: blr x1",
    "eret",
);

fn a_blob_that_asked_for_no_guest_memory_meets_the_vmm_there() {
    let mut machine = machine(GUEST_MEMORY_NONE);
    for address in [
        PLACE,
        RAM,
        RAM + RAM_SIZE - 8,
        RAM + RAM_SIZE,
        0,
        MONITOR_BASE - 8,
    ] {
        let before = machine.read_ram(PLACE, 8);
        assert_eq!(reached(&mut machine, LOAD, address), FROM_VMM);
        assert_eq!(reached(&mut machine, STORE, address), STORED);
        let access = |stored| Access {
            address,
            size: 8,
            stored,
        };
        let secure = std::mem::take(&mut machine.cpus[0].log.secure);
        assert_eq!(secure, [access(None), access(Some(STORED))]);
        assert_eq!(machine.read_ram(PLACE, 8), before);
    }
}

fn a_blob_that_asked_to_read_guest_memory_cannot_write_it() {
    let mut machine = machine(GUEST_MEMORY_READ);
    assert_eq!(reached(&mut machine, LOAD, PLACE), PATTERN);
    machine.write_ram(PLACE, &[7; 8]);
    assert_eq!(
        reached(&mut machine, LOAD, PLACE),
        u64::from_le_bytes([7; 8])
    );
    for address in [PLACE, RAM, RAM + RAM_SIZE - 8] {
        let before = machine.read_ram(address, 8);
        let fault = failed(&mut machine, STORE, address);
        let refused = FaultReason::ReadOnly(address);
        assert_eq!(fault.reason, refused, "{fault}");
        assert_eq!(machine.read_ram(address, 8), before);
    }
    assert_eq!(machine.cpus[0].log.secure, []);
}

fn a_blob_that_asked_to_write_guest_memory_can() {
    let mut machine = machine(GUEST_MEMORY_WRITE);
    assert_eq!(reached(&mut machine, LOAD, PLACE), PATTERN);
    assert_eq!(reached(&mut machine, STORE, PLACE), STORED);
    assert_eq!(machine.read_ram(PLACE, 8), STORED.to_le_bytes());
    assert_eq!(reached(&mut machine, LOAD, PLACE), STORED);
    assert_eq!(machine.cpus[0].log.secure, []);
    // Above its RAM the guest has devices, or nothing: for the blob as for the guest, that is the
    // VMM.
    assert_eq!(reached(&mut machine, LOAD, RAM + RAM_SIZE), FROM_VMM);
}

fn no_blob_executes_guest_memory() {
    for access in [GUEST_MEMORY_NONE, GUEST_MEMORY_READ, GUEST_MEMORY_WRITE] {
        let mut machine = machine(access);
        for address in [PLACE, RAM + RAM_SIZE, 0] {
            let fault = failed(&mut machine, EXECUTE, address);
            assert_exception(&fault, INSTRUCTION_ABORT, address);
        }
        assert_eq!(machine.cpus[0].log.secure, []);
        machine.cpus[0].log.faults.clear();
        reached(&mut machine, LOAD, PLACE);
    }
}

/// Pairs and the like have no syndrome, so KVM cannot tell what to ask the VMM.
fn a_blob_that_loads_a_pair_from_a_device_fails_and_can_be_called_again() {
    let mut machine = machine(GUEST_MEMORY_NONE);
    for _ in 0..3 {
        let fault = failed(&mut machine, LOAD_PAIR, PLACE);
        assert!(matches!(fault.reason, FaultReason::Exit(_)), "{fault}");
        assert_eq!(reached(&mut machine, LOAD, PLACE), FROM_VMM);
    }
}

const STORED: u64 = 0x0123_4567_89ab_cdef;
const INSTRUCTION_ABORT: u64 = 0x21;
const DATA_ABORT: u64 = 0x25;

fn blob_asking(guest_memory: u32) -> Blob {
    let note = Note {
        guest_memory,
        ..note()
    };
    blob_with(note, reach(), reach())
}

/// A machine that goes on after a fault, with the pattern in its RAM.
fn machine(guest_memory: u32) -> Machine {
    let mut options = Options::default();
    options.config.on_fault = OnFault::NotSupported;
    let machine = Machine::new(&blob_asking(guest_memory), caller(), &options);
    machine.write_ram(PLACE, &PATTERN.to_le_bytes());
    machine
}

/// Makes an access that must succeed; the result is what was loaded or stored.
#[track_caller]
fn reached(machine: &mut Machine, access: u64, address: u64) -> u64 {
    let stop = machine.cpus[0].ask(&[address, access, STORED]);
    assert!(stop.is_none(), "{stop:?}");
    let faults = &machine.cpus[0].log.faults;
    assert!(faults.is_empty(), "{}", faults[0]);
    machine.cpus[0].get(regs::x(3))
}

/// Makes an access at which the blob must fail.
#[track_caller]
fn failed(machine: &mut Machine, access: u64, address: u64) -> BlobFault {
    let stop = machine.cpus[0].ask(&[address, access, STORED]);
    assert!(stop.is_none(), "{stop:?}");
    machine.cpus[0].log.faults.pop().expect("a fault")
}

#[track_caller]
fn assert_exception(fault: &BlobFault, class: u64, address: u64) {
    let FaultReason::Exception { esr, far } = fault.reason else {
        panic!("no exception: {fault}");
    };
    assert_eq!((esr >> 26, far), (class, address), "{fault}");
}

pub(crate) fn tests() -> Vec<Trial> {
    let guest = trials![
        a_blob_that_asked_for_no_guest_memory_meets_the_vmm_there,
        a_blob_that_asked_to_read_guest_memory_cannot_write_it,
        a_blob_that_asked_to_write_guest_memory_can,
        no_blob_executes_guest_memory,
        a_blob_that_loads_a_pair_from_a_device_fails_and_can_be_called_again
    ];
    guest.into_iter().chain(own::tests()).collect()
}
