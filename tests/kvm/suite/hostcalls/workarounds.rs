// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a blob learns of the CPU's workarounds is what KVM tells a guest that asks it directly.

use fakemon_abi::hostcall::{WORKAROUND, WORKAROUNDS};
use fakemon_abi::status;
use fakemon_host::Policy;
use fakemon_tests::elf::blob;
use fakemon_tests::machine::{Machine, Options, Stop};
use fakemon_tests::{program, trials};
use libtest_mimic::Trial;

use super::{host_call, machine, pass_on};

// Reports what SMCCC_ARCH_FEATURES says of the three workarounds.
program!(
    features,
    "movz x20, #0x0900, lsl #16",
    ".irp number, 0x8000, 0x7fff, 0x3fff",
    "movz x0, #0x8000, lsl #16",
    "movk x0, #1",
    "movz x1, #0x8000, lsl #16",
    "movk x1, #\\number",
    "smc #0",
    "str x0, [x20]",
    "add x20, x20, #8",
    ".endr",
    "movz x20, #0x0900, lsl #16",
    "str x0, [x20, #0x1000]",
    "b .",
);

fn workarounds_are_as_kvm_tells_them() {
    let options = Options {
        policy: Policy::Kvm,
        ..Options::default()
    };
    let mut direct = Machine::new(&blob(pass_on()), features(), &options);
    let cpu = &mut direct.cpus[0];
    let stop = cpu.run_to_call().expect_err("no call exits");
    assert!(matches!(stop, Stop::Ended), "{stop:?}");
    let told: Vec<u64> = cpu.log.reports.iter().map(|&(_, value)| value).collect();
    assert_eq!(told.len(), WORKAROUNDS.len());

    let mut machine = machine();
    for (id, told) in WORKAROUNDS.into_iter().zip(told) {
        let (code, results) = host_call(&mut machine.cpus[0], WORKAROUND, &[id.into()]);
        let answer = match code {
            status::SUCCESS => results[0],
            code => i64::from(code).cast_unsigned(),
        };
        assert_eq!(answer, told, "{id:#x}");
        assert_eq!(results[1..], [0; 3]);
    }
}

fn other_functions_are_no_workarounds() {
    let mut machine = machine();
    for id in [0, 0x8000_0001, 0x8000_0004, 0x1_8000_8000, u64::MAX] {
        let answer = host_call(&mut machine.cpus[0], WORKAROUND, &[id]);
        assert_eq!(answer, (status::NOT_SUPPORTED, [0; 4]), "{id:#x}");
    }
}

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        workarounds_are_as_kvm_tells_them,
        other_functions_are_no_workarounds,
    ]
}
