// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What Linux' SCMI drivers ask of this board, in the order in which they do.

use std::path::Path;

use fakemon_firmware::Width::AArch64;
use fakemon_firmware::abi::frame::REGS;
use fakemon_firmware::fake::{Asked, FakePlatform, properties, scmi};
use fakemon_manifest::{Board as Manifest, PageKind};

use super::*;

include!(concat!(env!("OUT_DIR"), "/note.rs"));

const NOT_SUPPORTED: u64 = u64::MAX;
const BASE: u64 = SHARED.0;
const SIZE: usize = SHARED.1;

/// A machine at `time` nanoseconds, with RAM around the shared memory.
fn machine(time: u64) -> FakePlatform {
    let platform = FakePlatform::new(1).answering(move |asked| match asked {
        Asked::Time => Ok([0, time, 0, 0]),
        _ => Ok([0; 4]),
    });
    platform.with_memory(BASE, &[0; 0x1000])
}

fn ring(platform: &mut FakePlatform, board: &S32g2) -> [u64; REGS] {
    // The kernel passes the page and offset of the channel, which are 0 for this binding.
    platform.smc(board, AArch64, &[u64::from(function::S32_SCMI.0), 0, 0, 5])
}

/// Sends a command; the answer is its status and the words after it.
fn send(
    platform: &mut FakePlatform,
    board: &S32g2,
    message: (u8, u8),
    parameters: &[u32],
) -> (i32, Vec<u32>) {
    let (status, data) = scmi::send(platform, BASE, message, parameters, |platform| {
        let after = ring(platform, board);
        assert_eq!(after[..5], [0, 0, 0, 5, 0]);
    });
    let (words, _) = data.as_chunks::<4>();
    (
        status,
        words.iter().copied().map(u32::from_le_bytes).collect(),
    )
}

/// The board as it is when the kernel comes to SCMI.
fn booted(platform: &mut FakePlatform) -> S32g2 {
    let board = S32g2::NEW;
    assert_eq!(platform.smc(&board, AArch64, &[0x8400_0000])[0], 0x1_0001);
    board
}

#[test]
fn the_kernel_finds_the_channel_free() {
    let mut platform = machine(0);
    booted(&mut platform);
    assert_eq!(platform.memory_word(BASE + 4), 1);
    assert_eq!(platform.written, [(BASE + 4, 4)]);
}

#[test]
fn the_kernel_finds_nxps_firmware() {
    let mut platform = machine(0);
    let board = booted(&mut platform);
    let mut ask = |message, parameters: &[u32]| {
        let (status, words) = send(&mut platform, &board, (0x10, message), parameters);
        assert_eq!(status, 0);
        words
    };
    let text = |text: &[u8; 4]| u32::from_le_bytes(*text);
    assert_eq!(ask(0, &[]), [0x2_0000]);
    assert_eq!(ask(1, &[]), [0x102]);
    assert_eq!(ask(3, &[]), [text(b"NXP\0"), 0, 0, 0]);
    assert_eq!(ask(4, &[]), [text(b"IMX\0"), 0, 0, 0]);
    assert_eq!(ask(5, &[]), [0x20b_0000]);
    assert_eq!(ask(6, &[0]), [2, 0x8114]);
    assert_eq!(ask(7, &[0]), [0, text(b"plat"), text(b"form"), 0, 0]);
}

#[test]
fn the_kernel_sets_a_rate_and_finds_what_the_divider_makes() {
    let mut platform = machine(0);
    let board = booted(&mut platform);
    let mut ask =
        |message, parameters: &[u32]| send(&mut platform, &board, (0x14, message), parameters);
    assert_eq!(ask(1, &[]), (0, vec![CLOCK_COUNT as u32]));
    assert_eq!(ask(6, &[33]), (0, vec![400_000_000, 0]));
    assert_eq!(ask(5, &[0, 33, 150_000_000, 0]), (0, vec![]));
    assert_eq!(ask(6, &[33]), (0, vec![133_333_333, 0]));
    assert_eq!(ask(0xb, &[33, 0]), (0, vec![0, 0, 0]), "off at reset");
    assert_eq!(ask(7, &[33, 1, 0]), (0, vec![]));
    assert_eq!(ask(0xb, &[33, 0]), (0, vec![0, 1, 0]));
    assert_eq!(ask(7, &[0, 0, 0]), (-3, vec![]), "the CPU's own clock");
    assert_eq!(ask(6, &[40]), (-4, vec![]));
}

#[test]
fn the_kernel_sets_the_real_time_clock() {
    let mut platform = machine(1_700_000_000_000_000_000);
    let board = booted(&mut platform);
    let mut ask =
        |message, parameters: &[u32]| send(&mut platform, &board, (0x81, message), parameters);
    assert_eq!(ask(0, &[]), (0, vec![0x1_0000]));
    assert_eq!(ask(7, &[0, 0]), (0, vec![1_700_000_000, 0]));
    assert_eq!(ask(6, &[0, 0, 1_000_000_000, 0]), (0, vec![]));
    assert_eq!(ask(7, &[0, 0]), (0, vec![1_000_000_000, 0]));
}

#[test]
fn a_reset_brings_back_the_state_at_reset() {
    let mut platform = machine(0);
    let board = booted(&mut platform);
    send(&mut platform, &board, (0x14, 5), &[0, 33, 150_000_000, 0]);
    let board = booted(&mut platform);
    let rate = send(&mut platform, &board, (0x14, 6), &[33]);
    assert_eq!(rate, (0, vec![400_000_000, 0]));
}

#[test]
fn each_clock_has_a_name_of_its_own_and_a_rate_that_it_can_have() {
    use fakemon_firmware::clocks::Round;
    for (n, clock) in CLOCKS.iter().enumerate() {
        let round = |how| clock.rates.round(clock.rate, how);
        assert_eq!(round(Round::Down), Some(clock.rate), "{}", clock.name);
        assert!((1..=15).contains(&clock.name.len()), "{}", clock.name);
        assert!(CLOCKS[..n].iter().all(|other| other.name != clock.name));
    }
}

#[test]
fn the_device_tree_names_what_the_blob_serves() {
    let board = Manifest::load(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("a good board.toml");
    let page = board.machine.pages.iter().find(|page| page.base == BASE);
    let page = page.expect("the shared memory");
    assert!(page.kind == PageKind::Ram && page.size >= SIZE as u64);
    let text = include_str!("../board.toml");
    assert!(text.contains(&format!("\"arm,smc-id\" = {:#x}", function::S32_SCMI.0)));
    assert!(text.contains(&format!("reg = [0, {BASE:#x}, 0, {SIZE:#x}]")));
}

#[test]
fn other_calls_of_the_vendor_are_not_supported() {
    for id in [
        0xc200_0000,
        0xc200_00fd,
        0xc200_00ff,
        0x8200_00fe,
        0x8200_ff01,
        0x8400_0050,
    ] {
        let mut platform = machine(0);
        let board = S32g2::NEW;
        let after = platform.smc(&board, AArch64, &[id, 1, 2, 3]);
        assert_eq!(after[..4], [NOT_SUPPORTED, 1, 2, 3], "{id:#x}");
        assert_eq!(
            platform.written,
            [(BASE + 4, 4)],
            "only the channel is freed"
        );
    }
}

#[test]
fn no_message_writes_outside_the_shared_memory() {
    let mut platform = machine(5);
    let board = booted(&mut platform);
    let messages = [0x10, 0x14, 0x15, 0x81].into_iter();
    for (protocol, message) in messages.flat_map(|protocol| (0..0x20).map(move |m| (protocol, m))) {
        for words in 0..26 {
            for value in [0, 1, 33, u32::MAX] {
                send(
                    &mut platform,
                    &board,
                    (protocol, message),
                    &vec![value; words],
                );
                let inside = |&(address, size): &(u64, usize)| {
                    address >= BASE && address + size as u64 <= BASE + SIZE as u64
                };
                assert!(
                    platform.written.iter().all(inside),
                    "{:?}",
                    platform.written
                );
            }
        }
    }
}

#[test]
fn any_calls_do_no_harm() {
    properties::check::<S32g2>(&NOTE, AArch64, &[(BASE, SIZE)]);
}
