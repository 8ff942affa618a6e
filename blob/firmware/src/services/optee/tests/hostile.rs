// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Messages that no kernel should send.

use proptest::prelude::*;

use super::*;
use crate::services::optee::result::BAD_PARAMETERS;

const EBADADDR: u64 = 4;
const EBADCMD: u64 = 5;

#[test]
fn a_message_outside_the_pool_is_refused() {
    let end = POOL + POOL_SIZE as u64;
    for address in [
        0,
        POOL - 8,
        POOL - 16,
        end,
        end - 24,
        0x9000_0000,
        0x9000_0100,
        u64::MAX - 7,
        MESSAGE | 1 << 32,
        MESSAGE + 4,
        MESSAGE + 1,
    ] {
        let mut caller = Caller::new();
        assert_eq!(caller.call_at(address), EBADADDR, "{address:#x}");
        assert_eq!(caller.platform.written, []);
    }
}

#[test]
fn a_message_that_claims_to_go_on_beyond_the_pool_is_refused() {
    let room = (POOL_SIZE as u32 - 0x200 - 32) / 32;
    for (count, code) in [
        (room, 0),
        (room + 1, EBADADDR),
        (u32::MAX, EBADADDR),
        (1 << 27, EBADADDR),
    ] {
        let mut caller = Caller::new();
        let mut sent = Sent::open(Random::UUID);
        sent.words[7] = count;
        let (got, answer) = caller.try_send(&sent);
        assert_eq!(got, code, "{count}");
        let result = if code == 0 { BAD_PARAMETERS } else { 7 };
        assert_eq!(answer.words[5], result);
    }
    let mut caller = Caller::new();
    assert_eq!(
        caller.call_at(POOL + POOL_SIZE as u64 - 32),
        0,
        "the last bytes of the pool hold a message without parameters"
    );
}

#[test]
fn memory_cannot_be_registered_and_commands_are_known() {
    let mut caller = Caller::new();
    for command in [4, 5, 6, 7, u32::MAX] {
        let pages = [10 | 1 << 9, BUFFER, 4096, 1];
        let sent = Sent::new(command, 0, 0, &[pages]);
        assert_eq!(caller.try_send(&sent).0, EBADCMD, "{command}");
    }
}

#[test]
fn a_buffer_outside_the_pool_is_refused_before_anything_is_done() {
    let mut caller = Caller::new();
    let session = caller.open(Random::UUID);
    let end = POOL + POOL_SIZE as u64;
    for (kind, address, size) in [
        (MEMORY_BOTH, 0x9000_0000, 16),
        (MEMORY_BOTH, POOL - 1, 2),
        (MEMORY_BOTH, end - 15, 16),
        (MEMORY_BOTH, end, 0),
        (MEMORY_BOTH, POOL, u64::MAX),
        (MEMORY_BOTH, u64::MAX, 16),
        (MEMORY_BOTH | 1 << 9, BUFFER, 16),
        (MEMORY_BOTH | 2 << 16, BUFFER, 16),
        (MEMORY_BOTH | META, BUFFER, 16),
        (7, 0, 16),
        (4, 0, 0),
        (8, BUFFER, 16),
        (12, BUFFER, 16),
        (0xff, BUFFER, 16),
    ] {
        let sent = Sent::new(1, 0, session, &[[kind, address, size, 1]]);
        let answer = caller.expect(&sent, BAD_PARAMETERS, 3);
        assert_eq!(answer.params, sent.params, "{kind:#x}");
        assert_eq!(caller.platform.written, [(MESSAGE + 20, 8)]);
    }
    let cached = Sent::new(1, 0, session, &[[MEMORY_BOTH | 1 << 16, BUFFER, 16, 1]]);
    caller.expect(&cached, 0, 4);
    let fifth = Sent::new(1, 0, session, &[[0; 4]; 5]);
    caller.expect(&fifth, BAD_PARAMETERS, 3);
}

#[test]
fn a_buffer_that_is_the_message_itself_harms_only_its_owner() {
    let mut caller = Caller::new();
    let session = caller.open(Random::UUID);
    let whole = Sent::new(1, 0, session, &[[MEMORY_BOTH, MESSAGE, 64, 1]]);
    let answer = caller.expect(&whole, 0, 4);
    assert_eq!(answer.params[0][2], 64, "the size that was asked for");
}

/// Numbers that a parameter may well hold: addresses and sizes around the pool, or anything.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        3 => POOL..POOL + POOL_SIZE as u64,
        3 => 0..64_u64,
        1 => 0..2 * POOL_SIZE as u64,
        1 => any::<u64>(),
    ]
}

fn message() -> impl Strategy<Value = Sent> {
    let kind = prop_oneof![
        6 => prop::sample::select(vec![0, 1, 2, 3, 9, 10, 11, 0x101]),
        1 => any::<u64>(),
    ];
    let param = (kind, number(), number(), any::<u64>());
    let params = prop::collection::vec(param.prop_map(|(a, b, c, d)| [a, b, c, d]), 0..7);
    let count = prop_oneof![8 => Just(None), 1 => any::<u32>().prop_map(Some)];
    (0..5_u32, 0..3_u32, 0..4_u32, params, count).prop_map(
        |(command, function, session, params, count)| {
            let mut sent = Sent::new(command, function, session, &params);
            sent.words[7] = count.unwrap_or(sent.words[7]);
            sent
        },
    )
}

proptest! {
    #[test]
    fn no_write_lands_outside_what_was_handed_over(messages in prop::collection::vec(message(), 1..8)) {
        let mut caller = Caller::new();
        // Sessions 1 and 2, so that many of the messages have one.
        caller.open(Random::UUID);
        caller.open(Devices::UUID);
        for sent in &messages {
            let size = sent.bytes().len() as u64;
            let (code, _) = caller.try_send(sent);
            prop_assert!([0, EBADADDR, EBADCMD].contains(&code));
            let mut handed_over = vec![(MESSAGE, size)];
            for [kind, address, size, _] in &sent.params {
                if [10, 11].contains(&(kind & 0xff)) {
                    handed_over.push((*address, *size));
                }
            }
            for &(address, size) in &caller.platform.written {
                let inside = handed_over.iter().any(|&(start, whole)| {
                    address >= start && address - start <= whole
                        && size as u64 <= whole - (address - start)
                });
                prop_assert!(inside, "{size} bytes at {address:#x}");
                prop_assert!(address >= POOL && address + size as u64 <= POOL + POOL_SIZE as u64);
            }
        }
    }
}
