// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Makes a tree fit this machine: its CPUs, its memory, and what the kernel is told at boot.

use dtoolkit::model::{DeviceTree, DeviceTreeNode};
use dtoolkit::{Node, Property};

use super::tree::{cell, cells, in_cells, node, pair, strings};
use super::{Description, DtError};

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

fn has_type(node: &DeviceTreeNode, kind: &[u8]) -> bool {
    node.property("device_type")
        .is_some_and(|property| property.value() == kind)
}
