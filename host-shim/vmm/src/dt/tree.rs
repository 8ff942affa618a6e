// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Small tools on a device tree: exact paths, cells and phandles.

use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};
use dtoolkit::{Node, Property};

/// Bytes that a node with all below it takes up at least.
pub(super) fn size(node: &DeviceTreeNode) -> usize {
    let own: usize = node.properties().map(|p| 12 + p.value().len()).sum();
    let below: usize = node.children().map(size).sum();
    8 + node.name().len() + own + below
}

/// Tells whether a node, or one below it, satisfies `wanted`.
pub(super) fn any(node: &DeviceTreeNode, wanted: &impl Fn(&DeviceTreeNode) -> bool) -> bool {
    wanted(node) || node.children().any(|child| any(child, wanted))
}

/// Tells whether a node is compatible with something of which `wanted` is true.
pub(super) fn is_compatible(node: &DeviceTreeNode, wanted: impl Fn(&str) -> bool) -> bool {
    let list = node.property("compatible");
    list.is_some_and(|list| {
        let mut names = list.value().split(|&byte| byte == 0);
        names.any(|name| std::str::from_utf8(name).is_ok_and(&wanted))
    })
}

/// Tells why a board may not give a node (`of_node`) or property this name: the characters are the
/// specification's, and nobody but the specification has a limit of their number.
pub(super) fn check_name(name: &str, of_node: bool) -> Result<(), String> {
    let (more, what) = if of_node {
        ("@", "node")
    } else {
        ("?#", "property")
    };
    let good = |c: char| c.is_ascii_alphanumeric() || ",._+-".contains(c) || more.contains(c);
    if name.is_empty() || !name.chars().all(good) || name.matches('@').count() > 1 {
        return Err(format!("a {what} cannot be called {name:?}"));
    }
    Ok(())
}

/// A new node, with properties.
pub(super) fn node<const N: usize>(name: &str, with: [DeviceTreeProperty; N]) -> DeviceTreeNode {
    let mut node = DeviceTreeNode::new_unchecked(name);
    for property in with {
        node.add_property(property);
    }
    node
}

/// A property of 32-bit cells.
pub(super) fn cells(name: &str, cells: &[u32]) -> DeviceTreeProperty {
    let bytes: Vec<u8> = cells.iter().flat_map(|cell| cell.to_be_bytes()).collect();
    DeviceTreeProperty::new_unchecked(name, bytes)
}

/// A property of strings.
pub(super) fn strings(name: &str, strings: &[&str]) -> DeviceTreeProperty {
    let bytes: Vec<u8> = strings.iter().flat_map(|s| s.bytes().chain([0])).collect();
    DeviceTreeProperty::new_unchecked(name, bytes)
}

/// A property without value.
pub(super) fn empty(name: &str) -> DeviceTreeProperty {
    DeviceTreeProperty::new_unchecked(name, Vec::<u8>::new())
}

/// A 64-bit number as two cells.
pub(super) fn pair(number: u64) -> [u32; 2] {
    [(number >> 32) as u32, number as u32]
}

/// A number in as many cells as a parent's #address-cells or #size-cells says; only the low 64 bits
/// can be set.
pub(super) fn in_cells(number: u64, count: u32) -> Vec<u32> {
    let cell = |at: u32| {
        if at < 2 {
            (number >> (32 * at)) as u32
        } else {
            0
        }
    };
    (0..count.min(4)).rev().map(cell).collect()
}

/// A property's first cell.
pub(super) fn cell(node: &DeviceTreeNode, name: &str) -> Option<u32> {
    let value = node.property(name)?.value().first_chunk().copied();
    value.map(u32::from_be_bytes)
}

/// The node at a path, compared by full names.
pub(super) fn find<'a>(tree: &'a mut DeviceTree, path: &str) -> Option<&'a mut DeviceTreeNode> {
    parts(path).try_fold(&mut tree.root, |node, name| node.child_mut(name))
}

/// The paths that a path stands for: all nodes that there are, if it ends in `*`, or itself.
pub(super) fn matching(tree: &mut DeviceTree, path: &str) -> Vec<String> {
    let Some((parent, start)) = path
        .strip_suffix('*')
        .and_then(|start| start.rsplit_once('/'))
    else {
        return vec![path.to_owned()];
    };
    let names = find(tree, parent).into_iter().flat_map(|node| {
        let names = node.children().map(|child| child.name().to_owned());
        names.collect::<Vec<_>>()
    });
    names
        .filter(|name| name.starts_with(start))
        .map(|name| format!("{parent}/{name}"))
        .collect()
}

/// The node at a path; what is missing is made. An error is a name that no node may have.
pub(super) fn make<'a>(
    tree: &'a mut DeviceTree,
    path: &str,
) -> Result<&'a mut DeviceTreeNode, String> {
    parts(path).try_fold(&mut tree.root, |node, name| {
        if node.child_mut(name).is_none() {
            check_name(name, true)?;
            node.add_child(DeviceTreeNode::new_unchecked(name));
        }
        node.child_mut(name)
            .ok_or_else(|| "the node is gone".to_owned())
    })
}

/// Removes a node and all below it, if it is there.
pub(super) fn remove(tree: &mut DeviceTree, path: &str) {
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    if let Some(parent) = find(tree, parent) {
        parent.remove_child(name);
    }
}

/// The largest phandle in use, zero if there is none.
pub(super) fn last_phandle(node: &DeviceTreeNode) -> u32 {
    let own = cell(node, "phandle").unwrap_or(0);
    node.children().map(last_phandle).fold(own, u32::max)
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}
