// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sessions and commands, in messages as the kernel makes them.

use super::*;
use crate::error::Error;
use crate::fake::Asked;
use crate::services::optee::result::{
    BAD_PARAMETERS, GENERIC, ITEM_NOT_FOUND, NOT_IMPLEMENTED, NOT_SUPPORTED, OUT_OF_MEMORY,
    SHORT_BUFFER, SUCCESS,
};

const OPEN: u32 = 0;
const INVOKE: u32 = 1;
const CLOSE: u32 = 2;
const CANCEL: u32 = 3;

/// No parameter, as the kernel fills up to four.
const NO: [u64; 4] = [0; 4];

/// A command of the list of devices with a buffer of `size` bytes.
fn list(session: u32, address: u64, size: u64) -> Sent {
    let buffer = [MEMORY_OUT, address, size, 1];
    Sent::new(INVOKE, 0, session, &[buffer, NO, NO, NO])
}

/// A command of the random numbers with a buffer of `size` bytes.
fn draw(session: u32, address: u64, size: u64) -> Sent {
    let buffer = [MEMORY_BOTH, address, size, 1];
    Sent::new(INVOKE, 0, session, &[buffer, NO, NO, NO])
}

#[test]
fn the_kernel_finds_the_random_numbers() {
    let mut caller = Caller::new();
    let session = caller.open(Devices::UUID);
    let answer = caller.expect(&list(session, 0, 0), SHORT_BUFFER, 4);
    assert_eq!(answer.params[0], [MEMORY_OUT, 0, 16, 1]);
    let answer = caller.expect(&list(session, BUFFER, 4096), SUCCESS, 4);
    assert_eq!(answer.params[0], [MEMORY_OUT, BUFFER, 16, 1]);
    assert_eq!(
        caller.platform.memory(BUFFER, 17),
        [
            0xab, 0x7a, 0x61, 0x7c, 0xb8, 0xe7, 0x4d, 0x8f, 0x83, 0x01, 0xd0, 0x9b, 0x61, 0x03,
            0x6b, 0x64, 0
        ]
    );
    caller.expect(&Sent::new(CLOSE, 0, session, &[]), SUCCESS, 3);
}

#[test]
fn a_list_that_does_not_fit_is_not_written_beyond_its_buffer() {
    let mut caller = Caller::new();
    let session = caller.open(Devices::UUID);
    let answer = caller.expect(&list(session, BUFFER, 15), SHORT_BUFFER, 4);
    assert_eq!(answer.params[0][2], 16);
    assert_eq!(caller.platform.memory(BUFFER, 16), [0; 16]);
    caller.expect(&list(session, 0, 16), BAD_PARAMETERS, 4);
}

#[test]
fn there_are_no_other_lists() {
    let mut caller = Caller::new();
    let session = caller.open(Devices::UUID);
    let mut with_daemon = list(session, 0, 0);
    with_daemon.words[1] = 1;
    caller.expect(&with_daemon, NOT_IMPLEMENTED, 4);
}

#[test]
fn random_numbers_come_from_the_host() {
    let mut caller = Caller::new();
    let session = caller.open(Random::UUID);
    let answer = caller.expect(&draw(session, BUFFER, 13), SUCCESS, 4);
    assert_eq!(answer.params[0], [MEMORY_BOTH, BUFFER, 13, 1]);
    assert_eq!(
        caller.platform.memory(BUFFER, 14),
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0]
    );
    assert_eq!(
        caller.platform.asked,
        [Asked::Entropy(2)],
        "no more words than it takes"
    );
    caller.expect(&draw(session, BUFFER, 0), SUCCESS, 4);
}

#[test]
fn a_page_of_random_numbers_is_the_most() {
    let mut caller = Caller::new();
    let session = caller.open(Random::UUID);
    caller.expect(&draw(session, BUFFER, 4096), SUCCESS, 4);
    let drawn = caller.platform.memory(BUFFER, 4096);
    let block: Vec<u8> = (1..=32).collect();
    assert!(drawn.chunks(32).all(|chunk| chunk == block));
    assert_eq!(caller.platform.asked.len(), 4096 / 32);
    caller.expect(&draw(session, BUFFER, 4097), NOT_SUPPORTED, 4);
    caller.expect(&draw(session, 0, 0), BAD_PARAMETERS, 4);
}

#[test]
fn a_host_without_entropy_is_an_error() {
    let mut caller = Caller::new();
    caller.platform = FakePlatform::new(1)
        .with_memory(POOL, &[0; POOL_SIZE])
        .answering(|_| Err(Error::NotSupported));
    let session = caller.open(Random::UUID);
    caller.expect(&draw(session, BUFFER, 16), GENERIC, 4);
    assert_eq!(caller.platform.memory(BUFFER, 16), [0; 16]);
}

#[test]
fn the_kernel_learns_rate_and_quality() {
    let mut caller = Caller::new();
    let session = caller.open(Random::UUID);
    let info = |kind| Sent::new(INVOKE, 1, session, &[[kind, u64::MAX, u64::MAX, 5], NO]);
    let answer = caller.expect(&info(VALUE_OUT), SUCCESS, 4);
    assert_eq!(answer.params[0], [VALUE_OUT, 3, 900, 5]);
    caller.expect(&info(VALUE_IN), BAD_PARAMETERS, 4);
}

#[test]
fn a_session_is_good_until_it_is_closed() {
    let mut caller = Caller::new();
    let (one, two) = (caller.open(Random::UUID), caller.open(Devices::UUID));
    caller.expect(&Sent::new(CANCEL, 0, one, &[]), SUCCESS, 3);
    caller.expect(&Sent::new(CLOSE, 0, one, &[]), SUCCESS, 3);
    caller.expect(&Sent::new(CLOSE, 0, one, &[]), ITEM_NOT_FOUND, 3);
    caller.expect(&Sent::new(CANCEL, 0, one, &[]), BAD_PARAMETERS, 3);
    caller.expect(&draw(one, BUFFER, 16), BAD_PARAMETERS, 3);
    caller.expect(&list(two, BUFFER, 16), SUCCESS, 4);
}

#[test]
fn wrong_sessions_are_refused() {
    let mut caller = Caller::new();
    let session = caller.open(Random::UUID);
    for id in [0, session + 1, u32::MAX] {
        caller.expect(&draw(id, BUFFER, 16), BAD_PARAMETERS, 3);
    }
    assert_eq!(caller.platform.memory(BUFFER, 16), [0; 16]);
    let params = [NO];
    caller.expect(&Sent::new(CLOSE, 0, session, &params), BAD_PARAMETERS, 3);
    caller.expect(&Sent::new(CANCEL, 0, session, &params), BAD_PARAMETERS, 3);
    caller.expect(&draw(session, BUFFER, 16), SUCCESS, 4);
}

#[test]
fn there_are_so_many_sessions_and_no_more() {
    let mut caller = Caller::new();
    let sessions: Vec<_> = (0..16).map(|_| caller.open(Random::UUID)).collect();
    let answer = caller.expect(&Sent::open(Random::UUID), OUT_OF_MEMORY, 3);
    assert_eq!(answer.words[2], 0);
    caller.expect(&Sent::new(CLOSE, 0, sessions[7], &[]), SUCCESS, 3);
    caller.open(Random::UUID);
}

#[test]
fn an_unknown_application_is_not_found() {
    let answer = Caller::new().expect(&Sent::open([0; 16]), ITEM_NOT_FOUND, 3);
    assert_eq!(answer.words[2], 0, "no session");
}

#[test]
fn a_session_needs_an_application_and_a_login() {
    let good = Sent::open(Random::UUID);
    let mut caller = Caller::new();
    let refused = |caller: &mut Caller, change: fn(&mut Sent)| {
        let mut sent = good.clone();
        change(&mut sent);
        sent.words[7] = sent.params.len() as u32;
        caller.expect(&sent, BAD_PARAMETERS, 3);
    };
    refused(&mut caller, |sent| sent.params.clear());
    refused(&mut caller, |sent| sent.params.truncate(1));
    refused(&mut caller, |sent| sent.params[0][0] = VALUE_IN);
    refused(&mut caller, |sent| sent.params[1][0] = META | VALUE_OUT);
    refused(&mut caller, |sent| sent.params[1][3] = 3);
    refused(&mut caller, |sent| {
        sent.params.push([META | VALUE_IN, 0, 0, 0])
    });
    refused(&mut caller, |sent| sent.params.extend([NO; 5]));
    assert_eq!(caller.os.state.with(|state| state.sessions.app(1)), None);
    let mut kernel = good.clone();
    kernel.params[1][3] = 0x8000_0000;
    kernel.params.extend([NO; 4]);
    kernel.words[7] = 6;
    caller.expect(&kernel, SUCCESS, 3);
}

#[test]
fn only_what_is_a_result_is_written() {
    let mut caller = Caller::new();
    let session = caller.open(Random::UUID);
    assert_eq!(
        caller.platform.written,
        [(MESSAGE + 8, 4), (MESSAGE + 20, 8)]
    );
    caller.send(&draw(session, BUFFER, 16));
    assert_eq!(
        caller.platform.written,
        [(BUFFER, 16), (MESSAGE + 48, 8), (MESSAGE + 20, 8)]
    );
    let input = [[VALUE_IN, 1, 2, 3], [MEMORY_IN, BUFFER, 16, 0]];
    caller.send(&Sent::new(INVOKE, 1, session, &input));
    assert_eq!(caller.platform.written, [(MESSAGE + 20, 8)]);
    let (code, _) = caller.try_send(&Sent::new(OPEN + 9, 0, 0, &[]));
    assert_eq!(
        (code, caller.platform.written.len()),
        (5, 0),
        "no such command"
    );
}
