// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A board that replays calls, and what keeps one from doing so.

use super::*;

/// The good board as one that replays calls.
fn replaying() -> String {
    let head = &GOOD[..GOOD.find("[guest]").expect("a guest")];
    let head = head
        .replace("\"driver\"", "\"replay\"")
        .replace("\"smccc\"", "\"legacy32\"")
        .replace("aarch64", "aarch32")
        .replace("\"x7\"", "\"r12\"");
    format!("{head}[guest]\narch = \"armhf\"\nkernel = \"replay\"\n")
}

#[test]
fn a_board_that_replays_calls_needs_no_more_than_a_way_to_end() {
    let board = Board::parse(&replaying(), "virt").expect("good");
    assert_eq!(board.machine.power_off(), Some((0x0a00_0f00, 3)));
}

#[test]
fn a_replay_on_an_unsuitable_board_is_refused() {
    for (from, to, words) in [
        (
            "\"replay\"\n\n[note]",
            "\"driver\"\n\n[note]",
            "guest.expect",
        ),
        (
            "kernel = \"replay\"",
            "kernel = \"linux-image-armmp\"",
            "guest.kernel",
        ),
        (
            "kernel = \"replay\"",
            "kernel = \"replay\"\nreboots = true",
            "mean nothing",
        ),
        (
            "kernel = \"replay\"",
            "kernel = \"replay\"\ncounter = [{ pattern = \"a\", kernel = \">=7\" }]",
            "mean nothing",
        ),
        (
            "\"3\" = \"off\"",
            "\"3\" = \"none\"",
            "with which a replay ends",
        ),
        ("256M", "32M", "64 MiB or more"),
        (
            "ram-base = 0x40000000",
            "ram-base = 0x40001000",
            "multiples of 1 MiB",
        ),
        (
            "base = 0x0a000000",
            "base = 0xc2000000",
            "where a replay puts itself",
        ),
        (
            "dist = 0x08000000",
            "dist = 0xc2000000",
            "where a replay puts itself",
        ),
        ("base = 0x09000000", "base = 0x100000000", "above 4 GiB"),
    ] {
        let good = replaying();
        assert!(good.contains(from), "the good board has no {from:?}");
        let error = refusal(&good.replacen(from, to, 1));
        assert!(error.contains(words), "{error:?} does not say {words:?}");
    }
    refused(
        "kernel = \"linux-image-arm64\"",
        "kernel = \"replay\"",
        "if and only if test is",
    );
}
