// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Both widths, with the registers as Linux fills them.

use fakemon_abi::frame::REGS;

use super::super::tests::{BUSY, Echo, NONE, ONE, SEVEN, TABLE, TEN};
use super::*;
use crate::call::Trap;
use crate::context::Resume;
use crate::dispatch;
use crate::fake::FakePlatform;
use fakemon_abi::{Conduit, Width};

const MINUS: fn(i64) -> u64 = |code| (-code).cast_unsigned();
/// Where the list of arguments is.
const LIST: u64 = 0x8000_1000;

#[track_caller]
fn smc(convention: Convention, platform: &mut FakePlatform, given: &[u64]) -> [u64; 4] {
    let mut regs = [0xdead; REGS];
    regs[..given.len()].copy_from_slice(given);
    let before = regs;
    let trap = Trap {
        width: Width::AArch64,
        conduit: Conduit::Smc,
        immediate: 0,
    };
    let mut resume = Resume::default();
    let mut call = Call::new(&mut regs, trap, &mut resume, platform);
    dispatch::smccc(&[&Smc::new(&Echo, TABLE, convention)], &mut call);
    assert_eq!(regs[4..], before[4..]);
    [regs[0], regs[1], regs[2], regs[3]]
}

fn smc64(given: &[u64]) -> [u64; 4] {
    smc(Convention::Smc64, &mut FakePlatform::new(1), given)
}

fn smc32(given: &[u64]) -> [u64; 4] {
    smc(Convention::Smc32, &mut FakePlatform::new(1), given)
}

/// A platform with ten 64-bit words 1, 2, ... at [`LIST`].
fn platform() -> FakePlatform {
    let words: Vec<u8> = (1..=10_u64).flat_map(u64::to_le_bytes).collect();
    FakePlatform::new(1).with_memory(LIST, &words)
}

#[test]
fn linux_tells_the_width_by_is_call_avail() {
    let asked = 0x0200_0601;
    assert_eq!(smc64(&[0xc200_0601, 1, asked])[..2], [0, 1]);
    assert_eq!(smc64(&[0x8200_0601, 1, asked])[0], u64::MAX);
    assert_eq!(smc32(&[0x8200_0601, 1, asked])[..2], [0, 1]);
    assert_eq!(smc32(&[0xc200_0601, 1, asked])[0], u64::MAX);
}

#[test]
fn fast_and_yielding_calls_are_the_same() {
    for id in [0xc200_0501, 0x4200_0501] {
        assert_eq!(smc64(&[id, 1, 7, 8]), [0, 7, 0, 1]);
    }
}

#[test]
fn a_32_bit_call_has_32_bit_arguments_and_results() {
    assert_eq!(smc32(&[0x0200_0501, 1, 0x1_0000_0007]), [0, 7, 0, 1]);
    assert_eq!(
        smc32(&[0x0200_0501, 0xf_0000_0001, 7]),
        [0, 7, 0, 1],
        "x1 too"
    );
    assert_eq!(smc64(&[0x4200_0501, 1, u64::MAX]), [0, u64::MAX, 0, 1]);
}

#[test]
fn arguments_beyond_a_calls_own_are_not_seen() {
    assert_eq!(smc64(&[0x4200_0502, 0, 7]), [0; 4]);
    assert_eq!(NONE.count(), 0);
}

#[test]
fn arginfo_must_be_the_calls() {
    for arginfo in [0, 2, 0x11, 0xffff_ffff] {
        assert_eq!(smc64(&[0x4200_0501, arginfo, 7]), [MINUS(2), 0, 0, 0]);
    }
    assert_eq!(ONE.arginfo, 1);
}

#[test]
fn more_arguments_come_from_a_list() {
    let call = [0x4200_0c16, SEVEN.arginfo.into(), 21, 22, 23, LIST];
    assert_eq!(
        smc(Convention::Smc64, &mut platform(), &call),
        [0, 23, 1, 4],
        "the list begins with the fourth"
    );
    let call = [0x4200_1101, TEN.arginfo.into(), 0, 0, 0, LIST];
    assert_eq!(
        smc(Convention::Smc64, &mut platform(), &call),
        [0, 1, 7, 28]
    );
}

#[test]
fn a_32_bit_list_has_32_bit_words() {
    let call = [0x0200_0c16, SEVEN.arginfo.into(), 21, 22, 23, LIST];
    assert_eq!(
        smc(Convention::Smc32, &mut platform(), &call),
        [0, 23, 1, 0],
        "each 64-bit word of the host's is two"
    );
}

#[test]
fn a_list_out_of_memory_is_refused() {
    for list in [LIST + 0x31, LIST - 8, 0, u64::MAX] {
        let call = [0x4200_0c16, SEVEN.arginfo.into(), 21, 22, 23, list];
        assert_eq!(
            smc(Convention::Smc64, &mut platform(), &call),
            [MINUS(3), 0, 0, 0]
        );
    }
}

#[test]
fn a_calls_own_error_comes_back() {
    assert_eq!(
        smc64(&[0x4200_1102, BUSY.arginfo.into()]),
        [MINUS(5), 0, 0, 0]
    );
}

#[test]
fn unknown_calls_and_other_owners_are_refused() {
    for id in [0x4200_0503, 0x4200_0000, 0xc200_ffff, 0x7000_0001] {
        assert_eq!(smc64(&[id, 0]), [u64::MAX, 0, 0, 0], "{id:#x}");
    }
    for id in [0x4300_0501, 0xc201_0501, 0x4202_0501] {
        // The SVE hint is no part of the second.
        let there = id == 0xc201_0501;
        assert_eq!(smc64(&[id, 1])[0] == 0, there, "{id:#x}");
    }
}
