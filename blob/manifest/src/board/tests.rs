// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A good board is read whole; each kind of bad one is refused with the words that help its author.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::{Arch, Cell, DtValue, PageKind, PowerAction, Size};

pub(crate) const GOOD: &str = r#"
name = "virt"
description = "a machine for tests"
sources = ["Arm DEN 0022"]
families = ["A2"]
test = "driver"

[note]
conduits = ["smc"]
window = "smccc"
callers = ["aarch64"]
stack = 8192
[[note.ranges]]
first = 0x84000000
last = 0x8400001f
inputs = 4
outputs = 1
[[note.ranges]]
first = 0xc4000000
last = 0xc400001f

[functions]
"0x84000000" = "PSCI_VERSION"
"0x102" = "L2_CONTROL"

[function-id]
registers = ["x7", "x0"]

[machine]
memory = "256M"
ram-base = 0x40000000
gic = { versions = [3, 2], dist = 0x08000000, cpu = 0x08010000, redist = 0x080a0000 }
uart = { base = 0x09000000, irq = 1 }
mpidr = [0, 1, 2, 0x100]
[[machine.pages]]
name = "sregs"
base = 0x0a000000
size = 0x1000
kind = "constants"
registers = { "0x0" = 0x410000c7 }
[[machine.pages]]
name = "power"
base = 0x0a000f00
size = 4
kind = "power"
actions = { "1" = "reset", "3" = "off" }

[guest]
arch = "arm64"
kernel = "linux-image-arm64"
expect = ["psci: PSCIv1"]
[[guest.dt]]
path = "/psci"
delete = ["old"]
[guest.dt.set]
compatible = "arm,psci-1.0"
method = ["smc"]
on = [1, "&/psci"]
it = "&/a"
flag = true
also = {}
n = 7
raw = { bytes = [1, 255] }
[[guest.dt]]
path = "/soc/timer@fff34000"
remove = true
"#;

fn refusal(text: &str) -> String {
    match Board::parse(text, "virt") {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => error.to_string(),
    }
}

/// Replaces `from` in the good board and expects `words` in the refusal.
#[track_caller]
fn refused(from: &str, to: &str, words: &str) {
    assert!(GOOD.contains(from), "the good board has no {from:?}");
    let error = refusal(&GOOD.replacen(from, to, 1));
    assert!(error.contains(words), "{error:?} does not say {words:?}");
}

#[test]
fn a_good_board_is_read_whole() {
    let board = Board::parse(GOOD, "virt").expect("good");
    assert_eq!(board.machine.cpus, 4);
    assert_eq!(board.machine.memory, Size(256 << 20));
    assert_eq!(
        board.machine.memory_limit(),
        fakemon_abi::layout::MONITOR_BASE - 0x4000_0000
    );
    assert_eq!(board.machine.pages[0].kind, PageKind::Constants);
    assert_eq!(board.machine.pages[0].registers[&0], 0x4100_00c7);
    assert_eq!(board.machine.pages[1].actions[&3], PowerAction::Off);
    assert_eq!(board.guest.arch, Arch::Arm64);
    let set = &board.guest.dt[0].set;
    assert_eq!(
        set["compatible"],
        DtValue::Strings(vec!["arm,psci-1.0".into()])
    );
    assert_eq!(set["method"], DtValue::Strings(vec!["smc".into()]));
    assert_eq!(
        set["on"],
        DtValue::Cells(vec![Cell::Number(1), Cell::Phandle("/psci".into())])
    );
    assert_eq!(set["it"], DtValue::Cells(vec![Cell::Phandle("/a".into())]));
    assert_eq!(set["flag"], DtValue::Empty);
    assert_eq!(set["also"], DtValue::Empty);
    assert_eq!(set["n"], DtValue::Cells(vec![Cell::Number(7)]));
    assert_eq!(set["raw"], DtValue::Bytes(vec![1, 255]));
    assert_eq!(board.guest.dt[0].delete, ["old"]);
    assert!(board.guest.dt[1].remove);
}

#[test]
fn the_note_takes_the_windows_maximum_where_a_range_is_silent() {
    let note = Board::parse(GOOD, "virt").expect("good");
    let note = note.note.to_abi(&note.name);
    assert_eq!(note.range_count, 2);
    assert_eq!((note.ranges[0].inputs, note.ranges[0].outputs), (4, 1));
    assert_eq!((note.ranges[1].inputs, note.ranges[1].outputs), (8, 4));
    assert_eq!(note.abi, fakemon_abi::ABI_VERSION);
    assert_eq!(&note.board[..5], b"virt\0");
}

#[test]
fn a_call_is_named_by_the_first_register_that_has_a_name() {
    let board = Board::parse(GOOD, "virt").expect("good");
    let psci = [0xffff_ffff_8400_0000, 0, 0, 0, 0, 0, 0, 5];
    assert_eq!(board.function_name(&psci), Some("PSCI_VERSION"));
    assert_eq!(board.function_id(&psci), 0x8400_0000);
    let l2 = [0x8400_0000, 0, 0, 0, 0, 0, 0, 0x102];
    assert_eq!(
        board.function_name(&l2),
        Some("L2_CONTROL"),
        "x7 is asked first"
    );
    let unknown = [1, 0, 0, 0, 0, 0, 0, 2];
    assert_eq!(board.function_name(&unknown), None);
    assert_eq!(board.function_id(&unknown), 2);
    assert_eq!(board.function_name(&[]), None);
    assert_eq!(board.function_id(&[]), 0);
}

#[test]
fn a_bad_head_is_refused() {
    let error = Board::parse(GOOD, "other")
        .expect_err("wrong directory")
        .to_string();
    assert!(error.contains("directory is called \"other\""), "{error}");
    let error = Board::parse(&GOOD.replacen("\"virt\"", "\"Virt\"", 1), "Virt");
    assert!(
        error
            .expect_err("capital")
            .to_string()
            .contains("lower-case")
    );
    refused(
        "\"a machine for tests\"",
        "\" \"",
        "description: is one line",
    );
    refused("[\"Arm DEN 0022\"]", "[]", "sources: name at least one");
    refused("[\"A2\"]", "[]", "families: name at least one");
    refused("[\"A2\"]", "[\"A13\"]", "families: \"A13\" is no family");
    refused("[\"A2\"]", "[\"A2\", \"A2\"]", "families");
    refused("\"driver\"", "\"hope\"", "unknown variant `hope`");
}

#[test]
fn the_parsers_own_place_is_shown() {
    let error = refusal("name = virt");
    assert!(error.starts_with("board.toml of virt: "), "{error}");
    assert!(error.contains("line 1, column 8"), "{error}");
    refused(
        "stack = 8192",
        "stack = 8192\nstak = 1",
        "unknown field `stak`",
    );
    refused("ram-base = 0x40000000", "", "missing field `ram-base`");
}

#[test]
fn a_bad_note_is_refused() {
    refused(
        "conduits = [\"smc\"]",
        "conduits = []",
        "note.conduits: names at least one",
    );
    refused(
        "conduits = [\"smc\"]",
        "conduits = [\"smc\", \"smc\"]",
        "names one twice",
    );
    refused(
        "window = \"smccc\"",
        "window = \"legacy32\"",
        "aarch32 callers alone",
    );
    refused(
        "stack = 8192",
        "stack = 100",
        "note.stack: is a multiple of 4096",
    );
    refused(
        "stack = 8192",
        "stack = 0xd000",
        "note.stack: is a multiple of 4096",
    );
    refused(
        "last = 0x8400001f",
        "last = 0x83000000",
        "note.ranges[0]: ends at 0x83000000, before",
    );
    refused(
        "first = 0xc4000000\nlast = 0xc400001f",
        "first = 0x8400001f\nlast = 0x84000020",
        "note.ranges[1]: starts at 0x8400001f",
    );
    refused(
        "first = 0x84000000",
        "first = 0x8000ffff",
        "which KVM answers itself",
    );
    refused("last = 0xc400001f", "last = 0x1ffffffff", "invalid value");
    refused(
        "inputs = 4",
        "inputs = 9",
        "note.ranges[0].inputs: is 1 to 8",
    );
    refused(
        "inputs = 4",
        "inputs = 0",
        "note.ranges[0].inputs: is 1 to 8",
    );
    refused(
        "outputs = 1",
        "outputs = 5",
        "note.ranges[0].outputs: is 1 to 4",
    );
    refused(
        "inputs = 4\noutputs = 1",
        "inputs = 2\noutputs = 3",
        "exceeds inputs",
    );
}

#[test]
fn bad_function_names_are_refused() {
    refused("\"0x102\"", "\"twelve\"", "\"twelve\" is not a number");
    refused("\"0x102\"", "\"2214592512\"", "a second time");
    refused(
        "\"0x102\"",
        "\"0x100000000\"",
        "is not a 32-bit function ID",
    );
    refused("\"L2_CONTROL\"", "\"\"", "has an empty name");
    refused(
        "[\"x7\", \"x0\"]",
        "[]",
        "function-id.registers: names at least one",
    );
    refused(
        "[\"x7\", \"x0\"]",
        "[\"x8\"]",
        "register 8 lies outside the window",
    );
    refused("[\"x7\", \"x0\"]", "[\"sp\"]", "\"sp\" is not a register");
    refused("[\"x7\", \"x0\"]", "[\"x+7\"]", "\"x+7\" is not a register");
}

#[test]
fn a_bad_machine_is_refused() {
    refused(
        "memory = \"256M\"",
        "memory = \"lots\"",
        "\"lots\" is not a size",
    );
    refused(
        "memory = \"256M\"",
        "memory = \"99999999G\"",
        "must end at or below",
    );
    refused(
        "memory = \"256M\"",
        "memory = 100",
        "machine.memory: size and base",
    );
    refused("memory = \"256M\"", "cpus = 0", "machine.cpus: is 1 to 512");
    refused("versions = [3, 2]", "versions = [4]", "4 is not 2 or 3");
    refused(
        ", cpu = 0x08010000",
        "",
        "machine.gic.cpu: is missing, and version 2",
    );
    refused(
        "dist = 0x08000000",
        "dist = 0x08001000",
        "multiple of 0x10000 for version 3",
    );
    refused(
        "redist = 0x080a0000",
        "redist = 0x08fe0000",
        "machine.uart: lies on machine.gic.redist",
    );
    refused("irq = 1", "irq = 988", "machine.uart.irq");
    refused(
        "mpidr = [0, 1, 2, 0x100]",
        "mpidr = [0, 1]",
        "2 entries for 4 CPUs",
    );
    refused(
        "mpidr = [0, 1, 2, 0x100]",
        "mpidr = [0, 1, 1, 2]",
        "names a CPU twice",
    );
    refused(
        "mpidr = [0, 1, 2, 0x100]",
        "mpidr = [0, 1, 2, 0x80000003]",
        "affinity fields only",
    );
    refused(
        "ram-base = 0x40000000",
        "ram-base = 0x00000000",
        "machine.gic.dist: lies on machine.memory",
    );
}

#[test]
fn bad_pages_are_refused() {
    refused(
        "base = 0x0a000000",
        "base = 0x40000000",
        "\"sregs\": lies on machine.memory",
    );
    refused(
        "base = 0x0a000000",
        "base = 0x0a000002",
        "\"sregs\".base: and size are multiples of 4",
    );
    refused(
        "base = 0x0a000f00\nsize = 4",
        "base = 0x0a000ffc\nsize = 8",
        "lies partly on machine.pages \"sregs\"",
    );
    refused(
        "base = 0x0a000f00\nsize = 4",
        "base = 0x0a000000\nsize = 0x1000",
        "lies partly on",
    );
    refused(
        "kind = \"constants\"",
        "kind = \"ram\"",
        "mean nothing for this kind",
    );
    refused(
        "{ \"0x0\" = 0x410000c7 }",
        "{ \"0x1000\" = 1 }",
        "multiples of 4 inside the page",
    );
    refused(
        "actions = { \"1\" = \"reset\", \"3\" = \"off\" }",
        "",
        "needs at least one",
    );
    refused(
        "\"3\" = \"off\"",
        "\"3\" = \"explode\"",
        "unknown variant `explode`",
    );
    refused("size = 0x1000", "size = 0", "\"sregs\".size");
    refused(
        "size = 0x1000",
        "size = 0x7fffffffffffffff",
        "\"sregs\".size",
    );
}

#[test]
fn a_bad_guest_is_refused() {
    refused(
        "arch = \"arm64\"",
        "arch = \"armhf\"",
        "note.callers does not let in",
    );
    refused("\"linux-image-arm64\"", "\"\"", "guest.kernel");
    refused("[\"psci: PSCIv1\"]", "[]", "guest.expect");
    refused(
        "expect =",
        "reset = [\"x\"]\nexpect =",
        "guest.reset: says what a reset shows",
    );
    refused(
        "path = \"/psci\"",
        "path = \"psci\"",
        "guest.dt[0].path: \"psci\" is not a full path",
    );
    refused(
        "remove = true",
        "remove = true\ndelete = [\"x\"]",
        "guest.dt[1]: removes the node and changes",
    );
    refused("\"/soc/timer@fff34000\"", "\"/\"", "removes the whole tree");
    refused(
        "[1, \"&/psci\"]",
        "[1, \"psci\"]",
        "\"psci\" among cells is not a phandle",
    );
    refused("[1, \"&/psci\"]", "[]", "an empty list says nothing");
    refused("[1, \"&/psci\"]", "[1.5]", "a float is no part");
    refused("flag = true", "flag = false", "use true, or `delete`");
    refused("n = 7", "n = 0x100000000", "does not fit a 32-bit cell");
    refused("{ bytes = [1, 255] }", "{ bytes = [1, 256] }", "0 to 255");
    refused("{ bytes = [1, 255] }", "{ bits = [1] }", "0 to 255");
}

#[test]
fn a_missing_file_is_named() {
    let error = Board::load(Path::new("no/such/board"))
        .expect_err("missing")
        .to_string();
    assert!(error.contains("no/such/board/board.toml"), "{error}");
}

#[test]
fn sizes_are_read_and_shown() {
    for (text, bytes) in [
        ("512M", 512 << 20),
        ("1g", 1 << 30),
        ("64K", 65536),
        ("0x1000", 4096),
    ] {
        assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
    }
    for text in ["", "M", "-1M", "+1M", "1.5G", "0x+1", "99999999999999G"] {
        assert!(text.parse::<Size>().is_err(), "{text}");
    }
    assert_eq!(Size(512 << 20).to_string(), "512M");
    assert_eq!(Size(100).to_string(), "100");
    assert_eq!(Size(0).to_string(), "0");
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in ".*") {
        let _ = Board::parse(&text, "virt");
        let _ = text.parse::<Size>();
    }

    #[test]
    fn a_damaged_board_never_panics(
        at in 0..GOOD.len(),
        byte in 0x20u8..0x7f,
        cut in any::<bool>(),
    ) {
        let mut text = GOOD.as_bytes().to_vec();
        text[at] = byte;
        text.truncate(if cut { at } else { text.len() });
        if let Ok(text) = String::from_utf8(text) && let Ok(board) = Board::parse(&text, "virt") {
            let note = board.note.to_abi(&board.name);
            prop_assert_eq!(note.range_count as usize, board.note.ranges.len());
        }
    }

    #[test]
    fn every_number_survives(base in any::<i64>(), size in any::<i64>()) {
        let text = GOOD
            .replacen("0x0a000000", &base.to_string(), 1)
            .replacen("size = 0x1000", &format!("size = {size}"), 1);
        let _ = Board::parse(&text, "virt");
    }
}

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
