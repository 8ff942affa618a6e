// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Makes a tree fit this machine: its CPUs, its memory, and what the kernel is told at boot.

use dtoolkit::model::{DeviceTree, DeviceTreeNode};
use dtoolkit::{Node, Property};
use fakemon_host::Width;

use super::tree::{self, cell, cells, in_cells, node, pair, strings};
use super::{Description, DtError};
use crate::loader::layout::DTB_SPACE;

/// Gives a base tree as many CPU nodes as the machine has CPUs. Nodes that are missing are copies
/// of the first one.
pub(super) fn cpus(tree: &mut DeviceTree, what: &Description<'_>) -> Result<(), DtError> {
    let parent = tree
        .root
        .child_mut("cpus")
        .ok_or(DtError::Unfit("/cpus node"))?;
    let is_cpu = |node: &&DeviceTreeNode| has_type(node, b"cpu\0");
    let nodes: Vec<DeviceTreeNode> = parent.children().filter(is_cpu).cloned().collect();
    let first = nodes.first().ok_or(DtError::Unfit("CPU node"))?.clone();
    // Copies of a large node could take any amount of memory.
    let copies = what.mpidr.len().saturating_sub(nodes.len());
    let size = copies.saturating_mul(tree::size(&first));
    if size as u64 > DTB_SPACE {
        return Err(DtError::TooBig(size));
    }
    for node in &nodes {
        parent.remove_child(node.name());
    }
    let width = cell(parent, "#address-cells").unwrap_or(1);
    for (number, &mpidr) in what.mpidr.iter().enumerate() {
        let template = nodes.get(number).unwrap_or(&first);
        let mut node = DeviceTreeNode::new_unchecked(format!("cpu@{mpidr:x}"));
        for property in template.properties() {
            // A copied phandle would make two nodes answer to one reference.
            if number < nodes.len() || property.name() != "phandle" {
                node.add_property(property.clone());
            }
        }
        for child in template.children() {
            node.add_child(child.clone());
        }
        node.add_property(cells("reg", &in_cells(mpidr, width)));
        parent.add_child(node);
    }
    Ok(())
}

/// Describes RAM, in place of all memory nodes that there are.
pub(super) fn memory(tree: &mut DeviceTree, what: &Description<'_>) {
    let root = &mut tree.root;
    let is_memory = |node: &&DeviceTreeNode| has_type(node, b"memory\0");
    let old: Vec<String> = root
        .children()
        .filter(is_memory)
        .map(|node| node.name().to_owned())
        .collect();
    for name in old {
        root.remove_child(&name);
    }
    let base = what.board.machine.ram_base;
    let mut reg = in_cells(base, cell(root, "#address-cells").unwrap_or(2));
    reg.extend(in_cells(what.ram, cell(root, "#size-cells").unwrap_or(1)));
    let name = format!("memory@{base:x}");
    root.add_child(node(
        &name,
        [strings("device_type", &["memory"]), cells("reg", &reg)],
    ));
}

/// Tells the kernel its command line and where the initrd is.
pub(super) fn chosen(tree: &mut DeviceTree, what: &Description<'_>) {
    let stdout = tree
        .root
        .child("chosen")
        .and_then(|node| node.property("stdout-path"))
        .cloned();
    let mut chosen = node("chosen", [strings("bootargs", &[what.bootargs])]);
    if let Some(stdout) = stdout {
        chosen.add_property(stdout);
    }
    if let Some(initrd) = &what.initrd {
        chosen.add_property(cells("linux,initrd-start", &pair(initrd.start)));
        chosen.add_property(cells("linux,initrd-end", &pair(initrd.end)));
    }
    tree.root.add_child(chosen);
}

/// Refuses a tree without the interrupt controller and the timer that KVM has: its kernel could not
/// even say what it misses.
pub(super) fn check(tree: &DeviceTree, what: &Description<'_>) -> Result<(), DtError> {
    let (timer, timers) = match what.width {
        Width::AArch64 => ("arm,armv8-timer", ["arm,armv8-timer"].as_slice()),
        Width::AArch32 => (
            "arm,armv7-timer",
            ["arm,armv7-timer", "arm,armv8-timer"].as_slice(),
        ),
    };
    let is_timer = |node: &DeviceTreeNode| tree::is_compatible(node, |name| timers.contains(&name));
    // Version 2 has many names; what they share is enough to know it from other controllers.
    let (gic, compatible, v3) = match what.gic {
        2 => ("GICv2", "such as arm,gic-400", false),
        _ => ("GICv3", "arm,gic-v3", true),
    };
    let is_gic = |node: &DeviceTreeNode| {
        let is_v3 = tree::is_compatible(node, |name| name == "arm,gic-v3");
        let is_any = tree::is_compatible(node, |name| name.contains("gic") || name == "arm,pl390");
        node.property("interrupt-controller").is_some() && is_any && is_v3 == v3
    };
    let need = |there: bool, what_is: &'static str, compatible: &'static str| match there {
        true => Ok(()),
        false => Err(DtError::OtherMachine {
            board: what.board.name.clone(),
            what: what_is,
            compatible,
        }),
    };
    need(tree::any(&tree.root, &is_gic), gic, compatible)?;
    need(tree::any(&tree.root, &is_timer), "generic timer", timer)
}

fn has_type(node: &DeviceTreeNode, kind: &[u8]) -> bool {
    node.property("device_type")
        .is_some_and(|property| property.value() == kind)
}
