// SPDX-License-Identifier: Apache-2.0 OR MIT
//! SMC and HVC lead into vector tables of their own (docs/abi.md, "The file").

use fakemon_abi::layout::{HYP_VECTORS, MONITOR_BASE, VECTOR_LOWER_AARCH64};
use fakemon_abi::note::{CONDUIT_HVC, CONDUIT_SMC};
use fakemon_host::regs::PC;
use fakemon_host::{Blob, Conduit, Hvc};
use fakemon_tests::elf::{blob_with, note};
use fakemon_tests::machine::{Machine, RAM, logging};
use fakemon_tests::{program, trials};
use libtest_mimic::Trial;

program!(
    monitor,
    "adr x1, .",
    "mov x0, #0x5c",
    "mrs x2, esr_el1",
    "mrs x3, elr_el1",
    "eret",
);

program!(
    hypervisor,
    "adr x1, .",
    "mov x0, #0x4c",
    "mrs x2, esr_el1",
    "mrs x3, elr_el1",
    "eret",
);

program!(
    both_calls,
    "1: movz x0, #0xc300, lsl #16",
    "smc #0",
    "movz x0, #0xc300, lsl #16",
    "hvc #0",
    "b 1b",
);

/// Each table's program, its address, and ESR_EL1 with EC 0x17 or 0x16 and IL.
const FROM_SMC: [u64; 3] = [
    0x5c,
    MONITOR_BASE + VECTOR_LOWER_AARCH64,
    0x17 << 26 | 1 << 25,
];
const FROM_HVC: [u64; 3] = [
    0x4c,
    MONITOR_BASE + HYP_VECTORS + VECTOR_LOWER_AARCH64,
    0x16 << 26 | 1 << 25,
];

fn blob(conduits: u32) -> Blob {
    let mut note = note();
    note.conduits = conduits;
    blob_with(note, monitor(), hypervisor())
}

/// Makes both calls twice. The answer to one that is not served has no expectation but
/// NOT_SUPPORTED.
fn both(blob: &Blob, smc: Option<[u64; 3]>, hvc: Option<[u64; 3]>) {
    let mut machine = Machine::new(blob, both_calls(), &logging());
    calls(&mut machine, [smc, hvc], |made| made);
}

/// As [`both`]; `served` says by which conduit the payload has a call that is made by this one.
fn calls(machine: &mut Machine, [smc, hvc]: [Option<[u64; 3]>; 2], served: fn(Conduit) -> Conduit) {
    let cpu = &mut machine.cpus[0];
    for _ in 0..2 {
        for (conduit, after, expected) in
            [(Conduit::Smc, RAM + 8, smc), (Conduit::Hvc, RAM + 16, hvc)]
        {
            let trap = cpu.next_call(&[1, 2, 3]);
            assert_eq!(trap.conduit, conduit);
            let stop = cpu.serve(trap);
            assert!(stop.is_none(), "{stop:?}");
            assert_eq!(cpu.get(PC), after);
            match expected {
                Some([x0, x1, x2]) => {
                    assert_eq!(cpu.x()[..4], [x0, x1, x2, after]);
                    let firmware = cpu.firmware.as_mut().expect("a blob");
                    firmware.drain_log(|_| ());
                    assert_eq!(firmware.last_call().conduit, served(conduit));
                }
                None => assert_eq!(cpu.x()[..4], [u64::MAX, 1, 2, 3]),
            }
        }
    }
}

fn smc_and_hvc_enter_their_own_vectors() {
    both(
        &blob(CONDUIT_SMC | CONDUIT_HVC),
        Some(FROM_SMC),
        Some(FROM_HVC),
    );
}

fn an_smc_blob_leaves_hvc_unanswered() {
    both(&blob(CONDUIT_SMC), Some(FROM_SMC), None);
}

fn an_hvc_blob_leaves_smc_unanswered() {
    both(&blob(CONDUIT_HVC), None, Some(FROM_HVC));
}

/// A guest that was told to use HVC has the firmware that is called by SMC.
fn hvc_enters_the_vectors_of_smc_if_the_vmm_wants_that() {
    let mut options = logging();
    options.config.hvc = Hvc::AsSmc;
    for conduits in [CONDUIT_SMC, CONDUIT_SMC | CONDUIT_HVC] {
        let mut machine = Machine::new(&blob(conduits), both_calls(), &options);
        let [x0, address, esr] = FROM_SMC;
        // KVM leaves the syndrome of the guest's own instruction.
        let esr = match machine.cpus[0].is_carried() {
            true => FROM_HVC[2],
            false => esr,
        };
        let both = [Some(FROM_SMC), Some([x0, address, esr])];
        calls(&mut machine, both, |_| Conduit::Smc);
    }
}

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        smc_and_hvc_enter_their_own_vectors,
        an_smc_blob_leaves_hvc_unanswered,
        an_hvc_blob_leaves_smc_unanswered,
        hvc_enters_the_vectors_of_smc_if_the_vmm_wants_that,
    ]
}
