// SPDX-License-Identifier: Apache-2.0 OR MIT
//! PSCI 0.1 on plain registers: the board's IDs, 1.1's checks, 0.1's codes.

use fakemon_abi::frame::REGS;
use fakemon_abi::status::{DENIED, INVALID_PARAMETERS, NOT_SUPPORTED, SUCCESS};

use super::*;
use crate::call::Trap;
use crate::context::Resume;
use crate::error::Error;
use crate::fake::{Asked, FakePlatform};
use fakemon_abi::{Conduit, Width};

/// The IDs of a board that cannot suspend.
const PSCI: PsciV0_1 = PsciV0_1 {
    cpu_suspend: None,
    cpu_off: Some(FunctionId(0x8400_0002)),
    cpu_on: Some(FunctionId(0x9500_c001)),
    machine_level: None,
};

fn call(platform: &mut FakePlatform, psci: &PsciV0_1, regs: [u64; 4]) -> i32 {
    let mut x = [9; REGS];
    x[..4].copy_from_slice(&regs);
    let trap = Trap {
        width: Width::AArch32,
        conduit: Conduit::Smc,
        immediate: 0,
    };
    psci.handle(&mut Call::new(
        &mut x,
        trap,
        &mut Resume::default(),
        platform,
    ));
    assert_eq!(x[1..4], regs[1..]);
    assert_eq!(x[4..], [9; REGS - 4]);
    u32::try_from(x[0])
        .expect("an AArch32 caller's register has 32 bits")
        .cast_signed()
}

#[test]
fn it_owns_the_boards_own_ids_alone() {
    assert!(PSCI.owns(FunctionId(0x8400_0002)) && PSCI.owns(FunctionId(0x9500_c001)));
    for id in [0x8400_0000, 0x8400_0001, 0x8400_0003, 0, 0x9500_c002] {
        assert!(!PSCI.owns(FunctionId(id)), "{id:#x}");
    }
}

#[test]
fn cpu_on_starts_a_cpu() {
    let mut platform = FakePlatform::new(4);
    assert_eq!(
        call(&mut platform, &PSCI, [0x9500_c001, 1, 0x8000, 5]),
        SUCCESS
    );
    assert_eq!(platform.asked, [Asked::CpuOn(1, 0x8000, 5)]);
}

#[test]
fn codes_that_0_1_does_not_have_are_invalid_parameters() {
    for (code, seen) in [
        (Error::AlreadyOn, INVALID_PARAMETERS),
        (Error::InternalFailure, INVALID_PARAMETERS),
        (Error::Denied, DENIED),
        (Error::NotSupported, NOT_SUPPORTED),
    ] {
        let mut platform = FakePlatform::new(4).answering(move |_| Err(code));
        assert_eq!(
            call(&mut platform, &PSCI, [0x9500_c001, 1, 0x8000, 5]),
            seen
        );
    }
    let entry = 0x8002;
    assert_eq!(
        call(&mut FakePlatform::new(4), &PSCI, [0x9500_c001, 1, entry, 5]),
        INVALID_PARAMETERS
    );
}

#[test]
fn cpu_off_that_comes_back_is_denied() {
    let mut platform = FakePlatform::new(4);
    assert_eq!(call(&mut platform, &PSCI, [0x8400_0002, 0, 0, 0]), DENIED);
    assert_eq!(platform.asked, [Asked::CpuOff]);
}

#[test]
fn cpu_suspend_waits_and_resumes() {
    let psci = PsciV0_1 {
        cpu_suspend: Some(FunctionId(0x8400_0010)),
        ..PSCI
    };
    let mut platform = FakePlatform::new(4);
    // What Linux' mach-highbank says: power down, affinity level 1.
    call(&mut platform, &psci, [0x8400_0010, 0x0101_0000, 0x8001, 5]);
    assert_eq!(
        platform.asked,
        [Asked::WaitForInterrupt, Asked::CpuResume(0x8001, 5)]
    );
}

#[test]
fn a_power_down_of_the_highest_level_suspends_the_machine() {
    let cpu_suspend = Some(FunctionId(0x8400_0010));
    let psci = PsciV0_1 {
        cpu_suspend,
        machine_level: Some(1),
        ..PSCI
    };
    let suspend = Asked::SystemSuspend(0x8001, 5);
    let wait = Asked::WaitForInterrupt;
    for (state, first) in [
        (0x0101_0000, suspend),
        (0x0201_0000, suspend),
        (0x0001_0000, wait),
        (0x0100_0000, wait),
    ] {
        let mut platform = FakePlatform::new(4);
        call(&mut platform, &psci, [0x8400_0010, state, 0x8001, 5]);
        assert_eq!(platform.asked[0], first, "{state:#x}");
    }
}

#[test]
fn a_function_without_id_is_not_supported() {
    let mut platform = FakePlatform::new(4);
    assert_eq!(
        call(&mut platform, &PSCI, [0x8400_0010, 0, 0, 0]),
        NOT_SUPPORTED
    );
    assert_eq!(platform.asked, []);
}
