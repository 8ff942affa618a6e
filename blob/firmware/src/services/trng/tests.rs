// SPDX-License-Identifier: Apache-2.0 OR MIT
//! TRNG on plain registers: what is answered, and where the bits go.

use fakemon_abi::frame::REGS;
use fakemon_abi::status::INVALID_PARAMETERS;
use proptest::prelude::*;

use super::*;
use crate::call::Trap;
use crate::context::Resume;
use crate::error::Error;
use crate::fake::{Asked, FakePlatform};
use fakemon_abi::Conduit;

const WORDS: [u64; 4] = [
    0xffff_ffff_ffff_ff01,
    0xffff_ffff_ffff_ff02,
    0xffff_ffff_ffff_ff03,
    0xffff_ffff_ffff_ff04,
];

/// A call with `id` and one argument, to a platform that has [`WORDS`] for randomness.
fn trng(platform: &mut FakePlatform, width: Width, id: FunctionId, arg: u64) -> [u64; REGS] {
    let mut regs = [7; REGS];
    regs[0] = u64::from(id.0);
    regs[1] = arg;
    let trap = Trap {
        width,
        conduit: Conduit::Smc,
        immediate: 0,
    };
    Trng.handle(&mut Call::new(
        &mut regs,
        trap,
        &mut Resume::default(),
        platform,
    ));
    assert_eq!(regs[4..], [7; REGS - 4]);
    regs
}

fn platform() -> FakePlatform {
    FakePlatform::new(1).answering(|_| Ok(WORDS))
}

fn call(id: FunctionId, arg: u64) -> [u64; REGS] {
    trng(&mut platform(), Width::AArch64, id, arg)
}

#[test]
fn it_owns_its_five_functions() {
    for id in [VERSION, FEATURES, GET_UUID, RND, RND64] {
        assert!(Trng.owns(id), "{id:?}");
    }
    for id in [
        0x8400_004f,
        0x8400_0054,
        0xc400_0050,
        0xc400_0052,
        0x0400_0050,
        0x8200_0050,
    ] {
        assert!(!Trng.owns(FunctionId(id)), "{id:#x}");
    }
}

#[test]
fn it_is_version_1_0() {
    assert_eq!(call(VERSION, 0)[0], 0x1_0000);
    assert_eq!(
        trng(&mut platform(), Width::AArch32, VERSION, 0)[0],
        0x1_0000
    );
}

#[test]
fn features_are_its_functions() {
    for id in [VERSION, FEATURES, GET_UUID, RND, RND64] {
        assert_eq!(call(FEATURES, u64::from(id.0))[0], 0, "{id:?}");
    }
    assert_eq!(call(FEATURES, 0x8400_0054)[0], u64::MAX);
    assert_eq!(
        call(FEATURES, 0x8400_0000)[0],
        u64::MAX,
        "PSCI is none of its"
    );
    let from_aarch32 =
        |id: FunctionId| trng(&mut platform(), Width::AArch32, FEATURES, u64::from(id.0))[0];
    assert_eq!(from_aarch32(RND), 0);
    assert_eq!(
        from_aarch32(RND64),
        0xffff_ffff,
        "out of an AArch32 caller's reach"
    );
}

#[test]
fn the_uuid_is_no_error_code() {
    let regs = call(GET_UUID, 0);
    assert_eq!(regs[..4], UUID.map(u64::from));
    assert_ne!(UUID[0], u32::MAX, "as w0 this would be NOT_SUPPORTED");
}

#[test]
fn the_lowest_bits_come_in_x3() {
    assert_eq!(call(RND64, 192)[..4], [0, WORDS[2], WORDS[1], WORDS[0]]);
    assert_eq!(call(RND64, 64)[..4], [0, 0, 0, WORDS[0]]);
    assert_eq!(call(RND64, 65)[..4], [0, 0, WORDS[1] & 1, WORDS[0]]);
    assert_eq!(call(RND64, 1)[..4], [0, 0, 0, 1]);
    assert_eq!(
        call(RND64, 191)[..4],
        [0, WORDS[2] & (u64::MAX >> 1), WORDS[1], WORDS[0]]
    );
}

#[test]
fn the_32_bit_form_fills_the_low_halves() {
    let low = WORDS.map(|word| word & 0xffff_ffff);
    for width in [Width::AArch64, Width::AArch32] {
        let call = |bits| trng(&mut platform(), width, RND, bits);
        assert_eq!(call(96)[..4], [0, low[2], low[1], low[0]]);
        assert_eq!(call(32)[..4], [0, 0, 0, low[0]]);
        assert_eq!(call(33)[..4], [0, 0, low[1] & 1, low[0]]);
        assert_eq!(call(8)[..4], [0, 0, 0, 1]);
    }
}

#[test]
fn a_number_of_bits_out_of_range_is_refused() {
    let invalid = i64::from(INVALID_PARAMETERS).cast_unsigned();
    for (id, bits) in [
        (RND64, 0),
        (RND64, 193),
        (RND64, u64::MAX),
        (RND, 0),
        (RND, 97),
    ] {
        assert_eq!(call(id, bits)[..4], [invalid, 0, 0, 0], "{id:?} {bits}");
    }
    assert_eq!(
        call(RND, 0x1_0000_0020)[0],
        0,
        "a 32-bit function sees 32 bits of its argument"
    );
}

#[test]
fn it_asks_for_no_more_than_it_needs() {
    for (bits, words) in [(1, 1), (64, 1), (65, 2), (192, 3)] {
        let mut platform = platform();
        trng(&mut platform, Width::AArch64, RND64, bits);
        assert_eq!(platform.asked, [Asked::Entropy(words)], "{bits} bits");
    }
}

#[test]
fn a_host_without_entropy_means_try_again() {
    let mut platform = FakePlatform::new(1).answering(|_| Err(Error::NotSupported));
    let regs = trng(&mut platform, Width::AArch64, RND64, 64);
    assert_eq!(
        regs[..4],
        [
            i64::from(Refused::NoEntropy.code()).cast_unsigned(),
            0,
            0,
            0
        ]
    );
}

proptest! {
    #[test]
    fn no_bit_beyond_those_asked_for_is_set(bits in 1_u64..=192) {
        let [code, high, middle, low, ..] = call(RND64, bits);
        prop_assert_eq!(code, 0);
        let spare = |word: u64, below: u64| match bits.saturating_sub(below) {
            wanted @ 0..=63 => word >> wanted,
            _ => 0,
        };
        prop_assert_eq!(spare(low, 0) | spare(middle, 64) | spare(high, 128), 0);
    }
}
