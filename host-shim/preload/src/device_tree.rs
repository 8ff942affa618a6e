// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where a device tree says by which instruction firmware is called: finds each `method` that says
//! `hvc`, for `smc` to be put there, which has the same length.
//!
//! The tree is the VMM's, but the guest may have been there before: every number in it is checked.

/// The first word of a flattened device tree (Devicetree Specification, 5.2).
pub(crate) const MAGIC: u32 = 0xd00d_feed;
/// The most bytes that a tree has: what Linux takes of one (Documentation/arch/arm64/booting.rst).
pub(crate) const LARGEST: usize = 2 << 20;
/// Bytes that tell whether a tree is there, and how long it is.
pub(crate) const HEAD: usize = 8;

/// Tokens of the structure block (5.4.1).
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROP: u32 = 3;
const NOP: u32 = 4;
const END: u32 = 9;

/// What a method says, and what it is to say.
const HVC: &[u8] = b"hvc\0";
pub(crate) const SMC: &[u8; 4] = b"smc\0";

/// How long the tree is that begins with these bytes; [`None`] if that is none.
pub(crate) fn size(head: &[u8]) -> Option<usize> {
    let size = word(head, 4)? as usize;
    let fits = (HEAD..=LARGEST).contains(&size);
    (word(head, 0)? == MAGIC && fits).then_some(size)
}

/// Offsets of the values of all methods that say `hvc`; [`None`] if this is no whole tree.
pub(crate) fn methods(tree: &[u8]) -> Option<Vec<usize>> {
    let (structure, strings) = (word(tree, 8)? as usize, word(tree, 12)? as usize);
    let mut found = Vec::new();
    let mut at = structure;
    loop {
        let token = word(tree, at)?;
        at += 4;
        match token {
            BEGIN_NODE => {
                let name = tree.get(at..)?.iter().position(|&byte| byte == 0)?;
                at = (at + name + 1).next_multiple_of(4);
            }
            PROP => {
                let (length, name) = (word(tree, at)? as usize, word(tree, at + 4)? as usize);
                at += 8;
                let name = tree.get(strings.checked_add(name)?..)?;
                let end = at.checked_add(length)?;
                if name.starts_with(b"method\0") && tree.get(at..end)? == HVC {
                    found.push(at);
                }
                at = end.checked_next_multiple_of(4)?;
            }
            END_NODE | NOP => {}
            END => return Some(found),
            _ => return None,
        }
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(word.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A tree with a `/psci` node whose method is this, and other properties of that value.
    fn tree(method: &[u8]) -> Vec<u8> {
        let strings = b"method\0compatible\0methods\0";
        let mut structure = Vec::new();
        let push = |structure: &mut Vec<u8>, word: u32| structure.extend(word.to_be_bytes());
        let bytes = |structure: &mut Vec<u8>, bytes: &[u8]| {
            structure.extend(bytes);
            structure.resize(structure.len().next_multiple_of(4), 0);
        };
        push(&mut structure, BEGIN_NODE);
        bytes(&mut structure, b"\0");
        push(&mut structure, NOP);
        push(&mut structure, BEGIN_NODE);
        bytes(&mut structure, b"psci\0");
        for (name, value) in [
            (7, b"arm,psci-1.0\0".as_slice()),
            (0, method),
            (18, b"hvc\0"),
            (7, b"hvc\0"),
        ] {
            push(&mut structure, PROP);
            push(&mut structure, value.len() as u32);
            push(&mut structure, name);
            bytes(&mut structure, value);
        }
        push(&mut structure, END_NODE);
        push(&mut structure, END_NODE);
        push(&mut structure, END);
        let (head, block) = (40, structure.len() as u32);
        let size = head + block + strings.len() as u32;
        let words = [MAGIC, size, head, head + block, head, 17, 16, 0, 0, block];
        let mut tree: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        tree.extend(structure);
        tree.extend(strings);
        tree
    }

    #[test]
    fn a_method_is_found_and_nothing_that_looks_like_one() {
        let mut tree = tree(HVC);
        assert_eq!(size(&tree), Some(tree.len()));
        let found = methods(&tree).expect("a tree");
        let [at] = found[..] else { panic!("{found:?}") };
        tree[at..at + 4].copy_from_slice(SMC);
        assert_eq!(tree, super::tests::tree(SMC));
        assert_eq!(methods(&tree), Some(Vec::new()));
    }

    #[test]
    fn a_tree_that_ends_early_is_none() {
        let tree = tree(HVC);
        let strings = tree.len() - 26;
        for length in 0..strings {
            assert_eq!(methods(&tree[..length]), None, "{length}");
        }
        assert_eq!(size(&tree[..7]), None);
        assert_eq!(size(&[0; 8]), None);
    }

    proptest! {
        #[test]
        fn hostile_trees_are_read_to_an_end(
            bytes in proptest::collection::vec(any::<u8>(), 0..256),
            at in 0_usize..240,
            word in any::<u32>(),
        ) {
            let mut tree = tree(HVC);
            let place = at % (tree.len() - 4);
            tree[place..place + 4].copy_from_slice(&word.to_be_bytes());
            for bytes in [&bytes, &tree] {
                let _size = size(bytes);
                for found in methods(bytes).unwrap_or_default() {
                    prop_assert_eq!(&bytes[found..found + 4], HVC);
                }
            }
        }
    }
}
