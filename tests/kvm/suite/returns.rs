// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Wherever the blob's ERET points, it arrives in the gate before an instruction has executed there
//! (docs/abi.md, "Return").
//!
//! The blob returns to the address and PSTATE that the test hands over. At every such place that is
//! memory lie *tripwires*: instructions that change x0 and make a secure access, so that one step
//! too far would show. The blob may also take the IL bit out, which makes the return fail or stay
//! within the blob, but never run what is the guest's.

use fakemon_abi::frame::SPSR_IL;
use fakemon_abi::layout::{GATE, MONITOR_BASE, VECTOR_LOWER_AARCH64, vcpu_block};
use fakemon_abi::note::{GUEST_MEMORY_NONE, GUEST_MEMORY_WRITE};
use fakemon_host::FaultReason;
use fakemon_host::regs::{ELR_EL1, PC, PSTATE, PSTATE_EL1H_MASKED, Register, SPSR_EL1, VBAR_EL1};
use fakemon_tests::elf::{blob_with, note};
use fakemon_tests::machine::{Machine, Options, RAM, Stop, page_size};
use fakemon_tests::program;
use fakemon_tests::program::caller;
use libtest_mimic::Trial;

program!(
    return_as_told,
    "msr elr_el1, x1",
    "msr spsr_el1, x2",
    "mov x0, #7",
    "eret",
    // Tripwire of the blob's own, 16 bytes in: x3 is the address of a device.
    "mov x0, #0xbad",
    "str x0, [x3]",
    "b .",
);

program!(tripwire, "mov x0, #0xbad", "str x0, [x3]", "b .",);

program!(return_without_a_word, "mov x0, #7", "eret",);

program!(
    return_to_itself,
    "adr x1, 1f",
    "mrs x2, spsr_el1",
    "mrs x3, elr_el1",
    "bic x4, x2, #(1 << 20)",
    "msr elr_el1, x1",
    "msr spsr_el1, x4",
    "eret",
    "1: msr elr_el1, x3",
    "msr spsr_el1, x2",
    "mov x0, #7",
    "eret",
);

const EL1H: u64 = PSTATE_EL1H_MASKED;
const EL1T: u64 = EL1H - 1;
const EL0T: u64 = EL1H & !0xf;
/// User mode of AArch32, A32 instructions.
const EL0_AARCH32: u64 = 0x1d0;
const SVC: u64 = 0x1d3;
const NEGATIVE_CARRY: u64 = 0b1010 << 28;

/// What a debugger's step leaves in the SPSR.
const SS: u64 = 1 << 21;

const DEVICE: u64 = 0x0a00_0000;
const VECTORS: u64 = RAM + 0x2000;
const GUEST_CODE: u64 = RAM + 0x1000;
const BLOB_ENTRY: u64 = MONITOR_BASE + VECTOR_LOWER_AARCH64;
const BLOB_TRIPWIRE: u64 = BLOB_ENTRY + 16;

/// A guest at its first call, with a tripwire in its RAM.
fn machine(program: &[u8], guest_memory: u32) -> Machine {
    let mut note = note();
    note.guest_memory = guest_memory;
    let machine = Machine::new(
        &blob_with(note, program, &[]),
        caller(),
        &Options::default(),
    );
    machine.write_ram(GUEST_CODE, tripwire());
    machine
}

/// Puts a guest that is at its call elsewhere, so that `caller_pc` is after that.
fn call_from(machine: &mut Machine, caller_pc: Option<u64>) {
    let Some(pc) = caller_pc else { return };
    const SMC: [u8; 4] = 0xd400_0003_u32.to_le_bytes();
    let page = page_size();
    machine.add_page(pc & !(page - 1), &SMC.repeat(page as usize / SMC.len()));
    machine.cpus[0].set(PC, pc - 4);
}

/// Returns to `target` with `spsr`, for a caller that was at `caller_pc`, and expects the guest to
/// go on as `after`.
fn arrives(caller_pc: Option<u64>, target: u64, spsr: u64, after: u64) {
    for guest_memory in [GUEST_MEMORY_NONE, GUEST_MEMORY_WRITE] {
        let mut machine = machine(return_as_told(), guest_memory);
        let trap = machine.cpus[0].next_call(&[target, spsr | SPSR_IL, DEVICE]);
        call_from(&mut machine, caller_pc);
        let cpu = &mut machine.cpus[0];
        cpu.set(VBAR_EL1, VECTORS);
        let stop = cpu.serve(trap);
        assert!(stop.is_none(), "{stop:?}");
        assert_eq!(cpu.x()[0], 7);
        // A guest that goes on where it cannot may have found out already.
        let (pc, pstate) = match cpu.get(PC) {
            pc if pc & !0x7ff == VECTORS && cpu.is_carried() => (ELR_EL1, SPSR_EL1),
            _ => (PC, PSTATE),
        };
        assert_eq!(cpu.get(pc), target, "PC");
        assert_eq!(cpu.get(pstate) & !SS, after, "PSTATE");
        assert!(cpu.log.secure.is_empty(), "a tripwire has executed");
        assert!(cpu.log.holes.is_empty(), "a tripwire has executed");
    }
}

/// Returns to `target` with `spsr`, where IL is clear, and expects an exception of this class.
fn faults(target: u64, spsr: u64, class: u64) {
    for guest_memory in [GUEST_MEMORY_NONE, GUEST_MEMORY_WRITE] {
        let mut machine = machine(return_as_told(), guest_memory);
        let cpu = &mut machine.cpus[0];
        let Some(Stop::Error(fakemon_host::Error::Blob(fault))) = cpu.ask(&[target, spsr, DEVICE])
        else {
            panic!("no fault");
        };
        let FaultReason::Exception { esr, far } = fault.reason else {
            panic!("{fault}");
        };
        assert_eq!(
            (esr >> 26, far, fault.pc),
            (class, target, target),
            "{fault}"
        );
        assert_eq!(fault.x[0], 7, "{fault}");
        assert!(cpu.log.secure.is_empty(), "a tripwire has executed");
    }
}

fn the_next_instruction(caller_pc: Option<u64>) {
    let mut machine = machine(return_without_a_word(), GUEST_MEMORY_NONE);
    let trap = machine.cpus[0].next_call(&[]);
    call_from(&mut machine, caller_pc);
    let cpu = &mut machine.cpus[0];
    cpu.set(PSTATE, EL1H | NEGATIVE_CARRY);
    let pc = cpu.behind_call();
    let stop = cpu.serve(trap);
    assert!(stop.is_none(), "{stop:?}");
    assert_eq!((cpu.x()[0], cpu.get(PC)), (7, pc));
    assert_eq!(cpu.get(PSTATE), EL1H | NEGATIVE_CARRY);
}

fn the_blob_itself_without_il() {
    let mut machine = machine(return_to_itself(), GUEST_MEMORY_NONE);
    let cpu = &mut machine.cpus[0];
    let trap = cpu.next_call(&[]);
    let pc = cpu.behind_call();
    let stop = cpu.serve(trap);
    assert!(stop.is_none(), "{stop:?}");
    assert_eq!((cpu.x()[0], cpu.get(PC), cpu.get(PSTATE)), (7, pc, EL1H));
}

/// A CPU that has AArch32 at EL0 takes such a return; another one finds it illegal and stays at
/// EL1.
fn aarch32_at_el0() {
    let id_aa64pfr0_el1 = Register::new(0x6030_0000_0013_c020).expect("64 bits");
    let probe = machine(return_as_told(), GUEST_MEMORY_NONE);
    let has_it = probe.cpus[0].get(id_aa64pfr0_el1) & 0xf == 2;
    let after = if has_it { EL0_AARCH32 } else { EL1H & !0x200 };
    arrives(None, GUEST_CODE, EL0_AARCH32, after);
}

pub(crate) fn tests() -> Vec<Trial> {
    const INSTRUCTION_ABORT_LOWER: u64 = 0x20;
    const INSTRUCTION_ABORT: u64 = 0x21;
    const TTBR1_HALF: u64 = 0xffff_8000_0000_1000;
    let case = |name: &str, test: fn()| {
        Trial::test(format!("the_blob_returns_to_{name}"), move || {
            test();
            Ok(())
        })
    };
    vec![
        case("the_callers_next_instruction", || {
            the_next_instruction(None)
        }),
        case("a_caller_pc_that_is_an_address_in_the_blob", || {
            the_next_instruction(Some(BLOB_TRIPWIRE));
        }),
        case("other_guest_ram", || arrives(None, GUEST_CODE, EL1H, EL1H)),
        case("its_own_text", || arrives(None, BLOB_TRIPWIRE, EL1H, EL1H)),
        case("its_own_text_where_the_caller_was_too", || {
            arrives(Some(BLOB_TRIPWIRE), BLOB_TRIPWIRE, EL1H, EL1H);
        }),
        case("the_gate", || {
            arrives(None, vcpu_block(0) + GATE + 0x800, EL1H, EL1H)
        }),
        case("low_addresses_without_memory", || {
            arrives(None, 0x1000, EL1H, EL1H)
        }),
        case("the_high_half", || arrives(None, TTBR1_HALF, EL1H, EL1H)),
        case("a_non_canonical_address", || {
            arrives(None, 0x0123_4567_89ab_c000, EL1H, EL1H)
        }),
        case("an_unaligned_address", || {
            arrives(None, GUEST_CODE + 2, EL1H, EL1H)
        }),
        case("an_unaligned_address_in_its_text", || {
            arrives(None, BLOB_TRIPWIRE + 1, EL1H, EL1H);
        }),
        case("el1t", || arrives(None, GUEST_CODE, EL1T, EL1T)),
        case("el0t", || arrives(None, GUEST_CODE, EL0T, EL0T)),
        case("el0t_in_its_own_text", || {
            arrives(None, BLOB_TRIPWIRE, EL0T, EL0T)
        }),
        case("other_flags_and_masks", || {
            let spsr = EL1H & !0x3c0 | NEGATIVE_CARRY;
            arrives(None, GUEST_CODE, spsr, spsr);
        }),
        case("aarch32_at_el0", aarch32_at_el0),
        // An illegal return: the CPU sets PSTATE.IL by itself and stays at EL1h (Arm ARM D1.4.4).
        case("aarch32_at_el1_which_is_el1h", || {
            arrives(
                None,
                GUEST_CODE,
                SVC | NEGATIVE_CARRY,
                EL1H & !0x200 | NEGATIVE_CARRY,
            );
        }),
        case("aarch32_at_el1_without_il", || {
            let mut machine = machine(return_as_told(), GUEST_MEMORY_WRITE);
            let cpu = &mut machine.cpus[0];
            assert!(cpu.ask(&[GUEST_CODE, SVC, DEVICE]).is_none());
            assert_eq!((cpu.x()[0], cpu.get(PC)), (7, GUEST_CODE));
            assert!(cpu.log.secure.is_empty(), "a tripwire has executed");
        }),
        case("guest_ram_without_il_and_fails", || {
            faults(GUEST_CODE, EL1H, INSTRUCTION_ABORT);
        }),
        case("guest_ram_at_el0_without_il_and_fails", || {
            faults(GUEST_CODE, EL0T, INSTRUCTION_ABORT_LOWER);
        }),
        case("its_own_text_at_el0_without_il_and_fails", || {
            faults(BLOB_TRIPWIRE, EL0T, INSTRUCTION_ABORT_LOWER);
        }),
        case("itself_without_il_and_goes_on", the_blob_itself_without_il),
    ]
}
