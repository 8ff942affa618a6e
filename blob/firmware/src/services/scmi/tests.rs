// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The channel and the base protocol, as Linux' transport and anybody worse uses them.

use fakemon_abi::status::NOT_SUPPORTED;
use proptest::prelude::*;

use crate::fake::{FakePlatform, scmi};

mod agent;
mod clock;
mod imx_bbm;

use agent::{Agent, BASE, SIZE, name};

#[test]
fn the_base_protocol_tells_who_is_there() {
    let mut agent = Agent::new();
    assert_eq!(agent.send(0x10, 0, &[]), Ok(vec![0x2_0000]));
    assert_eq!(
        agent.send(0x10, 1, &[]),
        Ok(vec![0x102]),
        "one agent, two protocols"
    );
    assert_eq!(agent.send(0x10, 3, &[]), Ok(name("NXP")));
    assert_eq!(agent.send(0x10, 4, &[]), Ok(name("IMX")));
    assert_eq!(agent.send(0x10, 5, &[]), Ok(vec![0x1234]));
    assert_eq!(agent.send(0x10, 6, &[0]), Ok(vec![2, 0x8114]));
    assert_eq!(agent.send(0x10, 6, &[1]), Ok(vec![1, 0x81]));
    assert_eq!(agent.send(0x10, 6, &[2]), Ok(vec![0]));
    assert_eq!(agent.send(0x10, 6, &[3]), Err(-2));
    let named = |id, text| Ok([vec![id], name(text)].concat());
    assert_eq!(agent.send(0x10, 7, &[0]), named(0, "platform"));
    assert_eq!(agent.send(0x10, 7, &[1]), named(1, "OSPM"));
    assert_eq!(agent.send(0x10, 7, &[u32::MAX]), named(1, "OSPM"));
    assert_eq!(agent.send(0x10, 7, &[2]), Err(-4));
}

#[test]
fn each_protocol_has_the_common_messages() {
    let mut agent = Agent::new();
    for (protocol, version, own) in [
        (0x10, 0x2_0000, 3),
        (0x14, 0x3_0000, 3),
        (0x81, 0x1_0000, 3),
    ] {
        assert_eq!(agent.send(protocol, 0, &[]), Ok(vec![version]));
        for message in [0, 1, 2, 0x10, own] {
            assert_eq!(agent.send(protocol, 2, &[message]), Ok(vec![0]));
        }
        for message in [0x1f, 0xff, 0x100, u32::MAX] {
            assert_eq!(agent.send(protocol, 2, &[message]), Err(-4));
        }
        assert_eq!(agent.send(protocol, 0x10, &[version]), Ok(vec![]));
        assert_eq!(agent.send(protocol, 0x10, &[version + 1]), Err(-1));
        assert_eq!(agent.send(protocol, 0x1f, &[]), Err(-1));
    }
    assert_eq!(agent.send(0x15, 0, &[]), Err(-1), "there are no sensors");
}

#[test]
fn a_message_of_another_length_is_a_protocol_error() {
    let mut agent = Agent::new();
    for (protocol, message, right) in [(0x10, 0, 0), (0x10, 6, 1), (0x14, 5, 4), (0x81, 7, 2)] {
        for words in (0..8).filter(|&words| words != right) {
            let parameters = vec![0; words];
            assert_eq!(
                agent.send(protocol, message, &parameters),
                Err(-10),
                "{words}"
            );
        }
    }
    for length in [5, 6, 7] {
        scmi::put(
            &mut agent.platform,
            BASE,
            length,
            &[scmi::header(0x10, 0), 0],
        );
        assert_eq!(agent.ring(), 0);
        assert_eq!(agent.platform.memory_word(BASE + 0x1c).cast_signed(), -10);
    }
}

#[test]
fn a_length_that_cannot_be_frees_the_channel_with_an_error() {
    for length in [0, 3, SIZE as u32 - 0x18 + 1, 0x1000, u32::MAX] {
        let mut agent = Agent::new();
        scmi::put(&mut agent.platform, BASE, length, &[scmi::header(0x10, 0)]);
        assert_eq!(agent.ring(), 0);
        let word = |offset| agent.platform.memory_word(BASE + offset);
        assert_eq!((word(0x4), word(0x14)), (3, 8), "{length:#x}");
        assert_eq!(word(0x1c).cast_signed(), -10);
        assert_eq!(
            agent.send(0x10, 0, &[]),
            Ok(vec![0x2_0000]),
            "and it goes on"
        );
    }
}

#[test]
fn what_is_no_command_is_a_protocol_error() {
    for kind in 1..4 {
        let mut agent = Agent::new();
        let header = scmi::header(0x10, 0) | kind << 8;
        scmi::put(&mut agent.platform, BASE, 4, &[header]);
        assert_eq!(agent.ring(), 0);
        assert_eq!(agent.platform.memory_word(BASE + 0x1c).cast_signed(), -10);
    }
}

#[test]
fn a_channel_is_free_from_the_first_call_on() {
    let mut agent = Agent::new();
    agent.channel.prepare(&mut agent.platform);
    assert_eq!(agent.platform.written, [(BASE + 4, 4)]);
    assert_eq!(agent.platform.memory_word(BASE + 4), 1);
    scmi::put(&mut agent.platform, BASE, 4, &[scmi::header(0x10, 0)]);
    agent.channel.prepare(&mut agent.platform);
    assert_eq!(
        agent.platform.memory_word(BASE + 4),
        0,
        "and later it is the caller's"
    );
}

#[test]
fn a_free_channel_has_no_message() {
    let mut agent = Agent::new();
    agent.channel.prepare(&mut agent.platform);
    agent.platform.written.clear();
    assert_eq!(agent.ring(), 0);
    assert_eq!(agent.platform.written, []);
}

#[test]
fn a_machine_without_the_area_has_no_scmi() {
    let mut agent = Agent::with(FakePlatform::new(1).with_memory(BASE, &[0; SIZE - 1]));
    assert_eq!(agent.ring(), i64::from(NOT_SUPPORTED).cast_unsigned());
    agent.platform = FakePlatform::new(1);
    agent.channel.prepare(&mut agent.platform);
    assert_eq!(agent.ring(), i64::from(NOT_SUPPORTED).cast_unsigned());
    assert_eq!(agent.platform.written, []);
}

proptest! {
    #[test]
    fn whatever_a_message_holds_only_the_area_is_written(
        protocol in prop_oneof![Just(0x10), Just(0x14), Just(0x81), any::<u8>()],
        message in prop_oneof![0..0x11_u8, any::<u8>()],
        kind in prop_oneof![8 => Just(0), 1 => 0..4_u32],
        parameters in prop::collection::vec(prop_oneof![0..4_u32, any::<u32>()], 0..26),
        length in prop::option::weighted(0.2, any::<u32>()),
        time in crate::fake::properties::answer(),
    ) {
        let platform = FakePlatform::new(1).answering(move |_| time);
        let mut agent = Agent::with(platform.with_memory(BASE - 0x80, &[0xaa; 0x200]));
        let header = scmi::header(protocol, message) | kind << 8;
        let words: Vec<u32> = [header].iter().chain(&parameters).copied().collect();
        let right = 4 * words.len() as u32;
        scmi::put(&mut agent.platform, BASE, length.unwrap_or(right), &words);
        prop_assert_eq!(agent.ring(), 0);
        for &(address, size) in &agent.platform.written {
            prop_assert!(address >= BASE && address + size as u64 <= BASE + SIZE as u64);
        }
        prop_assert_eq!(agent.platform.memory_word(BASE + 4) & 1, 1, "it is always freed");
    }
}
