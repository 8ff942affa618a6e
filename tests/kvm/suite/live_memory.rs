// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest's memory changes while its blob runs: regions come and go, become read-only, and tell
//! which pages the blob has written; and the blob begins anew when the guest does.

use std::mem::offset_of;
use std::sync::atomic::{AtomicBool, Ordering};

use fakemon_abi::frame::Frame;
use fakemon_abi::hostcall::{self, HostCall};
use fakemon_abi::layout::FRAME;
use fakemon_abi::note::{GUEST_MEMORY_WRITE, WINDOW_SMCCC_1_2};
use fakemon_abi::status::{INVALID_PARAMETERS, SUCCESS};
use fakemon_host::{Error, GuestMemory, Request, Step, World};
use fakemon_tests::elf::{DATA, blob, blob_with, note};
use fakemon_tests::machine::{Access, Machine, Options, RAM, RAM_SIZE, Ram, page_size};
use fakemon_tests::program::caller;
use fakemon_tests::{program, trials};
use libtest_mimic::Trial;

// Stores x3 at x2 unless it is zero, and loads from there; or makes host call x1. Returns the word
// that counts changes of the memory in x5.
program!(
    reach,
    "mrs x9, tpidr_el1",
    "ldr x5, [x9, #{MEMORY}]",
    "cbnz x1, 2f",
    "cbz x3, 1f",
    "str x3, [x2]",
    "1: ldr x1, [x2]",
    "mov x0, xzr",
    "eret",
    "2: str x1, [x9, #{NR}]",
    "str x2, [x9, #{ARGS}]",
    "sub x10, x9, #{FRAME}",
    "ldr wzr, [x10, #8]",
    "ldr x0, [x9, #{STATUS}]",
    "add x10, x9, #{RESULTS}",
    "ldp x1, x2, [x10]",
    "ldr x3, [x10, #16]",
    "eret";
    MEMORY = offset_of!(Frame, memory),
    NR = offset_of!(Frame, call) + offset_of!(HostCall, nr),
    ARGS = offset_of!(Frame, call) + offset_of!(HostCall, args),
    STATUS = offset_of!(Frame, call) + offset_of!(HostCall, status),
    RESULTS = offset_of!(Frame, call) + offset_of!(HostCall, results),
    FRAME = FRAME
);

/// What the VMM answers to a load of the blob.
const FROM_VMM: u64 = 0x5a5a_5a5a_5a5a_5a5a;
/// Far above RAM.
const MORE: u64 = 0x10_0000_0000;

fn machine() -> Machine {
    let mut note = note();
    note.window = WINDOW_SMCCC_1_2;
    note.guest_memory = GUEST_MEMORY_WRITE;
    note.ranges[0].outputs = 6;
    Machine::new(
        &blob_with(note, reach(), &[]),
        caller(),
        &Options::default(),
    )
}

fn world(machine: &Machine) -> &World {
    machine.world.as_ref().expect("a world")
}

fn ask(machine: &mut Machine, inputs: [u64; 3]) -> [u64; 6] {
    let stop = machine.cpus[0].ask(&inputs);
    assert!(stop.is_none(), "{stop:?}");
    std::array::from_fn(|n| machine.cpus[0].x()[n])
}

fn load(machine: &mut Machine, address: u64) -> u64 {
    ask(machine, [0, address, 0])[1]
}

fn store(machine: &mut Machine, address: u64, value: u64) -> u64 {
    ask(machine, [0, address, value])[1]
}

/// How often the memory has changed, as the blob sees it.
fn changes(machine: &mut Machine) -> u64 {
    ask(machine, [0, DATA, 0])[5]
}

/// The guest's memory, as the blob is told of it: base, size and access.
fn told(machine: &mut Machine) -> Vec<[u64; 3]> {
    let mut regions = Vec::new();
    loop {
        let answer = ask(machine, [hostcall::GUEST_MEMORY, regions.len() as u64, 0]);
        if answer[0] as i64 != i64::from(SUCCESS) {
            assert_eq!(answer[0] as i64, i64::from(INVALID_PARAMETERS));
            return regions;
        }
        regions.push([answer[1], answer[2], answer[3]]);
    }
}

fn region(ram: &Ram, guest_addr: u64, offset: u64, size: u64) -> GuestMemory {
    GuestMemory {
        guest_addr,
        host_addr: ram.address() + offset,
        size,
    }
}

fn a_region_comes_and_goes() {
    let (more, size) = (Ram::new(), 2 * page_size());
    let mut machine = machine();
    let before = changes(&mut machine);
    assert_eq!(load(&mut machine, MORE), FROM_VMM);
    for round in 1..=3 {
        // SAFETY: `more` outlives the machine's use of it: it is removed below.
        unsafe { world(&machine).add_memory(region(&more, MORE, 0, size)) }.expect("memory");
        assert_eq!(store(&mut machine, MORE + 0x1008, round), round);
        assert_eq!(more.read(RAM + 0x1008, 8), round.to_le_bytes());
        assert_eq!(told(&mut machine), [[RAM, RAM_SIZE, 2], [MORE, size, 2]]);
        world(&machine).remove_memory(MORE).expect("removed");
        assert_eq!(load(&mut machine, MORE + 0x1008), FROM_VMM);
        assert_eq!(told(&mut machine), [[RAM, RAM_SIZE, 2]]);
        assert_eq!(changes(&mut machine), before + 2 * round);
    }
    let again = world(&machine).remove_memory(MORE);
    assert!(
        matches!(again, Err(Error::NoGuestMemory(MORE))),
        "{again:?}"
    );
}

fn neighbours_are_one_range_and_an_overlap_is_refused() {
    let more = Ram::new();
    let mut machine = machine();
    let add = |machine: &Machine, guest_addr, offset, size| {
        // SAFETY: `more` is dropped after the machine.
        unsafe { world(machine).add_memory(region(&more, guest_addr, offset, size)) }
    };
    let page = page_size();
    add(&machine, MORE + page, page, page).expect("the second page");
    add(&machine, MORE, 0, page).expect("the first page");
    assert_eq!(
        told(&mut machine),
        [[RAM, RAM_SIZE, 2], [MORE, 2 * page, 2]]
    );
    for (guest_addr, size) in [
        (MORE, page),
        (MORE - page, 2 * page),
        (RAM + RAM_SIZE - page, 2 * page),
    ] {
        let refused = add(&machine, guest_addr, 4 * page, size);
        assert!(
            matches!(refused, Err(Error::GuestMemoryOverlaps(at)) if at == guest_addr),
            "{refused:?}"
        );
    }
    world(&machine).remove_memory(MORE).expect("removed");
    assert_eq!(
        told(&mut machine),
        [[RAM, RAM_SIZE, 2], [MORE + page, page, 2]]
    );
    // Many regions, each of a slot that may have been another's.
    let many = MORE + 0x100_0000;
    for n in 0..40 {
        let offset = n * page % RAM_SIZE;
        add(&machine, many + n * 2 * page, offset, page).expect("a page");
    }
    assert_eq!(told(&mut machine).len(), 42);
    assert_eq!(store(&mut machine, many + 39 * 2 * page, 9), 9);
    drop(machine);
}

fn a_region_becomes_read_only_and_writable_again() {
    let mut machine = machine();
    assert_eq!(store(&mut machine, RAM + 0x8000, 5), 5);
    for _ in 0..2 {
        world(&machine).set_read_only(RAM, true).expect("read-only");
        // The store goes to the VMM's bus, and the memory stays.
        assert_eq!(store(&mut machine, RAM + 0x8000, 6), 5);
        let access = Access {
            address: RAM + 0x8000,
            size: 8,
            stored: Some(6),
        };
        assert_eq!(std::mem::take(&mut machine.cpus[0].log.secure), [access]);
        assert_eq!(told(&mut machine), [[RAM, RAM_SIZE, 1]]);
        world(&machine).set_read_only(RAM, false).expect("writable");
        assert_eq!(store(&mut machine, RAM + 0x8000, 7), 7);
        assert_eq!(store(&mut machine, RAM + 0x8000, 5), 5);
        assert_eq!(told(&mut machine), [[RAM, RAM_SIZE, 2]]);
    }
}

/// KVM has no memory there for the moment of the change.
fn a_load_never_misses_a_region_that_changes() {
    let mut machine = machine();
    assert_eq!(store(&mut machine, RAM + 0x8000, 5), 5);
    let changing = world(&machine).clone();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let changes = scope.spawn(|| {
            for _ in 0..100 {
                changing.set_read_only(RAM, true).expect("read-only");
                changing.set_read_only(RAM, false).expect("writable");
            }
            done.store(true, Ordering::Release);
        });
        let mut loads = Vec::new();
        while !done.load(Ordering::Acquire) && !changes.is_finished() {
            loads.push(load(&mut machine, RAM + 0x8000));
        }
        assert!(loads.iter().all(|&loaded| loaded == 5), "{loads:?}");
    });
    assert_eq!(machine.cpus[0].log.secure, []);
}

fn pages_that_were_written_before_a_region_changed_are_told() {
    let (mut machine, page) = (machine(), page_size());
    world(&machine).log_dirty_pages(true).expect("a log");
    store(&mut machine, RAM + 5 * page, 1);
    world(&machine).set_read_only(RAM, true).expect("read-only");
    world(&machine).set_read_only(RAM, false).expect("writable");
    store(&mut machine, RAM + 6 * page, 1);
    let pages = |machine: &Machine| world(machine).dirty_pages(RAM).expect("pages");
    assert_eq!(pages(&machine)[0], 1 << 5 | 1 << 6);
    assert_eq!(pages(&machine)[0], 0);
}

fn the_pages_that_the_blob_writes_are_told() {
    let mut machine = machine();
    store(&mut machine, RAM + 0x3000, 1);
    let untracked = world(&machine).dirty_pages(RAM);
    assert!(matches!(untracked, Err(Error::Kvm { .. })), "{untracked:?}");
    world(&machine).log_dirty_pages(true).expect("a log");
    assert!(
        world(&machine)
            .dirty_pages(RAM)
            .expect("pages")
            .iter()
            .all(|&word| word == 0)
    );
    let page = page_size();
    let last = RAM_SIZE / page - 1;
    store(&mut machine, RAM + 5 * page, 1);
    load(&mut machine, RAM + 6 * page);
    store(&mut machine, RAM + last * page, 1);
    let pages = world(&machine).dirty_pages(RAM).expect("pages");
    assert_eq!(pages.len() as u64, (last + 1).div_ceil(64));
    let is_set = |page: &u64| pages[*page as usize / 64] & 1 << (page % 64) != 0;
    assert_eq!((0..=last).filter(is_set).collect::<Vec<_>>(), [5, last]);
    assert!(
        world(&machine)
            .dirty_pages(RAM)
            .expect("pages")
            .iter()
            .all(|&word| word == 0)
    );
    // Also in a region that comes later.
    let more = Ram::new();
    // SAFETY: `more` outlives the machine's use of it: it is removed below.
    unsafe { world(&machine).add_memory(region(&more, MORE, 0, 2 * page)) }.expect("memory");
    store(&mut machine, MORE + page, 1);
    assert_eq!(world(&machine).dirty_pages(MORE).expect("pages"), [1 << 1]);
    world(&machine).remove_memory(MORE).expect("removed");
    world(&machine).log_dirty_pages(false).expect("no log");
    let unknown = world(&machine).dirty_pages(MORE);
    assert!(
        matches!(unknown, Err(Error::NoGuestMemory(MORE))),
        "{unknown:?}"
    );
}

fn a_reset_makes_the_blob_what_it_was() {
    let mut machine = machine();
    store(&mut machine, DATA + 0x100, 5);
    assert_eq!(load(&mut machine, DATA + 0x100), 5);
    let cpu = &mut machine.cpus[0];
    let trap = cpu.next_call(&[hostcall::TIME, 0, 0]);
    assert!(matches!(cpu.trap(trap), Ok(Step::Ask(Request::Time))));
    let busy = world(&machine).reset();
    assert!(matches!(busy, Err(Error::Busy(0))), "{busy:?}");
    let lane = machine.cpus[0].firmware.as_mut().expect("a blob");
    lane.abandon().expect("an end");
    assert_eq!(load(&mut machine, DATA + 0x100), 5, "nothing was reset");
    world(&machine).reset().expect("a reset");
    assert_eq!(load(&mut machine, DATA + 0x100), 0);
    assert_eq!(store(&mut machine, RAM + 0x8000, 7), 7);
}

/// And what it knew of the guest's memory it asks for again there.
fn what_a_blob_remembers_goes_to_another_world() {
    let (mut old, mut new) = (machine(), machine());
    store(&mut old, DATA + 0x100, 5);
    let data = world(&old).data();
    assert_eq!(changes(&mut old), changes(&mut new));
    world(&new).set_data(&data).expect("its data");
    assert_eq!(load(&mut new, DATA + 0x100), 5);
    assert_ne!(changes(&mut old), changes(&mut new));
    for other in [
        vec![],
        vec![vec![0; 8]],
        [data.clone(), data.clone()].concat(),
    ] {
        let refused = world(&new).set_data(&other);
        assert!(matches!(refused, Err(Error::OtherData)), "{refused:?}");
    }
    let cpu = &mut new.cpus[0];
    let trap = cpu.next_call(&[hostcall::TIME, 0, 0]);
    assert!(matches!(cpu.trap(trap), Ok(Step::Ask(Request::Time))));
    let busy = world(&new).set_data(&data);
    assert!(matches!(busy, Err(Error::Busy(0))), "{busy:?}");
}

// Returns what it has left in a system register, the top of its stack and the frame, with a number for each
// vCPU; then leaves x1 in all of them.
program!(
    keep,
    "mrs x9, tpidr_el1",
    "mrs x0, contextidr_el1",
    "ldr x10, [sp, #-16]",
    "orr x0, x0, x10",
    "ldr w10, [x9, #{CPU}]",
    "orr x0, x0, x10",
    "msr contextidr_el1, x1",
    "str x1, [sp, #-16]",
    "str w1, [x9, #{CPU}]",
    "eret";
    CPU = offset_of!(Frame, cpu)
);

/// Its registers, frame and stack on each CPU, too, whether the VMM has the lane look at it or not.
fn a_reset_reaches_every_cpu() {
    let options = Options {
        cpus: 2,
        ..Options::default()
    };
    let mut machine = Machine::new(&blob(keep()), caller(), &options);
    for round in 0..2 {
        for n in [0, 1] {
            let cpu = &mut machine.cpus[n];
            assert!(cpu.ask(&[8]).is_none());
            assert_eq!(cpu.x()[0], n as u64, "round {round}");
            assert!(cpu.ask(&[8]).is_none());
            assert_eq!(cpu.x()[0], 8, "it stays");
        }
        world(&machine).reset().expect("a reset");
        for cpu in &mut machine.cpus {
            // Only with the kernel engine is this needed.
            if cpu.is_carried() || round == 0 {
                let lane = cpu.firmware.as_mut().expect("a blob");
                lane.abandon().expect("a start");
            }
        }
    }
}

/// As a VMM leaves it whose vCPU's thread ends at a request.
fn a_lane_dropped_within_a_call_does_not_stand_in_the_way_of_a_reset() {
    let mut machine = machine();
    let cpu = &mut machine.cpus[0];
    let trap = cpu.next_call(&[hostcall::TIME, 0, 0]);
    assert!(matches!(cpu.trap(trap), Ok(Step::Ask(Request::Time))));
    let busy = world(&machine).reset();
    assert!(matches!(busy, Err(Error::Busy(0))), "{busy:?}");
    machine.cpus[0].firmware = None;
    world(&machine).reset().expect("a reset");
}

/// As VMMs for real time have it, whose pages the kernel does not take back.
fn a_reset_reaches_memory_that_is_locked() {
    struct Unlock;
    impl Drop for Unlock {
        fn drop(&mut self) {
            // SAFETY: the call has no arguments and changes no contents.
            unsafe { libc::munlockall() };
        }
    }
    let mut machine = machine();
    let _unlock = Unlock;
    // SAFETY: locking changes no contents. Pages that nobody has touched are locked when they are.
    let locked = unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_ONFAULT) };
    assert_eq!(locked, 0, "{}", std::io::Error::last_os_error());
    assert_eq!(store(&mut machine, DATA + 0x100, 5), 5);
    world(&machine).reset().expect("a reset");
    assert_eq!(load(&mut machine, DATA + 0x100), 0);
}

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        a_region_comes_and_goes,
        neighbours_are_one_range_and_an_overlap_is_refused,
        a_region_becomes_read_only_and_writable_again,
        a_load_never_misses_a_region_that_changes,
        pages_that_were_written_before_a_region_changed_are_told,
        the_pages_that_the_blob_writes_are_told,
        a_reset_makes_the_blob_what_it_was,
        what_a_blob_remembers_goes_to_another_world,
        a_reset_reaches_every_cpu,
        a_lane_dropped_within_a_call_does_not_stand_in_the_way_of_a_reset,
        a_reset_reaches_memory_that_is_locked,
    ]
}
