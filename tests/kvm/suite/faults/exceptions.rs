// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An instruction that a blob must not execute, or an address that is not its own, is reported for
//! what it is.

use fakemon_abi::layout::{DOORBELL, GATE, MONITOR_BASE, TABLES_BASE, VCPU_STRIDE, vcpu_block};
use fakemon_host::FaultReason;
use fakemon_tests::elf::{DATA, FUNCTION, RODATA};
use libtest_mimic::Trial;

use super::{BODY, Case, Reason, no_write};

misbehaves!(undefined, "udf #0");
misbehaves!(floating_point, "fmov d0, x9");
misbehaves!(breakpoint, "brk #1");
misbehaves!(supervisor_call, "svc #0");
misbehaves!(secure_monitor_call, "smc #0");
misbehaves!(hypervisor_call, "hvc #0");
misbehaves!(
    power_off,
    "movz x0, #0x8400, lsl #16",
    "movk x0, #8",
    "smc #0"
);
misbehaves!(load, "ldr x11, [x4]");
misbehaves!(store, "str x9, [x4]");
misbehaves!(load_pair, "ldp x11, x12, [x4]");
misbehaves!(jump, "br x4");
misbehaves!(stack_overflow, "2: str x9, [sp, #-16]!", "b 2b");

fn no_read(address: u64) -> Reason {
    Reason::Exactly(FaultReason::Exit(format!(
        "read of {address:#x}, where nothing is"
    )))
}

/// KVM cannot describe such an access to the VMM, and gives up.
fn no_syndrome() -> Reason {
    let error = std::io::Error::from_raw_os_error(libc::ENOSYS);
    Reason::Exactly(FaultReason::Exit(error.to_string()))
}

fn cases() -> Vec<Case> {
    use Reason::{Exactly, Exception};
    const ABORT_ON_FETCH: u64 = 0x21;
    const ABORT_ON_DATA: u64 = 0x25;
    const UNMAPPED: u64 = MONITOR_BASE + 0x40_0000;
    const STACK: u64 = vcpu_block(0) + VCPU_STRIDE - 0x1000;
    const HIGH_HALF: u64 = 0xffff_ffff_ffff_f000;
    const OWN_DOORBELL: u64 = vcpu_block(0) + DOORBELL;
    const OTHER_DOORBELL: u64 = vcpu_block(1) + DOORBELL;
    let case = |name, program, argument, reason, pc| Case {
        name,
        program,
        argument,
        reason,
        pc: Some(pc),
    };
    let nested = |function| Exactly(FaultReason::NestedCall(function));
    let loads = |name, at| case(name, load, at, Exception(ABORT_ON_DATA, Some(at)), BODY);
    let stores = |name, at| case(name, store, at, Exception(ABORT_ON_DATA, Some(at)), BODY);
    let jumps = |name, at, class| case(name, jump, at, Exception(class, Some(at)), at);
    vec![
        case(
            "executes_an_undefined_instruction",
            undefined,
            0,
            Exception(0x00, None),
            BODY,
        ),
        case(
            "uses_fp_registers",
            floating_point,
            0,
            Exception(0x07, None),
            BODY,
        ),
        case("executes_brk", breakpoint, 0, Exception(0x3c, None), BODY),
        case(
            "executes_svc",
            supervisor_call,
            0,
            Exception(0x15, None),
            BODY + 4,
        ),
        case(
            "makes_an_smc",
            secure_monitor_call,
            0,
            nested(FUNCTION),
            BODY + 4,
        ),
        case(
            "makes_an_hvc",
            hypervisor_call,
            0,
            nested(FUNCTION),
            BODY + 4,
        ),
        case(
            "calls_psci_system_off",
            power_off,
            0,
            nested(0x8400_0008),
            BODY + 12,
        ),
        case(
            "loads_a_pair_of_registers_from_a_device",
            load_pair,
            0x0a00_0000,
            no_syndrome(),
            BODY,
        ),
        loads("loads_from_an_unmapped_page", UNMAPPED),
        loads("loads_from_its_translation_tables", TABLES_BASE),
        loads("loads_from_the_high_half", HIGH_HALF),
        stores("stores_to_its_text", BODY),
        stores("stores_to_its_constants", RODATA + 8),
        stores("stores_to_the_gate", vcpu_block(0) + GATE),
        stores("stores_to_the_guard_page", STACK - 8),
        case(
            "overflows_its_stack",
            stack_overflow,
            0,
            Exception(ABORT_ON_DATA, Some(STACK - 16)),
            BODY,
        ),
        jumps("jumps_to_its_data", DATA, ABORT_ON_FETCH),
        jumps("jumps_to_its_constants", RODATA, ABORT_ON_FETCH),
        jumps("jumps_to_its_stack", STACK, ABORT_ON_FETCH),
        jumps("jumps_to_null", 0, ABORT_ON_FETCH),
        jumps("jumps_to_the_high_half", HIGH_HALF, ABORT_ON_FETCH),
        jumps("jumps_to_an_unaligned_address", BODY + 2, 0x22),
        case(
            "loads_from_another_cpus_doorbell",
            load,
            OTHER_DOORBELL,
            no_read(OTHER_DOORBELL),
            BODY,
        ),
        case(
            "stores_to_another_cpus_doorbell",
            store,
            OTHER_DOORBELL,
            Exactly(no_write(OTHER_DOORBELL)),
            BODY,
        ),
        case(
            "stores_to_its_doorbell",
            store,
            OWN_DOORBELL,
            Exactly(no_write(OWN_DOORBELL)),
            BODY,
        ),
        case(
            "loads_from_a_doorbell_register_that_is_none",
            load,
            OWN_DOORBELL + 16,
            no_read(OWN_DOORBELL + 16),
            BODY,
        ),
    ]
}

pub(super) fn tests() -> Vec<Trial> {
    super::trials(cases())
}
