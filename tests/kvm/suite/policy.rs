// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who answers a call is the policy's choice, and what no policy can change is written down here
//! (docs/abi.md, "What is guaranteed to whom").

use fakemon_abi::layout::{MAX_VCPUS, MONITOR_BASE};
use fakemon_abi::note::{CALLER_AARCH32, GUEST_MEMORY_READ};
use fakemon_host::{
    Blob, Config, Error, FilterError, GuestMemory, Policy, Width, World, set_policy,
};
use fakemon_tests::elf::{FUNCTION, blob, blob_with, note};
use fakemon_tests::machine::{Machine, Options, RAM, Ram, Stop, page_size};
use fakemon_tests::{program, trials};
use kvm_ioctls::Kvm;
use libtest_mimic::Trial;

program!(answer, "mov x0, #42", "eret",);

// Reports x0 after SMC and HVC with each of a few function IDs, and last after SMC #1.
program!(
    probe,
    "movz x20, #0x0900, lsl #16",
    ".irp id, 0xc3000000, 0x84000000, 0xc3001000, 0x80000000, 0xc0000000",
    "movz x0, #(\\id >> 16), lsl #16",
    "movk x0, #(\\id & 0xffff)",
    "mov x21, x0",
    "smc #0",
    "str x0, [x20]",
    "add x20, x20, #8",
    "mov x0, x21",
    "hvc #0",
    "str x0, [x20]",
    "add x20, x20, #8",
    ".endr",
    "movz x0, #0xc300, lsl #16",
    "smc #1",
    "str x0, [x20]",
    "add x20, x20, #8",
    "movz x20, #0x0900, lsl #16",
    "str x0, [x20, #0x1000]",
    "b .",
);

/// NOT_SUPPORTED in 64 bits.
const NO: u64 = u64::MAX;
/// What KVM answers to SMCCC_VERSION, 0x80000000: 1.1.
const SMCCC_1_1: u64 = 0x1_0001;

/// The probe's reports under a policy. With a blob, only the claimed SMC may exit; otherwise
/// nothing may.
fn probed(policy: Policy, blob: &Blob) -> Vec<u64> {
    let options = Options {
        policy,
        ..Options::default()
    };
    let mut machine = Machine::new(blob, probe(), &options);
    let cpu = &mut machine.cpus[0];
    let stop = if policy == Policy::Blob {
        cpu.run()
    } else {
        cpu.run_to_call().expect_err("no call exits")
    };
    assert!(matches!(stop, Stop::Ended), "{stop:?}");
    cpu.log.reports.iter().map(|&(_, value)| value).collect()
}

/// The version of KVM's own PSCI, which is 1.something.
fn psci_version(reports: &[u64]) -> u64 {
    let version = reports[2];
    assert_eq!(version >> 16, 1, "{version:#x}");
    version
}

fn blob_answers_what_is_claimed_and_kvm_the_rest() {
    let reports = probed(Policy::Blob, &blob(answer()));
    let psci = psci_version(&reports);
    // KVM forwards no SMC with an immediate, but can carry one.
    let options = Options::default();
    let carried = Machine::new(&blob(answer()), probe(), &options).cpus[0].is_carried();
    let immediate = if carried { 42 } else { NO };
    // The blob does not serve HVC, so its own ID is nobody's there.
    #[rustfmt::skip]
    let expected = [
        42, NO, psci, psci, NO, NO, SMCCC_1_1, SMCCC_1_1, NO, NO, immediate,
    ];
    assert_eq!(reports, expected);
}

fn kvm_answers_as_if_there_were_no_blob() {
    let reports = probed(Policy::Kvm, &blob(answer()));
    let psci = psci_version(&reports);
    let expected = [NO, NO, psci, psci, NO, NO, SMCCC_1_1, SMCCC_1_1, NO, NO, NO];
    assert_eq!(reports, expected);
}

fn deny_refuses_everything_without_an_exit_but_kvms_reserved_ranges() {
    let reports = probed(Policy::Deny, &blob(answer()));
    let expected = [NO, NO, NO, NO, NO, NO, SMCCC_1_1, SMCCC_1_1, NO, NO, NO];
    assert_eq!(reports, expected);
}

fn undef_leaves_the_reserved_ranges_and_smc_1_to_kvm() {
    let options = Options {
        policy: Policy::Undef,
        ..Options::default()
    };
    let mut machine = Machine::new(&blob(answer()), probe(), &options);
    let cpu = &mut machine.cpus[0];
    // Six calls exit and are ignored here; none of the other five does.
    for _ in 0..6 {
        cpu.run_to_call().expect("a call");
    }
    let stop = cpu.run_to_call().expect_err("no call");
    assert!(matches!(stop, Stop::Ended), "{stop:?}");
    let reports: Vec<u64> = cpu.log.reports.iter().map(|&(_, value)| value).collect();
    assert_eq!(reports[6..], [SMCCC_1_1, SMCCC_1_1, NO, NO, NO]);
}

fn the_filter_is_refused_once_the_guest_has_run() {
    let options = Options {
        policy: Policy::Kvm,
        ..Options::default()
    };
    let mut machine = Machine::new(&blob(answer()), probe(), &options);
    assert!(matches!(machine.cpus[0].run(), Stop::Ended));
    let late = set_policy(&machine.vm, Policy::Deny, &[]);
    assert!(matches!(late, Err(FilterError::TooLate)), "{late:?}");
}

fn a_second_policy_is_refused() {
    let blob = blob(answer());
    let machine = Machine::new(&blob, probe(), &Options::default());
    let again = set_policy(&machine.vm, Policy::Blob, &[&blob]);
    let Err(FilterError::Taken { first, last }) = again else {
        panic!("{again:?}");
    };
    assert_eq!((first, last), (FUNCTION, FUNCTION + 15));
    let deny = set_policy(&machine.vm, Policy::Deny, &[]);
    assert!(matches!(deny, Err(FilterError::Taken { .. })), "{deny:?}");
}

/// What making a monitor VM, and one vCPU of it for an AArch64 guest, says.
fn monitor(blob: &Blob, memory: &[GuestMemory], cpus: u32) -> Result<(), Error> {
    let options = Options {
        policy: Policy::Kvm,
        ..Options::default()
    };
    let machine = Machine::new(blob, probe(), &options);
    let kvm = Kvm::new().expect("/dev/kvm");
    let world = World::new(&kvm, &[blob], cpus, Config::default())?;
    for region in memory {
        // SAFETY: the tests hand over no memory, or memory that is refused.
        unsafe { world.add_memory(*region) }?;
    }
    world.lane(0, &machine.cpus[0].fd, Width::AArch64)?;
    world
        .lane(cpus, &machine.cpus[0].fd, Width::AArch64)
        .map(drop)
}

fn a_caller_of_another_width_is_refused() {
    let mut note = note();
    note.callers = CALLER_AARCH32;
    let refused = monitor(&blob_with(note, answer(), &[]), &[], 1);
    let Err(Error::WrongCaller { board, width }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((board.as_str(), width), ("test", Width::AArch64));
}

fn a_monitor_that_cannot_be_is_refused() {
    let blob = blob(answer());
    for cpus in [0, MAX_VCPUS + 1] {
        let refused = monitor(&blob, &[], cpus);
        assert!(
            matches!(refused, Err(Error::TooManyCpus(n)) if n == cpus),
            "{refused:?}"
        );
    }
    let page = page_size();
    let region = |guest_addr, size| {
        [GuestMemory {
            guest_addr,
            host_addr: page,
            size,
        }]
    };
    let mut note = note();
    note.guest_memory = GUEST_MEMORY_READ;
    let reader = blob_with(note, answer(), &[]);
    for (guest_addr, size) in [
        (MONITOR_BASE - page, 2 * page),
        (MONITOR_BASE, page),
        (RAM, u64::MAX - page + 1),
    ] {
        let refused = monitor(&reader, &region(guest_addr, size), 1);
        assert!(
            matches!(refused, Err(Error::GuestMemoryTooHigh { guest_addr: at, .. }) if at == guest_addr),
            "{refused:?}"
        );
    }
    for (guest_addr, size) in [(RAM + 1, page), (RAM, page + 1)] {
        let refused = monitor(&blob, &region(guest_addr, size), 1);
        assert!(
            matches!(refused, Err(Error::GuestMemoryUnaligned { guest_addr: at, .. }) if at == guest_addr),
            "{refused:?}"
        );
    }
    let refused = monitor(&blob, &[], 1);
    assert!(
        matches!(refused, Err(Error::NoSuchCpu { cpu: 1, cpus: 1 })),
        "vCPU 1 of 1: {refused:?}"
    );
}

fn memory_that_no_blob_asks_for_may_be_out_of_its_reach() {
    let ram = Ram::new();
    let far = GuestMemory {
        guest_addr: MONITOR_BASE,
        host_addr: ram.address(),
        size: page_size(),
    };
    let kvm = Kvm::new().expect("/dev/kvm");
    let world = World::new(&kvm, &[&blob(answer())], 1, Config::default()).expect("a world");
    // SAFETY: `ram` is dropped after the world, whose lanes nobody has taken.
    unsafe { world.add_memory(far) }.expect("no matter where");
    world.remove_memory(MONITOR_BASE).expect("it was there");
    drop(world);
}

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        blob_answers_what_is_claimed_and_kvm_the_rest,
        kvm_answers_as_if_there_were_no_blob,
        deny_refuses_everything_without_an_exit_but_kvms_reserved_ranges,
        undef_leaves_the_reserved_ranges_and_smc_1_to_kvm,
        the_filter_is_refused_once_the_guest_has_run,
        a_second_policy_is_refused,
        a_caller_of_another_width_is_refused,
        a_monitor_that_cannot_be_is_refused,
        memory_that_no_blob_asks_for_may_be_out_of_its_reach,
    ]
}
