// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Requests as Linux' uefisecapp driver lays them out.

use proptest::prelude::*;

use super::*;
use crate::fake::FakePlatform;

const REQUEST: u64 = 0x8000_0000;
const RESPONSE: u64 = 0x8000_1000;
const GUID: [u8; 16] = [7; 16];

fn utf16(name: &str) -> Vec<u8> {
    let units = name.encode_utf16().chain([0]);
    units.flat_map(u16::to_le_bytes).collect()
}

/// Sends words and what follows them, and returns the words of the response.
fn send(uefi: &Uefi, words: &[u32], rest: &[u8], room: u64) -> Result<Vec<u32>, Failure> {
    let mut request: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    request.extend(rest);
    let mut platform = FakePlatform::new(1)
        .with_memory(REQUEST, &request)
        .with_memory(RESPONSE, &[0; 0x1000]);
    let request = Buffer {
        address: REQUEST,
        size: request.len() as u64,
    };
    let response = Buffer {
        address: RESPONSE,
        size: room,
    };
    uefi.send(&mut platform, request, response)?;
    let bytes = platform.memory(RESPONSE, room as usize);
    let word = |word: &[u8]| u32::from_le_bytes(word.try_into().expect("four bytes"));
    Ok(bytes.chunks_exact(4).map(word).collect())
}

fn get(uefi: &Uefi, name: &str, room: u32) -> Vec<u32> {
    let name = utf16(name);
    let (size, guid) = (name.len() as u32, 28 + name.len() as u32);
    let words = [GET, guid + 16, 28, size, guid, 16, room];
    let rest = [&name[..], &GUID].concat();
    send(uefi, &words, &rest, 24 + u64::from(room)).expect("a response")
}

fn set(uefi: &Uefi, name: &str, attributes: u32, data: &[u8]) -> u32 {
    let name = utf16(name);
    let (size, guid) = (name.len() as u32, 36 + name.len() as u32);
    let (at, length) = (guid + 16, data.len() as u32);
    let words = [SET, at + length, 36, size, guid, 16, attributes, at, length];
    let rest = [&name[..], &GUID, data].concat();
    let response = send(uefi, &words, &rest, 20).expect("a response");
    assert_eq!(response[..2], [SET, 20]);
    response[2]
}

fn next(uefi: &Uefi, name: &str, guid: [u8; 16], room: u32) -> Vec<u32> {
    let mut name = utf16(name);
    name.resize(room as usize, 0);
    let words = [NEXT, 40 + room, 24, 16, 40, room];
    let rest = [&guid[..], &name].concat();
    send(uefi, &words, &rest, 44 + u64::from(room)).expect("a response")
}

#[test]
fn a_variable_is_what_it_was_set_to() {
    let uefi = Uefi::new();
    assert_eq!(get(&uefi, "Test", 8)[..3], [GET, 24, status::NOT_FOUND]);
    assert_eq!(set(&uefi, "Test", 7, &[1, 2, 3, 4]), 0);
    assert_eq!(get(&uefi, "Test", 4), [GET, 28, 0, 7, 24, 4, 0x0403_0201]);
    assert_eq!(set(&uefi, "Test", 7, &[5, 0, 0, 0, 6, 0, 0, 0]), 0);
    assert_eq!(get(&uefi, "Test", 8), [GET, 32, 0, 7, 24, 8, 5, 6]);
    assert_eq!(set(&uefi, "Test", 0, &[]), 0);
    assert_eq!(get(&uefi, "Test", 8)[2], status::NOT_FOUND);
}

#[test]
fn linux_asks_for_the_size_with_no_room() {
    let uefi = Uefi::new();
    assert_eq!(set(&uefi, "Test", 7, &[1; 12]), 0);
    for room in [0, 8] {
        assert_eq!(
            get(&uefi, "Test", room)[..6],
            [GET, 24, status::BUFFER_TOO_SMALL, 7, 0, 12]
        );
    }
}

#[test]
fn linux_lists_the_firmwares_own_and_then_others() {
    let uefi = Uefi::new();
    assert_eq!(set(&uefi, "A", 7, &[1]), 0);
    let first = next(&uefi, "", [0; 16], 24);
    assert_eq!(first[..7], [NEXT, 44 + 22, 0, 28, 16, 44, 22]);
    assert_eq!(first[7], 0x8be4_df61);
    assert_eq!(first[11], u32::from(b'e') << 16 | u32::from(b'S'));
    let second = next(&uefi, "SecureBoot", GLOBAL, 24);
    assert_eq!(second[..3], [NEXT, 44 + 20, 0], "SetupMode");
    let third = next(&uefi, "SetupMode", GLOBAL, 24);
    assert_eq!((third[6], third[11]), (4, u32::from(b'A')));
    assert_eq!(next(&uefi, "A", GUID, 24)[2], status::NOT_FOUND);
    assert_eq!(next(&uefi, "B", GUID, 24)[2], status::INVALID_PARAMETER);
}

#[test]
fn a_name_that_does_not_fit_tells_its_size() {
    let uefi = Uefi::new();
    let response = next(&uefi, "", [0; 16], 20);
    assert_eq!(
        response[..7],
        [NEXT, 28, status::BUFFER_TOO_SMALL, 0, 0, 0, 22]
    );
}

#[test]
fn the_room_shrinks_as_variables_come() {
    let uefi = Uefi::new();
    let query = |attributes| send(&uefi, &[QUERY, 12, attributes], &[], 40).expect("a response");
    let before = query(7);
    assert_eq!(before[..5], [QUERY, 40, 0, 0, 0x1000]);
    assert_eq!(set(&uefi, "Test", 7, &[0; 100]), 0);
    assert_eq!(before[6] - query(7)[6], 24 + 10 + 100);
    assert_eq!(query(4)[2], status::INVALID_PARAMETER);
    assert_eq!(query(0x27)[2], status::UNSUPPORTED);
}

#[test]
fn requests_that_make_no_sense_fail() {
    let uefi = Uefi::new();
    let fails = |words: &[u32], room| send(&uefi, words, &[], room) == Err(Failure);
    assert!(fails(&[0x8004, 12, 7], 40), "unknown command");
    assert!(fails(&[QUERY, 16, 7], 40), "longer than it is");
    assert!(fails(&[QUERY, 8, 7], 40), "too short for its fields");
    assert!(fails(&[QUERY, 12, 7], 39), "no room for the response");
    assert!(fails(&[QUERY], 40));
    assert!(fails(&[0; 0x401], 40), "too long");
    let mut platform = FakePlatform::new(1);
    let nowhere = Buffer {
        address: u64::MAX,
        size: 12,
    };
    assert_eq!(uefi.send(&mut platform, nowhere, nowhere), Err(Failure));
}

#[test]
fn parts_out_of_the_request_are_invalid() {
    let uefi = Uefi::new();
    for [name, size, guid] in [
        [28, 100, 32],
        [u32::MAX, 4, 32],
        [28, u32::MAX, 32],
        [28, 4, 40],
        [28, 4, u32::MAX],
    ] {
        let words = [GET, 48, name, size, guid, 16, 4];
        let rest = [&utf16("A")[..], &GUID].concat();
        let response = send(&uefi, &words, &rest, 28).expect("a response");
        assert_eq!(response[2], status::INVALID_PARAMETER);
    }
}

/// Words of a request, many of them small enough for an offset or a size in it.
fn request_words() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(prop_oneof![0..80_u32, any::<u32>()], 8..30)
}

proptest! {
    #[test]
    fn nothing_outside_the_response_is_written(
        requests in prop::collection::vec((0..4_u32, request_words(), 0..80_u64), 1..12),
    ) {
        let uefi = Uefi::new();
        for (command, mut words, room) in requests {
            words[0] = 0x8000 | command;
            words[1] = 4 * words.len() as u32;
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let mut platform = FakePlatform::new(1)
                .with_memory(REQUEST, &bytes)
                .with_memory(RESPONSE, &[0; 0x1000]);
            let request = Buffer { address: REQUEST, size: bytes.len() as u64 };
            let response = Buffer { address: RESPONSE, size: room };
            let _ = uefi.send(&mut platform, request, response);
            for (address, size) in platform.written {
                prop_assert!(address >= RESPONSE);
                prop_assert!(address + size as u64 <= RESPONSE + room);
            }
        }
    }
}
