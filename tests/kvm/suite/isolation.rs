// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Isolation: a guest that reads, writes, executes, exchanges, zeroes, cleans and walks every page
//! of the monitor's memory gets nothing and changes nothing, whether the monitor is idle or serves
//! other CPUs.

mod programs;

use fakemon_abi::layout::{DOORBELL, FRAME, STACK, VCPU_STRIDE, vcpu_block};
use fakemon_host::Payload;
use fakemon_tests::elf::DATA;
use fakemon_tests::machine::{Machine, RAM, Stop};
use fakemon_tests::trials;
use libtest_mimic::Trial;

use programs::{ABORTS, LSE_ABORTS, machine, prepare};

const PAGE: u64 = 0x1000;

fn no_attack_reaches_an_idle_monitor() {
    let mut machine = machine(1);
    let monitor = machine.payload();
    let (addresses, before) = (targets(monitor, 1), Snapshot::of(monitor));
    prepare(&machine, &addresses);
    let stop = machine.cpus[0].run();
    assert!(matches!(stop, Stop::Ended), "{stop:?}");
    assert_repelled(&machine, &addresses);
    let monitor = machine.payload();
    let changed = Snapshot::of(monitor).differences(&before);
    assert!(changed.is_empty(), "{changed:x?}");
}

fn no_attack_reaches_a_monitor_that_serves_other_cpus() {
    const CPUS: u32 = 4;
    let mut machine = machine(CPUS);
    let monitor = machine.payload();
    let (addresses, before) = (targets(monitor, CPUS), Snapshot::of(monitor));
    prepare(&machine, &addresses);
    let stops = machine.run_all();
    assert!(
        stops.iter().all(|stop| matches!(stop, Stop::Ended)),
        "{stops:?}"
    );
    assert_repelled(&machine, &addresses);

    let mut calls = 0;
    for cpu in &machine.cpus[1..] {
        let [(0, own), (8, wrong)] = cpu.log.reports[..] else {
            panic!("two reports: {:?}", cpu.log.reports);
        };
        assert_eq!(wrong, 0, "wrong answers");
        calls += own;
    }
    let monitor = machine.payload();
    let count = monitor.read_memory(DATA, 8).expect("the blob's data");
    assert_eq!(
        count,
        calls.to_le_bytes(),
        "the blob's own count of its calls"
    );
    // Nothing else has changed but what the callers' own calls change.
    let in_use = |at: u64| {
        let own = |cpu| {
            let block = vcpu_block(cpu);
            at == block + FRAME || (block + STACK..block + VCPU_STRIDE).contains(&at)
        };
        at == DATA || (1..CPUS).any(own)
    };
    let mut changed = Snapshot::of(monitor).differences(&before);
    changed.retain(|&at| !in_use(at));
    assert!(changed.is_empty(), "{changed:x?}");
    let data = monitor
        .read_memory(DATA + 8, 0xff8)
        .expect("the blob's data");
    assert!(
        data.iter().all(|&byte| byte == 0),
        "data that no blob wrote"
    );
}

/// The counter-proof: on the guest's own RAM the same attacks succeed, and are seen to.
fn the_attacks_succeed_where_the_guest_has_memory() {
    const TARGET: u64 = RAM + 0x10_0000;
    let mut machine = machine(1);
    machine.write_ram(TARGET, &[0xa5; 64]);
    prepare(&machine, &[TARGET]);
    let stop = machine.cpus[0].run();
    assert!(matches!(stop, Stop::Ended), "{stop:?}");
    let outcome = Outcome::of(&machine);
    assert_eq!(outcome.addresses, 2, "one address, with the MMU off and on");
    assert!(outcome.leaks > 10, "{outcome:?}");
    assert!(outcome.aborts < ABORTS, "{outcome:?}");
    assert_eq!(machine.cpus[0].log.holes, []);
    assert_eq!(machine.read_ram(TARGET, 64), [0; 64], "DC ZVA came last");
}

/// The first and the last 16 bytes of every page of the monitor's, and of the doorbells.
fn targets(monitor: &Payload, cpus: u32) -> Vec<u64> {
    let doorbells = (0..cpus).map(|cpu| (vcpu_block(cpu) + DOORBELL, PAGE));
    let pieces = monitor.memory_map().chain(doorbells);
    let pages = pieces.flat_map(|(start, size)| (start..start + size).step_by(PAGE as usize));
    pages.flat_map(|page| [page, page + PAGE - 16]).collect()
}

/// What the attacker reports.
#[derive(Debug)]
struct Outcome {
    addresses: u64,
    leaks: u64,
    aborts: u64,
    others: u64,
    atomics: bool,
}

impl Outcome {
    fn of(machine: &Machine) -> Outcome {
        let reports = &machine.cpus[0].log.reports;
        let [
            (0, addresses),
            (8, leaks),
            (16, aborts),
            (24, others),
            (32, lse),
        ] = reports[..]
        else {
            panic!("five reports: {reports:?}");
        };
        Outcome {
            addresses,
            leaks,
            aborts,
            others,
            atomics: lse != 0,
        }
    }
}

/// Asserts that every attack ended with the VMM or in an abort.
fn assert_repelled(machine: &Machine, addresses: &[u64]) {
    let outcome = Outcome::of(machine);
    let count = addresses.len() as u64;
    assert_eq!(
        outcome.addresses,
        2 * count,
        "every address, with the MMU off and on"
    );
    assert_eq!(outcome.leaks, 0, "loads that brought something in");
    assert_eq!(outcome.others, 0, "exceptions that are no aborts");
    let each = ABORTS + if outcome.atomics { LSE_ABORTS } else { 0 };
    assert_eq!(outcome.aborts, each * count, "{outcome:?}");

    // The VMM was asked for plain accesses, in this order, as for any address without a device.
    let plain = |&at: &u64| [(at, false), (at + 8, false), (at, true), (at + 8, true)];
    let once: Vec<_> = addresses.iter().flat_map(plain).collect();
    let log = &machine.cpus[0].log;
    assert_eq!(log.holes, [once.clone(), once].concat());
    for at in addresses {
        let page = at & !(PAGE - 1);
        assert!(
            log.blind.iter().any(|&blind| blind & !(PAGE - 1) == page),
            "{page:#x}"
        );
    }
}

/// All of the monitor's memory.
struct Snapshot(Vec<(u64, Vec<u8>)>);

impl Snapshot {
    fn of(monitor: &Payload) -> Snapshot {
        let read = |(start, size)| {
            let bytes = monitor.read_memory(start, size as usize);
            (start, bytes.expect("memory where the map says"))
        };
        Snapshot(monitor.memory_map().map(read).collect())
    }

    /// The pages that differ.
    fn differences(&self, other: &Snapshot) -> Vec<u64> {
        let pages = |snapshot: &Snapshot| {
            let pieces = snapshot.0.iter();
            let pages = pieces.flat_map(|(start, bytes)| {
                let numbered = (*start..)
                    .step_by(PAGE as usize)
                    .zip(bytes.chunks(PAGE as usize));
                numbered.map(|(at, page)| (at, page.to_vec()))
            });
            pages.collect::<Vec<_>>()
        };
        let both = pages(self).into_iter().zip(pages(other));
        both.filter(|(a, b)| a != b).map(|(a, _)| a.0).collect()
    }
}

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        no_attack_reaches_an_idle_monitor,
        no_attack_reaches_a_monitor_that_serves_other_cpus,
        the_attacks_succeed_where_the_guest_has_memory,
    ]
}
