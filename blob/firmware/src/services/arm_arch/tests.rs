// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls that kernels make, and what the platform knows of the CPU.

use fakemon_abi::frame::REGS;

use super::*;
use crate::call::Trap;
use crate::context::Resume;
use crate::error::Error;
use crate::fake::{Asked, FakePlatform};
use fakemon_abi::{Conduit, Width};

const PV_TIME: FunctionId = FunctionId(0xc500_0020);
/// NVIDIA's T241: identity code 0x6b after three continuation codes.
const T241: ArmArch = ArmArch::new().with_soc(SocId::new(3, 0x6b, 0x0241, 0x102));
const NOWHERE: ArmArch = ArmArch::new().with_features(&[PV_TIME]);

/// Calls `id` with one argument; nothing but x0 changes.
fn ask(service: &ArmArch, platform: &mut FakePlatform, width: Width, id: u32, arg: u64) -> u64 {
    let mut regs = [7; REGS];
    regs[0] = u64::from(id);
    regs[1] = arg;
    let trap = Trap {
        width,
        conduit: Conduit::Smc,
        immediate: 0,
    };
    let mut resume = Resume::default();
    service.handle(&mut Call::new(&mut regs, trap, &mut resume, platform));
    assert_eq!(regs[1], arg);
    assert_eq!(regs[2..], [7; REGS - 2]);
    regs[0]
}

/// The same with a platform that is not to be asked, in the 64-bit view of the answer.
#[track_caller]
fn answers(service: &ArmArch, id: u32, arg: u64) -> i64 {
    let mut platform = FakePlatform::new(1);
    let wide = ask(service, &mut platform, Width::AArch64, id, arg);
    let narrow = ask(service, &mut platform, Width::AArch32, id, arg);
    assert_eq!(wide & 0xffff_ffff, narrow, "an AArch32 caller sees r0");
    assert!(platform.asked.is_empty());
    wide.cast_signed()
}

#[test]
fn it_owns_all_of_arms_fast_calls() {
    for id in [0x8000_0000, 0x8000_0002, 0xc000_0002, 0x8000_ffff] {
        assert!(NOWHERE.owns(FunctionId(id)), "{id:#x}");
    }
    for id in [0, 0x4000_0000, 0x8100_0000, 0x8400_0000, 0x8002_0000] {
        assert!(!NOWHERE.owns(FunctionId(id)), "{id:#x}");
    }
}

#[test]
fn the_kernel_finds_version_1_2_and_the_socs_identity() {
    assert_eq!(answers(&T241, 0x8000_0000, 0), 0x1_0002);
    assert_eq!(answers(&T241, 0x8000_0001, 0x8000_0002), 0);
    assert_eq!(answers(&T241, 0x8000_0002, 0), 0x036b_0241);
    assert_eq!(answers(&T241, 0x8000_0002, 1), 0x102);
    assert_eq!(answers(&T241, 0x8000_0002, 1 << 32), 0x036b_0241, "32 bits");
}

#[test]
fn there_is_no_name_nor_anything_else_to_ask_of_the_soc() {
    for kind in [2, 3, 0xffff_ffff] {
        assert_eq!(answers(&T241, 0x8000_0002, kind), -3, "{kind}");
    }
    assert_eq!(answers(&T241, 0xc000_0002, 2), -1);
    assert_eq!(answers(&T241, 0x8000_0001, 0xc000_0002), -1);
}

#[test]
fn a_soc_without_identity_is_not_supported() {
    assert_eq!(answers(&NOWHERE, 0x8000_0000, 0), 0x1_0002);
    assert_eq!(answers(&NOWHERE, 0x8000_0001, 0x8000_0002), -1);
    for kind in 0..3 {
        assert_eq!(answers(&NOWHERE, 0x8000_0002, kind), -1);
    }
}

#[test]
fn features_are_the_functions_that_are_there() {
    assert_eq!(answers(&NOWHERE, 0x8000_0001, 0x8000_0000), 0);
    assert_eq!(answers(&NOWHERE, 0x8000_0001, 0x8000_0001), 0);
    assert_eq!(answers(&NOWHERE, 0x8000_0001, PV_TIME.0.into()), 0);
    assert_eq!(answers(&T241, 0x8000_0001, PV_TIME.0.into()), -1);
    for id in [0x8000_0003, 0x8000_0004, 0xc000_0003, 0x8400_0000, 0] {
        assert_eq!(answers(&NOWHERE, 0x8000_0001, id), -1, "{id:#x}");
    }
}

#[test]
fn what_is_said_of_a_workaround_is_the_hosts_word() {
    for function in WORKAROUNDS {
        let id = function.0;
        for (word, seen) in [
            (Ok(0), 0),
            (Ok(1), 1),
            (Ok(-2), -2),
            (Err(Error::NotSupported), -1),
        ] {
            let word = word.map(|code: i64| [code.cast_unsigned(), 0, 0, 0]);
            let mut platform = FakePlatform::new(1).answering(move |_| word);
            let answer = ask(&T241, &mut platform, Width::AArch64, 0x8000_0001, id.into());
            assert_eq!(answer.cast_signed(), seen, "{id:#x}");
            assert_eq!(platform.asked, [Asked::Workaround(function)]);
        }
    }
}

#[test]
fn a_host_that_fails_promises_no_workaround() {
    let mut platform = FakePlatform::new(1).answering(|_| Err(Error::InternalFailure));
    let answer = ask(
        &T241,
        &mut platform,
        Width::AArch64,
        0x8000_0001,
        0x8000_8000,
    );
    assert_eq!(answer, u64::MAX);
}

#[test]
fn workarounds_themselves_are_not_served() {
    for id in WORKAROUNDS.map(|function| function.0) {
        assert_eq!(answers(&T241, id, 0), -1, "{id:#x}");
    }
}
