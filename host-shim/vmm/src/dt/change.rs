// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Carries out a board's `[[guest.dt]]` changes.
//!
//! A reference may point to a node that a later change makes, so all nodes are made and removed
//! first, and properties are set when every node is in its place.
//!
//! A path that ends in `*` stands for all nodes that there are with such a name: `/cpus/cpu@*` is every
//! CPU, however many `--smp` asks for.

use dtoolkit::Node;
use dtoolkit::model::{DeviceTree, DeviceTreeProperty};
use fakemon_manifest::{Cell, DtChange, DtValue};

use super::{DtError, tree};

/// Applies `changes` of `board` in their order.
pub(super) fn apply(dt: &mut DeviceTree, board: &str, changes: &[DtChange]) -> Result<(), DtError> {
    let bad_name = |path: &str, why: String| DtError::BadName {
        board: board.into(),
        path: path.into(),
        why,
    };
    for change in changes {
        for path in tree::matching(dt, &change.path) {
            if change.remove {
                // A tree that never had the node is as good.
                tree::remove(dt, &path);
            } else {
                tree::make(dt, &path).map_err(|why| bad_name(&path, why))?;
            }
        }
    }
    for change in changes.iter().filter(|change| !change.remove) {
        for path in tree::matching(dt, &change.path) {
            for (name, value) in &change.set {
                let bytes = encode(dt, board, value)?;
                tree::check_name(name, false).map_err(|why| bad_name(&path, why))?;
                let property = DeviceTreeProperty::new_unchecked(name, bytes);
                target(dt, board, &path)?.add_property(property);
            }
            let node = target(dt, board, &path)?;
            for name in &change.delete {
                node.remove_property(name);
            }
        }
    }
    Ok(())
}

/// The node that a change or a reference names; a later change may have removed it.
fn target<'a>(
    dt: &'a mut DeviceTree,
    board: &str,
    path: &str,
) -> Result<&'a mut dtoolkit::model::DeviceTreeNode, DtError> {
    let missing = || DtError::NoNode {
        board: board.into(),
        path: path.into(),
    };
    tree::find(dt, path).ok_or_else(missing)
}

fn encode(dt: &mut DeviceTree, board: &str, value: &DtValue) -> Result<Vec<u8>, DtError> {
    match value {
        DtValue::Empty => Ok(Vec::new()),
        DtValue::Bytes(bytes) => Ok(bytes.clone()),
        DtValue::Strings(list) => Ok(list.iter().flat_map(|s| s.bytes().chain([0])).collect()),
        DtValue::Cells(list) => {
            let mut bytes = Vec::with_capacity(4 * list.len());
            for cell in list {
                let number = match cell {
                    Cell::Number(number) => *number,
                    Cell::Phandle(path) => phandle(dt, board, path)?,
                };
                bytes.extend(number.to_be_bytes());
            }
            Ok(bytes)
        }
    }
}

/// The phandle of a node, which gets one if it has none.
fn phandle(dt: &mut DeviceTree, board: &str, path: &str) -> Result<u32, DtError> {
    let next = tree::last_phandle(&dt.root).saturating_add(1);
    let node = target(dt, board, path)?;
    if node.property("phandle").is_none() {
        node.add_property(tree::cells("phandle", &[next]));
    }
    Ok(tree::cell(node, "phandle").unwrap_or(next))
}
