// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A good board is read whole, and what it says can be asked for.

use std::path::Path;

use proptest::prelude::*;

use super::*;

mod refused;
mod replay;
use crate::{Arch, Cell, DtValue, Page, PageKind, PowerAction, Size};

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
rtc = { base = 0x09020000, irq = 2 }
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
expect = ["psci: PSCIv1", { pattern = "psci: v2", kernel = ">=7.1, <7.3" }]
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
fn a_machine_has_room_for_so_many_cpus() {
    let mut board = Board::parse(GOOD, "virt").expect("a good board");
    let machine = &mut board.machine;
    machine.gic.versions = vec![3, 2];
    machine.gic.redist = Some(0x80a_0000);
    machine.uart.base = 0x900_0000;
    machine.pages.clear();
    machine.mpidr = None;
    assert_eq!(machine.cpus_limit(None).0, 123);
    assert_eq!(machine.cpus_limit(Some(2)), (8, " with a GICv2"));
    // A page, the distributor or RAM in the way counts as much as the console.
    machine.gic.dist = 0x80a_0000 + 5 * 0x2_0000;
    assert_eq!(machine.cpus_limit(None).0, 5);
    machine.ram_base = 0x80a_0000 + 4 * 0x2_0000;
    assert_eq!(machine.cpus_limit(Some(3)).0, 4);
    machine.mpidr = Some(vec![0, 1]);
    assert_eq!(
        machine.cpus_limit(None),
        (2, " (its board.toml numbers no more)")
    );
    // Each CPU has a structure for its stolen time, if any has.
    machine.gic.dist = 0x800_0000;
    machine.ram_base = 0x4000_0000;
    machine.mpidr = None;
    machine.pages = vec![stolen_time(0x1000)];
    assert_eq!(
        machine.cpus_limit(None),
        (64, " (its page of stolen time structures has no more)")
    );
    assert_eq!(machine.stolen_time(63), Some(0x901_0fc0));
    machine.pages = vec![stolen_time(0x2000)];
    assert_eq!(machine.cpus_limit(None).0, 123);
    assert_eq!(machine.stolen_time(122), Some(0x901_1e80));
}

fn stolen_time(size: u64) -> Page {
    let text = format!("name = 'p'\nbase = 0x9010000\nsize = {size}\nkind = 'stolen-time'");
    toml::from_str(&text).expect("a page")
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
    let [always, ranged] = &board.guest.expect[..] else {
        panic!("{:?}", board.guest.expect);
    };
    assert_eq!(
        (always.text.as_str(), ranged.text.as_str()),
        ("psci: PSCIv1", "psci: v2")
    );
    let kernel = |version: &str| version.parse().ok();
    assert!(always.counts(None) && !ranged.counts(None));
    assert!(ranged.counts(kernel("7.2.1")) && !ranged.counts(kernel("7.3")));
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
