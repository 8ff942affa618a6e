// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reads a flattened device tree (Devicetree Specification 0.4, chapter 5) from a file that may be
//! damaged.
//!
//! dtoolkit reads them, too, but none with a name of more than 31 characters. The specification says
//! so, and neither dtc nor Linux do: half of the trees in Linux have such names. What dtoolkit makes
//! of a tree in memory it does not check, so only the reading is here.

use dtoolkit::memreserve::MemoryReservation;
use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};

const MAGIC: u32 = 0xd00d_feed;
/// The version of the format, which all programs write since 2006.
const VERSION: u32 = 17;
/// Words of the header.
const HEADER: usize = 10;

const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROP: u32 = 3;
const NOP: u32 = 4;
const END: u32 = 9;

/// The deepest nesting of nodes; Linux itself stops at 64.
const MAX_DEPTH: u32 = 64;

/// Reads a tree.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(file: &[u8]) -> Result<DeviceTree, String> {
    let mut header = [0; HEADER];
    let mut rest = file;
    for field in &mut header {
        *field = word(&mut rest).ok_or("it is too short")?;
    }
    let [
        magic,
        size,
        structure,
        strings,
        reserved,
        version,
        oldest,
        ..,
    ] = header;
    let [.., strings_size, structure_size] = header;
    if magic != MAGIC {
        return Err("it does not begin as one".into());
    }
    if !(oldest..=version).contains(&VERSION) {
        return Err(format!("it is of version {version}, not {VERSION}"));
    }
    let file = file.get(..size as usize).ok_or("it is cut off")?;
    let block = |what: &str, start: u32, size: u32| {
        let block = file
            .get(start as usize..)
            .and_then(|rest| rest.get(..size as usize));
        block.ok_or_else(|| format!("its {what} lies outside of it"))
    };
    let mut reader = Reader {
        structure: block("structure", structure, structure_size)?,
        at: 0,
        strings: block("list of strings", strings, strings_size)?,
    };
    let mut tree = DeviceTree::new();
    let reservations = file.get(reserved as usize..).unwrap_or_default();
    tree.memory_reservations = memory_reservations(reservations)?;
    if reader.token()? != BEGIN_NODE {
        return Err("it has no root".into());
    }
    tree.root = reader.node(MAX_DEPTH)?;
    if reader.token()? != END {
        return Err("it goes on after its root".into());
    }
    Ok(tree)
}

/// Takes a big-endian word off the front.
fn word(bytes: &mut &[u8]) -> Option<u32> {
    let (word, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_be_bytes(*word))
}

/// Pairs of address and size up to a pair of zeros.
fn memory_reservations(bytes: &[u8]) -> Result<Vec<MemoryReservation>, String> {
    let mut list = Vec::new();
    for pair in bytes.as_chunks::<16>().0 {
        let (address, size) = pair.split_at(8);
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |sum, &byte| sum << 8 | u64::from(byte))
        };
        match (number(address), number(size)) {
            (0, 0) => return Ok(list),
            (address, size) => list.push(MemoryReservation::new(address, size)),
        }
    }
    Err("its list of memory reservations has no end".into())
}

struct Reader<'a> {
    structure: &'a [u8],
    at: usize,
    strings: &'a [u8],
}

impl<'a> Reader<'a> {
    /// The rest of a node after its first token.
    fn node(&mut self, depth: u32) -> Result<DeviceTreeNode, String> {
        if depth == 0 {
            return Err(format!("its nodes are nested more than {MAX_DEPTH} deep"));
        }
        let name = text(&self.structure[self.at..])?;
        self.take(name.len() + 1)?;
        // Only the root has no name.
        if name.is_empty() != (depth == MAX_DEPTH) {
            return Err("the name of a node is missing, or the root has one".into());
        }
        let mut node = DeviceTreeNode::new_unchecked(name);
        loop {
            match self.token()? {
                PROP => node.add_property(self.property()?),
                BEGIN_NODE => node.add_child(self.node(depth - 1)?),
                END_NODE => return Ok(node),
                other => return Err(format!("{other:#x} is not a part of a node")),
            }
        }
    }

    fn property(&mut self) -> Result<DeviceTreeProperty, String> {
        let (size, name) = (self.word()?, self.word()?);
        let value = self.take(size as usize)?;
        let name = text(self.strings.get(name as usize..).unwrap_or_default())?;
        if name.is_empty() {
            return Err("the name of a property is missing".into());
        }
        Ok(DeviceTreeProperty::new_unchecked(name, value.to_vec()))
    }

    /// The next token that says something.
    fn token(&mut self) -> Result<u32, String> {
        loop {
            match self.word()? {
                NOP => {}
                token => return Ok(token),
            }
        }
    }

    fn word(&mut self) -> Result<u32, String> {
        let bytes = self.take(4)?;
        Ok(bytes
            .iter()
            .fold(0, |sum, &byte| sum << 8 | u32::from(byte)))
    }

    /// The next bytes; what follows begins at a multiple of four.
    fn take(&mut self, size: usize) -> Result<&'a [u8], String> {
        let bytes = self.structure[self.at..].get(..size);
        let bytes = bytes.ok_or("its structure is cut off")?;
        self.at = (self.at + size)
            .next_multiple_of(4)
            .min(self.structure.len());
        Ok(bytes)
    }
}

/// The printable text up to a NUL.
fn text(bytes: &[u8]) -> Result<&str, String> {
    let end = bytes.iter().position(|&byte| byte == 0);
    let text = end.map(|end| &bytes[..end]).filter(|text| is_name(text));
    text.and_then(|text| std::str::from_utf8(text).ok())
        .ok_or_else(|| "a name in it is no text".into())
}

fn is_name(name: &[u8]) -> bool {
    name.iter()
        .all(|byte| byte.is_ascii_graphic() && *byte != b'/')
}
