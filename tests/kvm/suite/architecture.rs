// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A blob that claims Arm architecture calls gets them where KVM has the monitor capability;
//! elsewhere KVM answers them, and the blob's other ranges work all the same.

use fakemon_abi::note::Range;
use fakemon_host::Blob;
use fakemon_tests::elf::{blob_with, note};
use fakemon_tests::host::gives_architecture_calls;
use fakemon_tests::machine::{Machine, Options, Stop};
use fakemon_tests::{program, trials};
use libtest_mimic::Trial;

program!(answer, "mov x0, #42", "eret",);

// Reports x0 after SMCCC_VERSION, SMCCC_ARCH_FEATURES of itself, a call that nobody claims, and the
// blob's own.
program!(
    probe,
    "movz x20, #0x0900, lsl #16",
    ".irp id, 0x80000000, 0x80000001, 0x80000003, 0xc0000000, 0xc300ffff",
    "movz x0, #(\\id >> 16), lsl #16",
    "movk x0, #(\\id & 0xffff)",
    "mov x1, x0",
    "smc #0",
    "str x0, [x20]",
    "add x20, x20, #8",
    ".endr",
    "movz x20, #0x0900, lsl #16",
    "str x0, [x20, #0x1000]",
    "b .",
);

/// NOT_SUPPORTED in 64 bits.
const NO: u64 = u64::MAX;

fn claims(first: u32, last: u32) -> Blob {
    let mut note = note();
    let own = Range {
        first: 0xc300_ffff,
        last: 0xc300_ffff,
        ..note.ranges[0]
    };
    let architecture = Range { first, last, ..own };
    note.ranges[..2].copy_from_slice(&[architecture, own]);
    note.range_count = 2;
    blob_with(note, answer(), &[])
}

fn claimed_architecture_calls_reach_the_blob_where_kvm_lets_them_out() {
    let blob = claims(0x8000_0000, 0x8000_0002);
    let mut machine = Machine::new(&blob, probe(), &Options::default());
    let cpu = &mut machine.cpus[0];
    let stop = cpu.run();
    assert!(matches!(stop, Stop::Ended), "{stop:?}");
    let reports: Vec<u64> = cpu.log.reports.iter().map(|&(_, value)| value).collect();
    let architecture = if gives_architecture_calls() {
        [42, 42]
    } else {
        [0x1_0001, NO]
    };
    assert_eq!(reports[..2], architecture);
    assert_eq!(reports[2..], [NO, NO, 42]);
}

pub(crate) fn tests() -> Vec<Trial> {
    trials![claimed_architecture_calls_reach_the_blob_where_kvm_lets_them_out]
}
