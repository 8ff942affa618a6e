// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls that carry everything in registers.

use super::*;

const UNKNOWN: u64 = 0xffff_ffff;

#[track_caller]
fn answers(id: u32, args: [u64; 3], expected: [u64; 4]) {
    assert_eq!(Caller::new().smc(id, args), expected, "{id:#x}");
}

#[test]
fn it_is_op_tee_with_the_revision_of_the_board() {
    let uid = [0x384f_b3e0, 0xe7f8_11e3, 0xaf63_0002, 0xa5d5_c51b];
    answers(0xbf00_ff01, [7; 3], uid);
    answers(0xbf00_ff03, [7; 3], [2, 0, 7, 7]);
    answers(0xbf00_ff00, [7; 3], [9, 7, 7, 7]);
    let uuid = [0x4861_78e0, 0xe7f8_11e3, 0xbc5e_0002, 0xa5d5_c51b];
    answers(0xb200_0000, [7; 3], uuid);
    answers(0xb200_0001, [7; 3], [4, 2, 0, 7]);
}

#[test]
fn it_has_a_pool_and_takes_null() {
    answers(0xb200_0007, [7; 3], [0, POOL, POOL_SIZE as u64, 1]);
    answers(0xb200_0009, [0, 7, 7], [0, 0x11, 0, 0]);
    answers(0xb200_0009, [1, 7, 7], [0, 0x11, 0, 0]);
}

#[test]
fn a_caller_with_unknown_capabilities_is_refused() {
    answers(0xb200_0009, [2, 7, 7], [7, 0x11, 7, 7]);
}

#[test]
fn the_cache_of_shared_memory_is_empty() {
    answers(0xb200_000b, [7; 3], [0, 7, 7, 7]);
    answers(0xb200_000a, [7; 3], [7, 7, 7, 7]);
}

#[test]
fn calls_that_are_being_served_hold_threads_and_the_cache() {
    let mut caller = Caller::new();
    caller.os.state.with(|state| state.busy = 1);
    assert_eq!(caller.smc(0xb200_000b, [7; 3])[0], 2, "busy");
    assert_eq!(caller.smc(0xb200_000a, [7; 3])[0], 2, "busy");
    caller.open(Random::UUID);
    caller.os.state.with(|state| state.busy = 2);
    assert_eq!(caller.call_at(MESSAGE), 1, "no thread is free");
    caller.os.state.with(|state| {
        assert_eq!(state.busy, 2);
        state.busy = 0;
    });
    caller.open(Random::UUID);
    assert_eq!(caller.os.state.with(|state| state.busy), 0);
}

#[test]
fn it_says_how_many_threads_it_has() {
    answers(0xb200_000f, [7; 3], [0, 2, 7, 7]);
}

#[test]
fn it_has_no_notifications() {
    answers(0xb200_0010, [7; 3], [7, 7, 7, 7]);
    answers(0xb200_0011, [7; 3], [7, 7, 7, 7]);
}

#[test]
fn nothing_can_be_resumed() {
    answers(0x3200_0003, [7; 3], [3, 7, 7, 7]);
}

#[test]
fn other_functions_are_unknown_in_32_bits() {
    for id in [
        0xb200_0002,
        0xb200_0003,
        0xb200_0008,
        0xb200_000d,
        0xb200_0012,
        0xb200_ffff,
        0xbf00_0002,
        0xbf00_ff02,
        0x3200_0000,
        0x3200_0005,
        0x3200_0012,
        0x3200_0013,
        0x3f00_ff01,
    ] {
        answers(id, [7; 3], [UNKNOWN, 7, 7, 7]);
    }
}

#[test]
fn it_owns_two_owners_in_the_32_bit_convention() {
    let os = Caller::new().os;
    for id in [0xb200_0000, 0x3200_0004, 0xbf00_ff01] {
        assert!(os.owns(FunctionId(id)), "{id:#x}");
    }
    for id in [
        0xf200_0000,
        0xb100_0000,
        0xb300_0000,
        0xbe00_ff01,
        0x8400_0000,
    ] {
        assert!(!os.owns(FunctionId(id)), "{id:#x}");
    }
}
