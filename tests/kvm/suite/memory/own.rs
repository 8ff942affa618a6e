// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The monitor's own memory: either writable or executable, its own guest's alone, and in nobody's
//! way.

use fakemon_abi::layout::{
    DOORBELL, FRAME, GATE, MONITOR_BASE, MONITOR_SIZE, STACK, TABLES_BASE, VCPU_STRIDE, vcpu_block,
};
use fakemon_abi::note::GUEST_MEMORY_WRITE;
use fakemon_host::{Config, Error, GuestMemory, World};
use fakemon_tests::elf::{DATA, RODATA};
use fakemon_tests::machine::{RAM, page_size};
use fakemon_tests::trials;
use kvm_ioctls::Kvm;
use libtest_mimic::Trial;

use super::{
    DATA_ABORT, EXECUTE, INSTRUCTION_ABORT, LOAD, PLACE, STORE, STORED, assert_exception,
    blob_asking, failed, machine, reach, reached,
};

fn the_monitors_own_memory_is_writable_or_executable_or_neither() {
    let mut machine = machine(GUEST_MEMORY_WRITE);
    let (block, top) = (vcpu_block(0), vcpu_block(0) + VCPU_STRIDE);
    let writable = [
        DATA,
        DATA + 0xff8,
        block + FRAME + 0xff8,
        top - 8,
        top - 0x1000,
    ];
    for address in writable {
        assert_eq!(reached(&mut machine, STORE, address), STORED);
        assert_eq!(reached(&mut machine, LOAD, address), STORED);
        let fault = failed(&mut machine, EXECUTE, address);
        assert_exception(&fault, INSTRUCTION_ABORT, address);
    }
    let text = reached(&mut machine, LOAD, MONITOR_BASE + 0x400);
    assert_eq!(
        text.to_le_bytes(),
        reach()[..8],
        "the blob can read its own text"
    );
    for address in [MONITOR_BASE + 0x400, RODATA, block + GATE] {
        reached(&mut machine, LOAD, address);
        let fault = failed(&mut machine, STORE, address);
        assert_exception(&fault, DATA_ABORT, address);
    }
    // Nothing at all: the tables, below the stack and the guard, between the doorbell and a CPU
    // that is not there.
    let unmapped = [
        TABLES_BASE,
        block + FRAME + 0x1000,
        block + STACK,
        top - 0x1008,
        top + FRAME,
    ];
    for address in unmapped {
        for access in [LOAD, STORE] {
            let fault = failed(&mut machine, access, address);
            assert_exception(&fault, DATA_ABORT, address);
        }
        let fault = failed(&mut machine, EXECUTE, address);
        assert_exception(&fault, INSTRUCTION_ABORT, address);
    }
    let monitor = machine.payload();
    assert_eq!(
        monitor.read_memory(MONITOR_BASE + 0x400, reach().len()),
        Some(reach().to_vec())
    );
}

fn the_monitors_of_two_guests_share_nothing() {
    let mut machines = [machine(GUEST_MEMORY_WRITE), machine(GUEST_MEMORY_WRITE)];
    for (value, machine) in (1..).zip(&mut machines) {
        for address in [DATA, PLACE] {
            let stop = machine.cpus[0].ask(&[address, STORE, value]);
            assert!(stop.is_none(), "{stop:?}");
        }
    }
    for (value, machine) in (1_u64..).zip(&mut machines) {
        assert_eq!(reached(machine, LOAD, DATA), value);
        assert_eq!(reached(machine, LOAD, PLACE), value);
        let monitor = machine.payload();
        assert_eq!(
            monitor.read_memory(DATA, 8),
            Some(value.to_le_bytes().to_vec())
        );
    }
    let [first, mut second] = machines;
    drop(first);
    assert_eq!(reached(&mut second, LOAD, DATA), 2);
}

fn read_memory_gives_what_the_memory_map_names_and_nothing_else() {
    let machine = machine(GUEST_MEMORY_WRITE);
    let monitor = machine.payload();
    let starts: Vec<_> = monitor.memory_map().map(|(start, _)| start).collect();
    let mut end_of_last = MONITOR_BASE;
    for (start, size) in monitor.memory_map() {
        assert!(start >= end_of_last, "ascending, and inside the window");
        end_of_last = start + size;
        assert!(monitor.read_memory(start, size as usize).is_some());
        assert_eq!(monitor.read_memory(start + 8, size as usize), None);
        let neighbour = starts.contains(&end_of_last);
        assert_eq!(monitor.read_memory(end_of_last, 1).is_some(), neighbour);
    }
    assert!(end_of_last <= MONITOR_BASE + MONITOR_SIZE);
    for address in [
        0,
        PLACE,
        vcpu_block(0) + DOORBELL,
        vcpu_block(1) + FRAME,
        u64::MAX,
    ] {
        assert_eq!(monitor.read_memory(address, 8), None);
    }
}

fn guest_memory_in_the_monitors_window_or_off_the_pages_is_refused() {
    let kvm = Kvm::new().expect("/dev/kvm");
    let blob = blob_asking(GUEST_MEMORY_WRITE);
    let world = World::new(&kvm, &[&blob], 1, Config::default()).expect("a world");
    let add = |guest_addr, host_addr, size| {
        let memory = GuestMemory {
            guest_addr,
            host_addr,
            size,
        };
        // SAFETY: each region is refused, so that nothing ever accesses it.
        unsafe { world.add_memory(memory) }
    };
    let (top, page) = (MONITOR_BASE, page_size());
    for (start, size) in [
        (top, page),
        (top - page, 2 * page),
        (RAM, top),
        (vcpu_block(0), page),
        (top + MONITOR_SIZE, page),
        (u64::MAX - page + 1, 2 * page),
        (page, u64::MAX - page + 1),
    ] {
        let refused = add(start, page, size);
        assert!(
            matches!(refused, Err(Error::GuestMemoryTooHigh { guest_addr, .. }) if guest_addr == start),
            "{refused:?}"
        );
    }
    // Pages are the host's.
    for (start, host, size) in [
        (RAM + 8, page, page),
        (RAM + page / 2, page, page),
        (RAM, page + 0x10, page),
        (RAM, page / 2, page),
        (RAM, page, page + 1),
        (RAM, page, page / 2),
        (RAM, page, 0),
    ] {
        let refused = add(start, host, size);
        assert!(
            matches!(refused, Err(Error::GuestMemoryUnaligned { guest_addr, page: of }) if (guest_addr, of) == (start, page)),
            "{refused:?}"
        );
    }
}

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        the_monitors_own_memory_is_writable_or_executable_or_neither,
        the_monitors_of_two_guests_share_nothing,
        read_memory_gives_what_the_memory_map_names_and_nothing_else,
        guest_memory_in_the_monitors_window_or_off_the_pages_is_refused
    ]
}
