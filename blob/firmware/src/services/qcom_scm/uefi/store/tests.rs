// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The store against a plain list of variables.

use proptest::prelude::*;

use super::super::status::UNSUPPORTED;
use super::*;

const GUID: [u8; 16] = [9; 16];

fn variable<'a>(name: &'a [u8], attributes: u32, data: &'a [u8]) -> Variable<'a> {
    Variable {
        name,
        guid: GUID,
        attributes,
        data,
    }
}

#[test]
fn the_firmwares_own_are_not_to_be_written() {
    let mut store = Store::new().with("X", GUID, &[3]);
    let name = b"X\0\0\0";
    assert_eq!(
        store.find(name, GUID),
        Ok(variable(name, BOOT | RUNTIME, &[3]))
    );
    for (attributes, data) in [(7, &[1][..]), (6, &[1]), (0, &[]), (0x47, &[1])] {
        assert_eq!(
            store.set(variable(name, attributes, data)),
            Err(WRITE_PROTECTED)
        );
    }
    assert_eq!(store.find(name, [8; 16]), Err(NOT_FOUND), "another GUID");
}

#[test]
fn attributes_must_be_those_of_a_variable_at_run_time() {
    let mut store = Store::new();
    let name = b"X\0\0\0";
    for (attributes, error) in [
        (1, NOT_FOUND),
        (2, INVALID_PARAMETER),
        (3, INVALID_PARAMETER),
        (6, INVALID_PARAMETER),
        (0xf, UNSUPPORTED),
        (0x27, UNSUPPORTED),
    ] {
        assert_eq!(store.set(variable(name, attributes, &[1])), Err(error));
    }
    assert_eq!(
        store.set(variable(b"\0\0", 7, &[1])),
        Err(INVALID_PARAMETER)
    );
    assert_eq!(store.set(variable(name, 7, &[1])), Ok(()));
    assert_eq!(store.set(variable(name, 0x27, &[1])), Err(UNSUPPORTED));
    assert_eq!(store.find(name, GUID), Ok(variable(name, 7, &[1])));
}

#[test]
fn data_can_be_added() {
    let mut store = Store::new();
    let (name, other) = (b"X\0\0\0", b"Y\0\0\0");
    assert_eq!(store.set(variable(name, 0x47, &[])), Ok(()));
    assert_eq!(store.find(name, GUID), Err(NOT_FOUND));
    assert_eq!(store.set(variable(name, 0x47, &[1])), Ok(()));
    assert_eq!(store.set(variable(other, 7, &[9])), Ok(()));
    assert_eq!(store.set(variable(name, 0x47, &[2, 3])), Ok(()));
    assert_eq!(store.find(name, GUID), Ok(variable(name, 7, &[1, 2, 3])));
    assert_eq!(store.find(other, GUID), Ok(variable(other, 7, &[9])));
    let too_much = [0; MAX_PART];
    assert_eq!(
        store.set(variable(name, 0x47, &too_much)),
        Err(OUT_OF_RESOURCES)
    );
}

#[test]
fn what_does_not_fit_leaves_all_as_it_was() {
    let mut store = Store::new();
    let big = [1; MAX_PART];
    for name in [b"A\0\0\0", b"B\0\0\0", b"C\0\0\0"] {
        assert_eq!(store.set(variable(name, 7, &big)), Ok(()));
    }
    let room = store.room();
    assert_eq!(
        store.set(variable(b"D\0\0\0", 7, &big)),
        Err(OUT_OF_RESOURCES)
    );
    assert_eq!(
        store.set(variable(b"A\0\0\0", 7, &[0; MAX_PART + 1])),
        Err(OUT_OF_RESOURCES)
    );
    assert_eq!(store.room(), room);
    assert_eq!(
        store.set(variable(b"A\0\0\0", 7, &big)),
        Ok(()),
        "in its own place"
    );
}

proptest! {
    #[test]
    fn it_keeps_what_a_plain_list_keeps(
        calls in prop::collection::vec(
            (0..6_u16, prop::collection::vec(any::<u8>(), 0..300)),
            1..60,
        )
    ) {
        let mut store = Store::new();
        let mut list: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        for (name, data) in calls {
            let name = [(name + 65).to_le_bytes(), [0, 0]].concat();
            let known = list.iter().position(|(known, _)| *known == name);
            let result = store.set(variable(&name, 7, &data));
            match result {
                Ok(()) => {
                    known.map(|at| list.remove(at));
                    if !data.is_empty() {
                        list.push((name, data));
                    }
                }
                Err(error) => prop_assert_eq!(error, NOT_FOUND, "six of 300 bytes fit"),
            }
            let (mut at, mut seen) = (vec![0, 0], Vec::new());
            while let Ok(next) = store.next(&at, GUID) {
                at = next.name.to_vec();
                seen.push((at.clone(), next.data.to_vec()));
            }
            prop_assert_eq!(&seen, &list);
        }
    }
}
