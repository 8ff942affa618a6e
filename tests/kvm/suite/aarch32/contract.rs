// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What goes in, what comes out, and where a 32-bit call enters the blob.

use fakemon_abi::frame::SPSR_IL;
use fakemon_abi::layout::{MONITOR_BASE, VECTOR_LOWER_AARCH32};
use fakemon_host::OnFault;
use fakemon_host::regs::{self, Register};
use fakemon_tests::elf::DATA;
use fakemon_tests::machine::{END, RAM, Stop};
use fakemon_tests::trials;
use libtest_mimic::Trial;

use super::{
    FLAGS, LEGACY_ID, SVC, THUMB, arm, arm_if_equal, arm_with_immediate, assert_ends, call,
    change_all, machine, thumb, thumb_if_equal, witness,
};

const Z: u64 = 1 << 30;
/// A neighbour of SPSR_und in `struct kvm_regs`.
const fn near_spsr_und(words: i64) -> Register {
    let id = regs::SPSR_UND.id().wrapping_add_signed(words);
    Register::new(id).expect("64 bits, as SPSR_und")
}
const SPSR_ABT: Register = near_spsr_und(-2);
const SPSR_IRQ: Register = near_spsr_und(2);
const SPSR_FIQ: Register = near_spsr_und(4);
/// The modes' SPSRs, which have no number among x0 to x30.
const BANKS: [Register; 5] = [regs::SPSR_EL1, SPSR_ABT, regs::SPSR_UND, SPSR_IRQ, SPSR_FIQ];

fn thirteen_registers_go_in_and_come_out_and_nothing_else_changes() {
    // Every mode that can call; r8 to r12 are those of User mode even for FIQ mode, as for a
    // monitor of its own.
    for mode in [0x13, 0x11, 0x12, 0x17, 0x1b, 0x1f] {
        for (code, state) in [(arm(), 0), (thumb(), THUMB)] {
            let mut machine = machine(change_all(), code, OnFault::Fatal);
            let cpu = &mut machine.cpus[0];
            let cpsr = SVC & !0x1f | mode | state | FLAGS;
            cpu.set(regs::PSTATE, cpsr);
            for n in 0..31 {
                cpu.set(regs::x(n), 0x8123_4500 + n);
            }
            for (n, bank) in (0..).zip(BANKS) {
                cpu.set(bank, 0x6000_01d0 + n);
            }
            assert!(call(cpu).is_none());
            for n in 0..31 {
                let change = if n < 13 { 0x100 + n } else { 0 };
                assert_eq!(
                    cpu.get(regs::x(n)),
                    0x8123_4500 + n + change,
                    "x{n}, mode {mode:#x}"
                );
            }
            for (n, bank) in (0..).zip(BANKS) {
                assert_eq!(cpu.get(bank), 0x6000_01d0 + n, "mode {mode:#x}");
            }
            assert_eq!(cpu.get(regs::PSTATE), cpsr);
            assert_ends(cpu, 4);
        }
    }
}

fn the_blob_is_entered_as_el3_is_from_aarch32() {
    let callers = [(arm(), 0), (arm_with_immediate(), 0), (thumb(), THUMB)];
    for (code, state) in callers {
        let mut machine = machine(witness(), code, OnFault::Fatal);
        let cpu = &mut machine.cpus[0];
        cpu.set(regs::PSTATE, SVC | state | FLAGS);
        cpu.set(regs::x(0), 0x1234_5678);
        cpu.set(regs::x(12), LEGACY_ID);
        assert!(call(cpu).is_none());
        let monitor = machine.payload();
        let data = monitor.read_memory(DATA, 40).expect("the blob's data");
        let (words, _) = data.as_chunks();
        let words: Vec<_> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let smc_in_aarch32 = 0x13 << 26 | 1 << 25;
        let cpsr = SVC | state | FLAGS | SPSR_IL;
        let entry = MONITOR_BASE + VECTOR_LOWER_AARCH32;
        assert_eq!(words, [entry, smc_in_aarch32, RAM + 4, cpsr, LEGACY_ID]);
    }
}

fn a_conditional_smc_calls_if_its_condition_holds_and_does_nothing_otherwise() {
    for (code, state, after) in [(arm_if_equal(), 0, 4), (thumb_if_equal(), THUMB, 6)] {
        for cpsr in [SVC | state | Z, SVC | state] {
            let mut machine = machine(change_all(), code, OnFault::Fatal);
            let cpu = &mut machine.cpus[0];
            cpu.set(regs::PSTATE, cpsr);
            cpu.set(regs::x(2), END);
            if cpsr & Z == 0 {
                let stop = cpu.run();
                assert!(matches!(stop, Stop::Ended), "{stop:?}");
                assert_eq!(cpu.get(regs::x(3)), 0, "no call");
            } else {
                assert!(call(cpu).is_none());
                assert_eq!(cpu.get(regs::x(3)), 0x103, "a call");
                assert_eq!(cpu.get(regs::PSTATE), cpsr, "the IT block is over");
                assert_ends(cpu, after);
            }
        }
    }
}

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        thirteen_registers_go_in_and_come_out_and_nothing_else_changes,
        the_blob_is_entered_as_el3_is_from_aarch32,
        a_conditional_smc_calls_if_its_condition_holds_and_does_nothing_otherwise
    ]
}
