// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What Linux' exynos-trng asks, in the order in which it does, and what it gets.

use fakemon_firmware::Error;
use fakemon_firmware::Width::AArch64;
use fakemon_firmware::fake::{Asked, FakePlatform, properties};

use super::*;
use crate::function::SMC_CMD_RANDOM;

include!(concat!(env!("OUT_DIR"), "/note.rs"));

const NOT_SUPPORTED: u64 = u64::MAX;
const INIT: u64 = 0;
const EXIT: u64 = 1;
const GET_DATA: u64 = 2;
const RESUME: u64 = 3;

fn platform() -> FakePlatform {
    FakePlatform::new(2).answering(|_| Ok([0x1122_3344_5566_7788, 9, 9, 9]))
}

/// Makes a call as the driver does and returns x0 to x3.
fn random(board: &Exynos850, platform: &mut FakePlatform, command: u64) -> [u64; 4] {
    let after = platform.smc(board, AArch64, &[SMC_CMD_RANDOM.0.into(), command]);
    [after[0], after[1], after[2], after[3]]
}

#[test]
fn linux_starts_the_generator_and_draws_64_bits_in_two_halves() {
    let (board, mut platform) = (Exynos850::NEW, platform());
    assert_eq!(random(&board, &mut platform, INIT), [0, INIT, 0, 0]);
    assert_eq!(platform.asked, [], "no entropy is spent yet");
    assert_eq!(
        random(&board, &mut platform, GET_DATA),
        [0, GET_DATA, 0x5566_7788, 0x1122_3344]
    );
    assert_eq!(platform.asked, [Asked::Entropy(1)]);
}

#[test]
fn nothing_is_drawn_before_init_or_after_exit() {
    let (board, mut platform) = (Exynos850::NEW, platform());
    assert_eq!(random(&board, &mut platform, GET_DATA), [1, GET_DATA, 0, 0]);
    random(&board, &mut platform, INIT);
    assert_eq!(random(&board, &mut platform, EXIT)[0], 0);
    assert_eq!(random(&board, &mut platform, GET_DATA), [1, GET_DATA, 0, 0]);
    assert_eq!(platform.asked, []);
}

#[test]
fn linux_sleeps_and_draws_again() {
    let (board, mut platform) = (Exynos850::NEW, platform());
    for command in [INIT, EXIT, RESUME] {
        assert_eq!(random(&board, &mut platform, command)[0], 0);
    }
    assert_eq!(
        random(&board, &mut platform, GET_DATA)[0],
        1,
        "INIT is still to come"
    );
    assert_eq!(random(&board, &mut platform, INIT)[0], 0);
    assert_eq!(random(&board, &mut platform, GET_DATA)[0], 0);
}

#[test]
fn linux_sleeps_without_having_used_the_generator() {
    let (board, mut platform) = (Exynos850::NEW, platform());
    assert_eq!(random(&board, &mut platform, EXIT)[0], 0);
    assert_eq!(random(&board, &mut platform, RESUME)[0], 0);
}

#[test]
fn a_host_without_entropy_makes_linux_try_again() {
    let board = Exynos850::NEW;
    random(&board, &mut platform(), INIT);
    let mut dry = FakePlatform::new(2).answering(|_| Err(Error::InternalFailure));
    assert_eq!(random(&board, &mut dry, GET_DATA), [2, GET_DATA, 0, 0]);
    assert_eq!(
        random(&board, &mut platform(), GET_DATA)[0],
        0,
        "it still runs"
    );
}

#[test]
fn another_command_is_an_error_and_changes_nothing() {
    let (board, mut platform) = (Exynos850::NEW, platform());
    random(&board, &mut platform, INIT);
    for command in [4, 0xffff_ffff] {
        assert_eq!(random(&board, &mut platform, command)[0], 3);
    }
    assert_eq!(
        random(&board, &mut platform, 0x1_0000_0000 | GET_DATA)[0],
        0,
        "w1 counts"
    );
}

#[test]
fn linux_finds_psci_1_1() {
    let board = Exynos850::NEW;
    let version = platform().smc(&board, AArch64, &[0x8400_0000])[0];
    assert_eq!(version, 0x1_0001);
}

#[test]
fn other_functions_are_not_supported() {
    for id in [
        0x8200_1000,
        0x8200_1011,
        0x8200_1013,
        0x8200_10ff,
        0xc200_1012,
        0x0200_1012,
        0x8400_0050,
    ] {
        let (board, mut platform) = (Exynos850::NEW, platform());
        let after = platform.smc(&board, AArch64, &[id, 2, 3, 4]);
        assert_eq!(after[..4], [NOT_SUPPORTED, 2, 3, 4], "{id:#x}");
        assert_eq!(platform.asked, []);
    }
}

#[test]
fn any_calls_do_no_harm() {
    properties::check::<Exynos850>(&NOTE, AArch64, &[]);
}
