// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A board for this crate's unit tests.

use fakemon_manifest::Board;

const BOARD: &str = r#"
name = "virt"
description = "a board"
sources = ["none"]
families = ["A2"]
test = "driver"
[note]
conduits = ["smc"]
window = "smccc"
callers = ["aarch64"]
guest-memory = "none"
stack = 8192
ranges = [{ first = 0x84000000, last = 0x8400001f }]
[machine]
ram-base = 0x40000000
gic = { versions = [3, 2], dist = 0x08000000, cpu = 0x08010000, redist = 0x080a0000 }
uart = { base = 0x09000000, irq = 1 }
[guest]
arch = "arm64"
kernel = "linux-image-arm64"
expect = ["psci"]
"#;

/// The board, with more tables.
pub(crate) fn board(more: &str) -> Board {
    Board::parse(&format!("{BOARD}\n{more}"), "virt").expect("a valid board")
}
