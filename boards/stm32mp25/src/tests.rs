// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What Linux asks of this board, in the order in which it does, and what it gets.

use std::path::Path;

use fakemon_firmware::Width::AArch64;
use fakemon_firmware::fake::{Asked, FakePlatform, properties};
use fakemon_firmware::{Error, FunctionId};
use fakemon_manifest::{Board as Manifest, PageKind};

use super::*;

include!(concat!(env!("OUT_DIR"), "/note.rs"));

const POOL: u64 = 0x83e0_0000;
const CALL_WITH_ARG: u64 = function::OPTEE_CALL_WITH_ARG.0 as u64;
const SECOND: u64 = 1_000_000_000;
const UNKNOWN_FUNCTION: u64 = 0xffff_ffff;
const NOT_SUPPORTED: u64 = u64::MAX;

/// The bytes of a message.
fn message(words: [u32; 8], params: &[[u64; 4]]) -> Vec<u8> {
    let words = words.into_iter().flat_map(u32::to_le_bytes);
    let params = params.iter().flatten();
    words
        .chain(params.flat_map(|word| word.to_le_bytes()))
        .collect()
}

#[test]
fn linux_finds_op_tee() {
    use function::*;
    let (board, mut platform) = (Stm32mp25::NEW, FakePlatform::new(2));
    let mut smc = |id: FunctionId| platform.smc(&board, AArch64, &[id.0.into()]);
    let uid = [0x384f_b3e0, 0xe7f8_11e3, 0xaf63_0002, 0xa5d5_c51b];
    assert_eq!(smc(OPTEE_CALLS_UID)[..4], uid);
    assert_eq!(smc(OPTEE_GET_OS_REVISION)[..3], [4, 0, 0]);
    assert_eq!(smc(OPTEE_CALLS_REVISION)[..2], [2, 0]);
    assert_eq!(smc(OPTEE_GET_THREAD_COUNT)[..2], [0, 5]);
    assert_eq!(smc(OPTEE_EXCHANGE_CAPABILITIES)[..4], [0, 0x11, 0, 0]);
    assert_eq!(smc(OPTEE_GET_SHM_CONFIG)[..4], [0, POOL, 0x20_0000, 1]);
    assert_eq!(smc(OPTEE_DISABLE_SHM_CACHE)[0], 7);
    assert_eq!(smc(OPTEE_ENABLE_SHM_CACHE)[0], 0);
}

#[test]
fn every_function_that_is_named_is_served() {
    use function::*;
    let named = [
        OPTEE_CALLS_COUNT,
        OPTEE_CALLS_UID,
        OPTEE_CALLS_REVISION,
        OPTEE_GET_OS_UUID,
        OPTEE_GET_OS_REVISION,
        OPTEE_GET_SHM_CONFIG,
        OPTEE_EXCHANGE_CAPABILITIES,
        OPTEE_DISABLE_SHM_CACHE,
        OPTEE_ENABLE_SHM_CACHE,
        OPTEE_GET_THREAD_COUNT,
        OPTEE_ENABLE_ASYNC_NOTIF,
        OPTEE_GET_ASYNC_NOTIF_VALUE,
        OPTEE_CALL_WITH_ARG,
        OPTEE_RETURN_FROM_RPC,
    ];
    let board = Stm32mp25::NEW;
    for id in named {
        let result = FakePlatform::new(1).smc(&board, AArch64, &[id.0.into()])[0];
        let refused = [UNKNOWN_FUNCTION, NOT_SUPPORTED];
        assert!(!refused.contains(&result), "{:#x}", id.0);
    }
}

#[test]
fn linux_draws_random_numbers() {
    let [high, low] = [0, 8].map(|at| {
        let half = Random::UUID[at..at + 8].try_into().expect("8 bytes");
        u64::from_le_bytes(half)
    });
    let meta = [[0x101, high, low, 0], [0x101, 0, 0, 0]];
    let open = message([0, 0, 0, 0, 0, 0, 0, 2], &meta);
    let buffer = [11, POOL + 0x1000, 16, 1];
    let draw = message([1, 0, 1, 0, 0, 0, 0, 4], &[buffer, [0; 4], [0; 4], [0; 4]]);
    let mut pool = vec![0; 0x2000];
    pool[..open.len()].copy_from_slice(&open);
    pool[0x200..0x200 + draw.len()].copy_from_slice(&draw);

    let board = Stm32mp25::NEW;
    let mut platform =
        FakePlatform::new(2)
            .with_memory(POOL, &pool)
            .answering(|asked| match asked {
                Asked::Entropy(2) => Ok([0x0101_0101_0101_0101, 2, 3, 4]),
                _ => Err(Error::NotSupported),
            });
    let mut send = |address| platform.smc(&board, AArch64, &[CALL_WITH_ARG, 0, address])[0];
    assert_eq!(send(POOL), 0);
    assert_eq!(send(POOL + 0x200), 0);
    assert_eq!(platform.memory(POOL + 8, 4), [1, 0, 0, 0], "session 1");
    assert_eq!(
        platform.memory(POOL + 0x214, 8),
        [0, 0, 0, 0, 4, 0, 0, 0],
        "success, by the application"
    );
    assert_eq!(
        platform.memory(POOL + 0x1000, 16),
        [1, 1, 1, 1, 1, 1, 1, 1, 2, 0, 0, 0, 0, 0, 0, 0]
    );
}

#[test]
fn linux_finds_a_watchdog_of_131_seconds_and_starts_it() {
    let board = Stm32mp25::NEW;
    let mut platform = FakePlatform::new(2);
    let mut smc = |what, argument| {
        let regs = platform.smc(&board, AArch64, &[0xb200_005a, what, argument]);
        [regs[0], regs[1], regs[2]]
    };
    assert_eq!(smc(0, 0), [0, 1, 131]);
    assert_eq!(smc(4, 0), [u64::MAX - 7, 4, 0], "stopped");
    assert_eq!(smc(1, 132), [u64::MAX - 1, 1, 132], "too long");
    assert_eq!(smc(1, 32), [0, 1, 32]);
    assert_eq!(smc(2, 1), [0, 2, 1]);
    platform
        .asked
        .retain(|asked| matches!(asked, Asked::Watchdog(_)));
    let limits = [0, 32 * SECOND].map(Asked::Watchdog);
    assert_eq!(platform.asked, limits);
}

#[test]
fn the_pool_is_where_board_toml_has_memory_for_it() {
    let board = Manifest::load(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("a good board.toml");
    let mut pages = board.machine.pages.iter();
    let pool = pages.find(|page| page.kind == PageKind::Ram);
    let pool = pool.expect("a pool");
    assert_eq!(
        (pool.base, pool.size),
        (u64::from(OPTEE.pool), u64::from(OPTEE.pool_size))
    );
}

#[test]
fn a_message_in_ram_is_refused() {
    let (board, open) = (Stm32mp25::NEW, message([0; 8], &[]));
    let mut platform = FakePlatform::new(2).with_memory(0x8400_0000, &open);
    let regs = [CALL_WITH_ARG, 0, 0x8400_0000];
    assert_eq!(platform.smc(&board, AArch64, &regs)[0], 4);
    assert_eq!(platform.written, []);
}

#[test]
fn other_functions_are_unknown_to_op_tee_or_to_the_rest() {
    for (id, code) in [
        (0x3200_0012, UNKNOWN_FUNCTION),
        (0x3200_001f, UNKNOWN_FUNCTION),
        (0xb200_0002, UNKNOWN_FUNCTION),
        (0xb200_001f, UNKNOWN_FUNCTION),
        (0xb200_0059, UNKNOWN_FUNCTION),
        (0xb200_005b, UNKNOWN_FUNCTION),
        (0xbf00_ff02, UNKNOWN_FUNCTION),
        (0x8400_001f, NOT_SUPPORTED),
        (0x8400_0050, NOT_SUPPORTED),
        (0xf200_0000, NOT_SUPPORTED),
    ] {
        let (board, mut platform) = (Stm32mp25::NEW, FakePlatform::new(2));
        let regs = platform.smc(&board, AArch64, &[id]);
        assert_eq!(regs[0], code, "{id:#x}");
        assert_eq!(platform.asked, []);
    }
}

#[test]
fn any_calls_do_no_harm() {
    properties::check::<Stm32mp25>(&NOTE, AArch64, &[(POOL, 0x1000)]);
}
