// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Device trees as a kernel would read them.

use dtoolkit::fdt::Fdt;
use dtoolkit::model::{DeviceTreeNode, DeviceTreeProperty};
use dtoolkit::{Node, Property};
use fakemon_manifest::{Board, PrimeCell};
use proptest::prelude::*;

use super::*;
use crate::testing::board;

fn describe<'a>(board: &'a Board, mpidr: &'a [u64]) -> Description<'a> {
    Description {
        board,
        width: Width::AArch64,
        mpidr,
        gic: 3,
        ram: 512 << 20,
        bootargs: "console=ttyAMA0",
        initrd: Some(0x5000_0000..0x5000_1234),
    }
}

/// The value of a property, read back from the finished blob.
fn value(dtb: &[u8], path: &str, name: &str) -> Option<Vec<u8>> {
    let tree = Fdt::new(dtb).expect("what was built is a device tree");
    let mut node = tree.root();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        node = node.children().find(|child| child.name() == part)?;
    }
    node.property(name)
        .map(|property| property.value().to_vec())
}

fn cells(dtb: &[u8], path: &str, name: &str) -> Vec<u32> {
    let bytes = value(dtb, path, name).expect("the property is there");
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|cell| u32::from_be_bytes(*cell))
        .collect()
}

#[test]
fn another_vmms_tree_gets_what_the_board_has_and_keeps_the_rest() {
    let own = build(&describe(&board(""), &[0, 1]), None).expect("built");
    let more = r#"
        [[guest.dt]]
        path = "/psci"
        set = { method = "smc" }
        [[guest.dt]]
        path = "/apb-pclk"
        remove = true
    "#;
    let tree = read("own", &own).expect("a tree");
    let changed = with_board(tree, &board(more)).expect("changed");
    assert_eq!(value(&changed, "/psci", "method"), Some(b"smc\0".to_vec()));
    assert_eq!(value(&changed, "/apb-pclk", "compatible"), None);
    for (path, name) in [("/cpus/cpu@1", "reg"), ("/memory@40000000", "reg")] {
        assert_eq!(value(&changed, path, name), value(&own, path, name));
    }
}

#[test]
fn a_generated_tree_describes_the_machine() {
    let board = board("");
    let dtb = build(&describe(&board, &[0, 1, 0x100]), None).expect("built");
    assert_eq!(
        cells(&dtb, "/memory@40000000", "reg"),
        [0, 0x4000_0000, 0, 512 << 20]
    );
    assert_eq!(cells(&dtb, "/cpus/cpu@100", "reg"), [0x100]);
    let gic = cells(&dtb, "/intc@8000000", "reg");
    assert_eq!(
        gic,
        [0, 0x0800_0000, 0, 0x1_0000, 0, 0x080a_0000, 0, 0x6_0000]
    );
    let bootargs = value(&dtb, "/chosen", "bootargs");
    assert_eq!(bootargs.as_deref(), Some(&b"console=ttyAMA0\0"[..]));
    assert_eq!(cells(&dtb, "/chosen", "linux,initrd-end"), [0, 0x5000_1234]);
    let stdout = value(&dtb, "/chosen", "stdout-path");
    assert_eq!(stdout.as_deref(), Some(&b"/pl011@9000000\0"[..]));
    assert_eq!(
        value(&dtb, "/psci", "method"),
        None,
        "firmware is the board's business"
    );
}

#[test]
fn a_machine_has_a_clock_if_its_board_says_so() {
    let dtb = build(&describe(&board(""), &[0]), None).expect("built");
    assert_eq!(value(&dtb, "/rtc@9020000", "compatible"), None);
    let mut board = board("");
    let uart = board.machine.uart;
    board.machine.rtc = Some(PrimeCell {
        base: 0x0902_0000,
        irq: 2,
    });
    let dtb = build(&describe(&board, &[0]), None).expect("built");
    let compatible = value(&dtb, "/rtc@9020000", "compatible").expect("there");
    assert_eq!(compatible, b"arm,pl031\0arm,primecell\0");
    let reg = cells(&dtb, "/rtc@9020000", "reg");
    assert_eq!(reg, [0, 0x0902_0000, 0, 0x1000]);
    assert_eq!(cells(&dtb, "/rtc@9020000", "interrupts"), [0, 2, 4]);
    // The bus asks for its clock by this name, as it does for the console's.
    let names = value(&dtb, "/rtc@9020000", "clock-names");
    assert_eq!(names.as_deref(), Some(&b"apb_pclk\0"[..]));
    let console = cells(&dtb, &format!("/pl011@{:x}", uart.base), "clocks");
    assert_eq!(cells(&dtb, "/rtc@9020000", "clocks"), console[..1]);
}

#[test]
fn a_gic_v2_tree_names_the_cpus_that_get_the_timer() {
    let board = board("");
    let what = Description {
        gic: 2,
        width: Width::AArch32,
        ..describe(&board, &[0, 1, 2])
    };
    let dtb = build(&what, None).expect("built");
    assert_eq!(cells(&dtb, "/timer", "interrupts")[..3], [1, 13, 0x704]);
    let compatible = value(&dtb, "/intc@8000000", "compatible");
    assert_eq!(compatible.as_deref(), Some(&b"arm,cortex-a15-gic\0"[..]));
}

#[test]
fn changes_set_and_delete_properties_and_refer_to_nodes_made_later() {
    let board = board(
        r#"
[[guest.dt]]
path = "/psci"
set = { compatible = ["arm,psci-1.0", "arm,psci"], method = "smc", cpu_on = 0x84000003 }
[[guest.dt]]
path = "/timer"
delete = ["always-on"]
set = { after = ["&/soc/late@1000", 7], raw = { bytes = [1, 2, 3] } }
[[guest.dt]]
path = "/soc/late@1000"
set = { flag = true, interrupt-parent = "&/intc@8000000" }
"#,
    );
    let dtb = build(&describe(&board, &[0]), None).expect("built");
    let compatible = value(&dtb, "/psci", "compatible").expect("set");
    assert_eq!(compatible, b"arm,psci-1.0\0arm,psci\0");
    assert_eq!(cells(&dtb, "/psci", "cpu_on"), [0x8400_0003]);
    assert_eq!(value(&dtb, "/timer", "always-on"), None);
    assert_eq!(value(&dtb, "/timer", "raw"), Some(vec![1, 2, 3]));
    assert_eq!(value(&dtb, "/soc/late@1000", "flag"), Some(vec![]));
    let late = cells(&dtb, "/soc/late@1000", "phandle")[0];
    assert_eq!(cells(&dtb, "/timer", "after"), [late, 7]);
    let gic = cells(&dtb, "/intc@8000000", "phandle");
    assert_eq!(cells(&dtb, "/soc/late@1000", "interrupt-parent"), gic);
    assert_ne!(late, gic[0]);
}

#[test]
fn a_star_at_the_end_of_a_path_is_every_such_node() {
    let board = board(
        r#"
[[guest.dt]]
path = "/cpus/sleep"
[[guest.dt]]
path = "/cpus/cpu@*"
set = { cpu-idle-states = "&/cpus/sleep" }
[[guest.dt]]
path = "/none/*"
set = { never = true }
[[guest.dt]]
path = "/pl011@*"
remove = true
"#,
    );
    let dtb = build(&describe(&board, &[0, 1, 0x100]), None).expect("built");
    let sleep = cells(&dtb, "/cpus/sleep", "phandle");
    for cpu in ["cpu@0", "cpu@1", "cpu@100"] {
        assert_eq!(
            cells(&dtb, &format!("/cpus/{cpu}"), "cpu-idle-states"),
            sleep
        );
    }
    assert_eq!(value(&dtb, "/cpus/sleep", "cpu-idle-states"), None);
    assert_eq!(value(&dtb, "/pl011@9000000", "reg"), None);
    assert_eq!(value(&dtb, "/none", "never"), None);
}

#[test]
fn a_base_tree_keeps_its_devices_and_gets_this_machines_cpus_and_memory() {
    let plain = board("");
    let base = build(&describe(&plain, &[0, 1]), None).expect("built");
    let changed = board("[[guest.dt]]\npath = \"/pl011@9000000\"\nremove = true");
    let mut what = describe(&changed, &[0, 1, 2, 3]);
    what.ram = 256 << 20;
    what.initrd = None;
    let tree = read("base.dtb", &base).expect("a device tree");
    let dtb = build(&what, Some(tree)).expect("built");
    assert_eq!(
        cells(&dtb, "/memory@40000000", "reg"),
        [0, 0x4000_0000, 0, 256 << 20]
    );
    assert_eq!(cells(&dtb, "/cpus/cpu@3", "reg"), [3]);
    assert_eq!(value(&dtb, "/chosen", "linux,initrd-start"), None);
    assert_eq!(
        value(&dtb, "/pl011@9000000", "reg"),
        None,
        "the board removed it"
    );
    assert!(value(&dtb, "/timer", "interrupts").is_some());
    let tree = read("base.dtb", &base).expect("a device tree");
    let fewer = build(&describe(&plain, &[0]), Some(tree)).expect("built");
    assert_eq!(value(&fewer, "/cpus/cpu@1", "reg"), None);
}

#[test]
fn a_reference_to_a_node_that_is_not_there_says_which() {
    for changes in [
        "[[guest.dt]]\npath = \"/timer\"\nset = { clocks = \"&/soc/none\" }",
        "[[guest.dt]]\npath = \"/soc/none\"\n[[guest.dt]]\npath = \"/soc\"\nremove = true",
    ] {
        let board = board(changes);
        let error = build(&describe(&board, &[0]), None).expect_err("no such node");
        assert_eq!(
            error.to_string(),
            "board virt: the device tree has no node /soc/none; correct [[guest.dt]]"
        );
    }
    let board = board("[[guest.dt]]\npath = \"/soc/none\"\nremove = true");
    assert!(
        build(&describe(&board, &[0]), None).is_ok(),
        "it is not there, as it should be"
    );
}

#[test]
fn a_file_that_is_no_device_tree_is_refused() {
    let board = board("");
    let good = build(&describe(&board, &[0]), None).expect("built");
    let mut flipped = good.clone();
    flipped[0x38] ^= 0x40;
    for bytes in [
        &b""[..],
        b"MZ",
        &good[..good.len() - 4],
        &[0xff; 200],
        &flipped,
    ] {
        let error = read("x.dtb", bytes)
            .expect_err("not a device tree")
            .to_string();
        assert!(
            error.starts_with("x.dtb is not a device tree blob: "),
            "{error}"
        );
    }
    let mut deep = DeviceTreeNode::new_unchecked("n");
    for _ in 0..64 {
        let mut outer = DeviceTreeNode::new_unchecked("n");
        outer.add_child(deep);
        deep = outer;
    }
    let mut tree = DeviceTree::new();
    tree.root.add_child(deep);
    let error = read("x.dtb", &tree.to_dtb())
        .expect_err("too deep")
        .to_string();
    assert!(error.ends_with("nested more than 64 deep"), "{error}");
}

/// A property with more characters than the specification lets it have, as half of Linux's trees.
const LONG: &str = "snps,dis-u2-freeclk-exists-quirk";

#[test]
fn names_may_be_as_long_as_linux_has_them() {
    let board = board(&format!(
        "[[guest.dt]]\npath = \"/{LONG}@0\"\nset = {{ \"{LONG}\" = 7 }}"
    ));
    let dtb = build(&describe(&board, &[0]), None).expect("built");
    let tree = read("x.dtb", &dtb).expect("a device tree");
    let node = tree.root.child(&format!("{LONG}@0")).expect("the node");
    let property = node.property(LONG).expect("the property");
    assert_eq!(property.value(), [0, 0, 0, 7]);
}

#[test]
fn what_is_read_is_what_was_written() {
    let board = board("");
    let written = build(&describe(&board, &[0, 1]), None).expect("built");
    let mut tree = read("x.dtb", &written).expect("a device tree");
    assert_eq!(tree.to_dtb(), written);
    let reservation = dtoolkit::memreserve::MemoryReservation::new(0x4000_0000, 0x1000);
    tree.memory_reservations.push(reservation);
    let read = read("x.dtb", &tree.to_dtb()).expect("a device tree");
    assert_eq!(read.memory_reservations, [reservation]);
}

#[test]
fn a_large_node_is_not_copied_for_every_cpu() {
    let board = board("");
    let base = build(&describe(&board, &[0]), None).expect("built");
    let mut tree = read("x.dtb", &base).expect("a device tree");
    let cpu = tree
        .root
        .child_mut("cpus")
        .and_then(|cpus| cpus.child_mut("cpu@0"));
    let large = DeviceTreeProperty::new_unchecked("large", vec![0_u8; 1 << 20]);
    cpu.expect("a CPU").add_property(large);
    let mpidr: Vec<u64> = (0..123).collect();
    let mut what = describe(&board, &mpidr);
    what.bootargs = "";
    let error = build(&what, Some(tree)).expect_err("too large").to_string();
    assert!(
        error.contains("kernels take 2 MiB at most: give fewer CPUs"),
        "{error}"
    );
}

#[test]
fn a_tree_of_a_machine_with_other_interrupts_or_timers_is_refused() {
    let board = board("");
    let base = build(&describe(&board, &[0]), None).expect("built");
    for (path, word) in [
        ("/timer", "generic timer (arm,armv8-timer)"),
        ("/intc@8000000", "GICv3"),
    ] {
        let mut tree = read("x.dtb", &base).expect("a device tree");
        tree::remove(&mut tree, path);
        let error = build(&describe(&board, &[0]), Some(tree))
            .expect_err("a hang")
            .to_string();
        assert!(error.starts_with("the device tree has no "), "{error}");
        assert!(
            error.contains(word) && error.contains("another machine's"),
            "{error}"
        );
    }
    // A GICv3's tree for a guest that has a GICv2.
    let mut what = describe(&board, &[0]);
    what.gic = 2;
    let tree = read("x.dtb", &base).expect("a device tree");
    let error = build(&what, Some(tree)).expect_err("a hang").to_string();
    assert!(error.contains("no GICv2"), "{error}");
}

proptest! {
    /// Whatever is in a file, reading it ends, and what was taken for a tree can be used.
    #[test]
    fn damaged_trees_do_no_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let board = board("");
        let mut bytes = build(&describe(&board, &[0, 1]), None).expect("built");
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(tree) = read("x.dtb", &bytes) {
            let _refused = build(&describe(&board, &[0, 1, 2]), Some(tree));
        }
    }
}
