// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A blob that does the gate's work itself, or spoils what the gate needs, is caught as well.
//!
//! The frame is the blob's to write, and it can touch the doorbell as the gate does. So it can
//! claim to have returned in a way that no CPU allows, and the shim has to look at everything that
//! it takes from there. Gate and tables are not the blob's to write, even without the MMU that says
//! so.

use std::mem::offset_of;

use fakemon_abi::frame::{Frame, SPSR_IL};
use fakemon_abi::layout::{
    FRAME, GATE, MONITOR_BASE, TABLES_BASE, VCPU_STRIDE, VECTOR_LOWER_AARCH64, vcpu_block,
};
use fakemon_abi::note::GUEST_MEMORY_READ;
use fakemon_host::regs::PC;
use fakemon_host::{FaultReason, Limit, OnFault};
use fakemon_tests::elf::{RODATA, blob, blob_with, note};
use fakemon_tests::machine::{Machine, Options, RAM};
use fakemon_tests::program::caller;
use fakemon_tests::{program, trials};
use libtest_mimic::Trial;

use super::{LIMIT, fault, machine, machine_with, no_write, works};

// Claims to have returned: x4 is the SPSR, x5 the vector that the gate was entered by.
misbehaves!(
    forge,
    "mrs x10, tpidr_el1",
    "str x4, [x10, #{SPSR}]",
    "str x5, [x10, #{TAKEN}]",
    "sub x10, x10, #{FRAME}",
    "ldr wzr, [x10]",
    "udf #0";
    SPSR = offset_of!(Frame, spsr),
    TAKEN = offset_of!(Frame, taken),
    FRAME = FRAME
);

// Claims to have returned again and again, with the SPSR of its first vCPU's frame as that is; its second
// vCPU goes on changing that between x4 and x5 until the first one is told to end it (x1 = 2).
program!(
    forge_and_change,
    "movz x9, #0x7f, lsl #32",
    "movk x9, #0x2000",
    "cmp x1, #2",
    "b.hs 3f",
    "mrs x10, tpidr_el1",
    "cbnz x1, 1f",
    "sub x10, x10, #{FRAME}",
    "ldr wzr, [x10]",
    "udf #0",
    "1: mov x11, #{STRIDE}",
    "sub x10, x10, x11",
    "mov x12, #0x200",
    "str x12, [x10, #{TAKEN}]",
    "2: str x4, [x10, #{SPSR}]",
    "str x5, [x10, #{SPSR}]",
    "ldr x11, [x9]",
    "cbz x11, 2b",
    "eret",
    "3: str x1, [x9]",
    "eret";
    SPSR = offset_of!(Frame, spsr),
    TAKEN = offset_of!(Frame, taken),
    STRIDE = VCPU_STRIDE,
    FRAME = FRAME
);

// Makes data and descriptors big-endian for itself and the gate.
misbehaves!(
    turn_around,
    "mrs x10, sctlr_el1",
    "orr x10, x10, #(1 << 25)",
    "msr sctlr_el1, x10",
    "isb",
    "eret",
);

/// Where the test puts [`after_the_mmu`]: at this address the blob finds it without its MMU as well.
const VECTORS: u64 = RAM + 0x8000;
/// Offset of an exception at the blob's own level in a vector table.
const CURRENT_EL: u64 = 0x200;

// Finds out where the address in x4 is in stage 2, and switches its MMU off. Where its next instruction
// should be is nothing then, and so the abort takes it to guest memory. The tables are not mapped, but
// TTBR0_EL1 has their address.
misbehaves!(
    without_mmu,
    "at s1e1r, x4",
    "isb",
    "mrs x5, par_el1",
    "tbz x5, #0, 1f",
    "mrs x5, ttbr0_el1",
    "1: and x5, x5, #0xfffffffff000",
    "bfxil x5, x4, #0, #12",
    "ldr x10, ={VECTORS}",
    "msr vbar_el1, x10",
    "mrs x10, sctlr_el1",
    "bic x10, x10, #1",
    "msr sctlr_el1, x10",
    "isb",
    "udf #0",
    ".ltorg";
    VECTORS = VECTORS
);

// Stores to where x5 says.
program!(after_the_mmu, "str x9, [x5]", "b .",);

fn reason(program: &[u8], inputs: &[u64]) -> FaultReason {
    let mut reasons = Vec::new();
    for on_fault in [OnFault::Fatal, OnFault::NotSupported] {
        let mut machine = machine(program, on_fault, Some(Limit::CpuTime));
        let cpu = &mut machine.cpus[0];
        let fault = fault(cpu, on_fault, inputs);
        works(cpu);
        reasons.push(fault.reason);
    }
    assert_eq!(reasons[0], reasons[1]);
    reasons.remove(0)
}

fn a_forged_return_to_a_mode_that_no_caller_has_is_reported() {
    // EL2t, EL2h, EL3h, Hyp, Monitor, a mode that nobody defined, and Supervisor: not below an
    // AArch64 kernel.
    for mode in [0x8, 0x9, 0xd, 0x1a, 0x16, 0x2, 0x13] {
        let forged = mode | SPSR_IL | u64::MAX << 32;
        match reason(forge(), &[1, 40, 2, forged, 0x200]) {
            FaultReason::BadReturn { spsr, problem } => {
                assert_eq!((spsr, problem), (forged, "the caller has no such mode"));
            }
            other => panic!("mode {mode:#x}: {other}"),
        }
    }
}

/// What has been looked at is what the caller gets, whatever another CPU of the blob writes meanwhile.
fn a_forged_return_that_changes_under_the_eyes_of_the_host_is_the_blobs_fault() {
    const GOOD: u64 = SPSR_IL | 0x3c4;
    const BAD: u64 = SPSR_IL | 0x3c8;
    let mut options = Options {
        cpus: 2,
        ..Options::default()
    };
    options.config.on_fault = OnFault::NotSupported;
    let mut machine = Machine::new(&blob(forge_and_change()), caller(), &options);
    let [first, second] = &mut machine.cpus[..] else {
        panic!("two CPUs")
    };
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(second.ask(&[1, 0, 0, GOOD, BAD]).is_none()));
        // Also when the first CPU's calls fail, or nobody would end the other thread. They can return to
        // anywhere: the blob's next call begins after the last one's return, in what fails there.
        let start = first.get(PC);
        let mut ask = |inputs: &[u64]| {
            first.set(PC, start);
            first.ask(inputs)
        };
        let asked: Vec<_> = (0..500).map(|_| ask(&[0])).collect();
        let ended = ask(&[2]);
        assert!(ended.is_none(), "{ended:?}");
        for stop in asked {
            assert!(stop.is_none(), "{stop:?}");
        }
    });
    for fault in &machine.cpus[0].log.faults {
        // The blob goes on after a return that was taken for one, and the frame can also be as the gate
        // has left it.
        let blobs = matches!(
            fault.reason,
            FaultReason::BadReturn { .. } | FaultReason::Vector(_) | FaultReason::Exception { .. }
        );
        assert!(blobs, "{fault}");
    }
}

fn a_forged_return_without_il_is_reported() {
    let reason = reason(forge(), &[1, 40, 2, 0x3c5, 0x200]);
    assert!(matches!(reason, FaultReason::Exception { .. }), "{reason}");
}

fn a_forged_interrupt_is_reported() {
    for vector in [0x80, 0x180, 0x280, 0x780, 0x201, u64::MAX] {
        let reason = reason(forge(), &[1, 40, 2, SPSR_IL | 0x3c5, vector]);
        assert_eq!(reason, FaultReason::Vector(vector));
    }
}

fn a_blob_that_changes_its_byte_order_is_reported() {
    // A CPU that still has the translations cached runs the gate, which fills the frame with
    // nonsense.
    let reason = reason(turn_around(), &[1, 40, 2]);
    let expected = FaultReason::Timeout(Limit::CpuTime, LIMIT);
    assert!(
        reason == expected || matches!(reason, FaultReason::Exception { .. }),
        "{reason}"
    );
}

fn a_blob_without_mmu_cannot_write_what_the_next_call_needs() {
    let mut note = note();
    note.guest_memory = GUEST_MEMORY_READ;
    let blob = blob_with(note, without_mmu(), &[]);
    for address in [
        MONITOR_BASE + VECTOR_LOWER_AARCH64,
        RODATA,
        TABLES_BASE,
        vcpu_block(0) + GATE,
    ] {
        for on_fault in [OnFault::Fatal, OnFault::NotSupported] {
            let mut machine = machine_with(&blob, on_fault, Some(Limit::CpuTime));
            machine.write_ram(VECTORS + CURRENT_EL, after_the_mmu());
            let cpu = &mut machine.cpus[0];
            let fault = fault(cpu, on_fault, &[1, 40, 2, address]);
            assert_eq!(fault.reason, no_write(address), "{fault}");
            works(cpu);
        }
    }
}

pub(super) fn tests() -> Vec<Trial> {
    trials![
        a_forged_return_to_a_mode_that_no_caller_has_is_reported,
        a_forged_return_that_changes_under_the_eyes_of_the_host_is_the_blobs_fault,
        a_forged_return_without_il_is_reported,
        a_forged_interrupt_is_reported,
        a_blob_that_changes_its_byte_order_is_reported,
        a_blob_without_mmu_cannot_write_what_the_next_call_needs,
    ]
}
