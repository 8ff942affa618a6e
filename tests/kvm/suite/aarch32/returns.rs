// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where and how a 32-bit caller goes on.

use fakemon_host::{FaultReason, OnFault, regs};
use fakemon_tests::machine::RAM;
use fakemon_tests::trials;
use libtest_mimic::Trial;

use super::{FLAGS, SVC, THUMB, arm, assert_ends, call, machine, return_elsewhere, thumb};

const NZCV: u64 = 0xf << 28;

fn a_blob_can_change_its_callers_flags_and_address() {
    for (code, state) in [(arm(), 0), (thumb(), THUMB)] {
        let mut machine = machine(return_elsewhere(), code, OnFault::Fatal);
        let cpu = &mut machine.cpus[0];
        cpu.set(regs::PSTATE, SVC | state | FLAGS);
        cpu.set(regs::x(1), NZCV);
        cpu.set(regs::x(3), 0x1000);
        assert!(call(cpu).is_none());
        assert_eq!(cpu.get(regs::PSTATE), SVC | state | FLAGS ^ NZCV);
        assert_eq!(cpu.get(regs::PC), RAM + 0x1004);
    }
}

fn a_blob_cannot_change_its_callers_mode() {
    let mut machine = machine(return_elsewhere(), arm(), OnFault::NotSupported);
    let cpu = &mut machine.cpus[0];
    // User mode and EL0 exist in the monitor VM, so the wish is seen.
    for wanted in [0x10, 0x00] {
        cpu.set(regs::PC, RAM);
        cpu.set(regs::x(1), 0x13 ^ wanted);
        assert!(call(cpu).is_none());
        let fault = cpu.log.faults.pop().expect("a fault");
        let refused =
            matches!(fault.reason, FaultReason::BadReturn { spsr, .. } if spsr & 0x1f == wanted);
        assert!(refused, "{fault}");
        assert_eq!(
            cpu.get(regs::x(0)),
            0xffff_ffff,
            "NOT_SUPPORTED, in 32 bits"
        );
        assert_eq!(cpu.get(regs::PSTATE), SVC);
    }
    // IRQ mode does not, and neither does Supervisor mode: the same illegal return, which leaves
    // the mode alone.
    cpu.set(regs::PC, RAM);
    cpu.set(regs::x(1), 0x13 ^ 0x12);
    assert!(call(cpu).is_none());
    assert!(cpu.log.faults.is_empty());
    assert_eq!(cpu.get(regs::PSTATE), SVC);
    assert_ends(cpu, 4);
}

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        a_blob_can_change_its_callers_flags_and_address,
        a_blob_cannot_change_its_callers_mode
    ]
}
