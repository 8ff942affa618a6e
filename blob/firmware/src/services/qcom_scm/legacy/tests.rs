// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Commands as Linux lays them out, and such as it never would.

use fakemon_abi::frame::REGS;
use proptest::prelude::*;

use super::super::tests::{Echo, TABLE};
use super::*;
use crate::call::Trap;
use crate::context::Resume;
use crate::dispatch;
use crate::fake::FakePlatform;
use fakemon_abi::{Conduit, Width};

const MINUS: fn(i64) -> u64 = |code| (-code).cast_unsigned();
/// Where the command is.
const AT: u64 = 0x4000_0100;

fn smc(platform: &mut FakePlatform, given: &[u64]) -> [u64; REGS] {
    let mut regs = [0xdead; REGS];
    regs[..given.len()].copy_from_slice(given);
    let trap = Trap {
        width: Width::AArch64,
        conduit: Conduit::Smc,
        immediate: 0,
    };
    let mut resume = Resume::default();
    let mut call = Call::new(&mut regs, trap, &mut resume, platform);
    dispatch::smccc(&[&Legacy::new(&Echo, TABLE)], &mut call);
    regs
}

/// A platform with these words at [`AT`] and nothing else.
fn platform(words: &[u32]) -> FakePlatform {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    FakePlatform::new(1).with_memory(AT, &bytes)
}

/// A command with these arguments as Linux lays it out.
fn command(service: u32, command: u32, args: &[u32]) -> Vec<u32> {
    let response = 16 + 4 * args.len() as u32;
    let mut words = vec![response + 24, 16, response, service << 10 | command];
    words.extend(args);
    words.extend([0; 6]);
    words
}

fn memory(platform: &FakePlatform, words: usize) -> Vec<u32> {
    super::words(&platform.memory(AT, 4 * words)).collect()
}

#[test]
fn a_command_is_answered_in_memory() {
    let words = command(0xc, 0x16, &[1, 2, 3, 4, 5, 6, 7]);
    let mut platform = platform(&words);
    assert_eq!(
        smc(&mut platform, &[1, 0xffff_8000_1234, AT])[..2],
        [0, 0xffff_8000_1234]
    );
    let after = memory(&platform, words.len());
    assert_eq!(after[..11], words[..11], "header and arguments stay");
    assert_eq!(after[11..], [24, 12, 1, 3, 4, 7]);
    assert_eq!(
        platform.written.last(),
        Some(&(AT + 44 + 8, 4)),
        "complete last"
    );
}

#[test]
fn linux_asks_whether_a_call_is_there() {
    for (asked, there) in [(0x1401, 1), (0x1403, 0)] {
        let mut platform = platform(&command(6, 1, &[asked]));
        assert_eq!(smc(&mut platform, &[1, 0, AT])[0], 0);
        assert_eq!(memory(&platform, 11)[5..], [24, 12, 1, there, 0, 0]);
    }
}

#[test]
fn an_unknown_command_leaves_memory_alone() {
    let mut platform = platform(&command(0x33, 1, &[]));
    assert_eq!(smc(&mut platform, &[1, 0, AT])[0], MINUS(4));
    assert_eq!(platform.written, []);
}

#[test]
fn a_malformed_command_is_refused() {
    let good = command(5, 1, &[9]);
    // Size, offset of the arguments, offset of the response.
    for bad in [
        [43, 16, 20],
        [44, 12, 20],
        [44, 16, 12],
        [44, 16, 16],
        [44, 16, 24],
        [44, 17, 21],
        [0xffff_fffc, 16, 20],
        [44, 16, 0xffff_fffc],
        [0, 0, 0],
    ] {
        let mut words = good.clone();
        words[..3].copy_from_slice(&bad);
        let mut platform = platform(&words);
        assert_eq!(smc(&mut platform, &[1, 0, AT])[0], MINUS(2), "{bad:?}");
        assert_eq!(platform.written, []);
    }
    let mut platform = platform(&good[..10]);
    assert_eq!(
        smc(&mut platform, &[1, 0, AT])[0],
        MINUS(3),
        "half of it is no memory"
    );
    assert_eq!(smc(&mut platform, &[1, 0, 0])[0], MINUS(3));
}

#[test]
fn an_atomic_call_is_all_in_registers() {
    let mut platform = FakePlatform::new(1);
    let after = smc(
        &mut platform,
        &[0x0140_1221, 0xffff_8000_1234, 0x1_0000_0009],
    );
    assert_eq!(after[..5], [0, 9, 0, 1, 0xdead]);
    // With four arguments, where it has one; an unknown one; one with more than five.
    for (id, code) in [(0x0140_1224, 2), (0x0cc0_1221, 4), (0x0301_6227, 2)] {
        let after = smc(&mut platform, &[id, 0, 9]);
        assert_eq!(after[..4], [MINUS(code), 0, 0, 0], "{id:#x}");
    }
}

#[test]
fn other_numbers_are_not_its() {
    for id in [
        0,
        2,
        0x0140_1021,
        0x0140_1261,
        0x4200_0221,
        0x8140_1221,
        0xc200_0601,
    ] {
        assert_eq!(
            smc(&mut FakePlatform::new(1), &[id])[0],
            u64::MAX,
            "{id:#x}"
        );
    }
}

proptest! {
    #[test]
    fn nothing_outside_a_command_is_written(
        words in prop::collection::vec(prop_oneof![0..64_u32, any::<u32>()], 4..32),
        real in any::<bool>(),
    ) {
        let mut words = words;
        if real {
            words[3] = 0x1401;
        }
        let size = 4 * words.len() as u64;
        let claimed = u64::from(words[0]);
        let mut platform = platform(&words);
        smc(&mut platform, &[1, 0, AT]);
        for (address, length) in platform.written {
            prop_assert!(address >= AT + 16);
            prop_assert!(address + length as u64 <= AT + claimed.min(size));
        }
    }
}
