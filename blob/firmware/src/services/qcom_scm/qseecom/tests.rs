// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An application that copies its request.

use super::super::tests::args;
use super::*;
use crate::fake::FakePlatform;

struct Copier;

impl App for Copier {
    const NAME: &'static str = "test.copier";
    const ID: u32 = 7;

    fn send(
        &self,
        platform: &mut dyn Platform,
        request: Buffer,
        response: Buffer,
    ) -> Result<(), Failure> {
        let mut bytes = [0; 4];
        let bytes = bytes.get_mut(..request.size as usize).ok_or(Failure)?;
        platform
            .read_memory(request.address, bytes)
            .map_err(|_| Failure)?;
        platform
            .write_memory(response.address, bytes)
            .map_err(|_| Failure)
    }
}

const AT: u64 = 0x8000_0000;

fn lookup(name: &str, length: u64) -> Reply {
    let mut platform = FakePlatform::new(1).with_memory(AT, name.as_bytes());
    app_lookup::<Copier>(&mut platform, &args([AT, length]))
}

#[test]
fn feature_10_has_the_version() {
    assert_eq!(version(0x140_2000, &args([10])), Ok([0x140_2000, 0, 0]));
    assert_eq!(
        version(0x140_2000, &args([11])),
        Err(Error::InvalidArgument)
    );
}

#[test]
fn an_application_is_found_by_its_whole_name() {
    assert_eq!(lookup("test.copier\0\0", 11), Ok([0, 0xee01, 7]));
    for (name, length) in [
        ("test.copier\0\0", 12),
        ("test.copier", 10),
        ("", 0),
        ("x", 1),
    ] {
        assert_eq!(lookup(name, length), Ok([0xffff_ffff, 0, 0]), "{name:?}");
    }
}

#[test]
fn a_name_out_of_bounds_is_refused() {
    assert_eq!(lookup("test.copier", 12), Err(Error::InvalidAddress));
    for length in [64, u64::MAX, 1 << 32] {
        assert_eq!(lookup(&"x".repeat(80), length), Err(Error::InvalidArgument));
    }
}

#[test]
fn a_request_is_answered_in_memory() {
    let mut platform = FakePlatform::new(1).with_memory(AT, &[1, 2, 3, 4, 0, 0, 0, 0]);
    let sent = app_send(&Copier, &mut platform, &args([7, AT, 4, AT + 4, 4]));
    assert_eq!(sent, Ok([0; 3]));
    assert_eq!(platform.memory(AT, 8), [1, 2, 3, 4, 1, 2, 3, 4]);
}

#[test]
fn failure_is_a_status() {
    let mut platform = FakePlatform::new(1).with_memory(AT, &[0; 8]);
    for bad in [
        [8, AT, 4, AT + 4, 4],
        [0x1_0000_0007, AT, 4, AT + 4, 4],
        [7, 0, 4, AT + 4, 4],
        [7, AT, 9, AT + 4, 4],
    ] {
        let sent = app_send(&Copier, &mut platform, &args(bad));
        assert_eq!(
            sent,
            Ok([0xffff_ffff, 0, 0]),
            "as 32 bits, not sign-extended"
        );
    }
    assert_eq!(platform.written, []);
}
