// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `replay.toml`: the firmware calls of a kernel that nobody builds, from its source.
//!
//! ```toml
//! [[call]]
//! source = "arch/arm/mach-x/smc.c: x_smc"
//! in = { r4 = 0x01000002, r6 = "scratch+0x40" }
//! memory = { "scratch+0x40" = [1, 2] }
//! out = { r0 = 1 }
//! clobbered = ["r1", "r12"]
//! memory-after = { "0x3ff20100" = [1] }
//! ```
//!
//! A register that `in` leaves out holds a number of its own, so that a mix-up shows. One that is
//! neither in `out` nor `clobbered` must come back as it went in.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::number;
use crate::register::Register;

/// All calls of a board, in order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Replay {
    /// The calls.
    #[serde(rename = "call")]
    pub calls: Vec<ReplayCall>,
}

/// One call and what it must do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ReplayCall {
    /// The kernel's file, then a colon and the function.
    pub source: String,
    /// The immediate of the SMC: 0 or 1.
    #[serde(default)]
    pub immediate: u8,
    /// Whether Thumb code makes the call.
    #[serde(default)]
    pub thumb: bool,
    /// Registers as the kernel loads them.
    #[serde(default, rename = "in")]
    pub input: BTreeMap<Register, Word>,
    /// Words that the kernel has put into memory, from each of these addresses on.
    #[serde(default)]
    pub memory: BTreeMap<Word, Vec<Word>>,
    /// Registers that must come back so.
    #[serde(default)]
    pub out: BTreeMap<Register, Word>,
    /// Registers that the kernel lets the firmware spoil.
    #[serde(default)]
    pub clobbered: Vec<Register>,
    /// Words that must be in memory, or in the registers of a device, afterwards.
    #[serde(default)]
    pub memory_after: BTreeMap<Word, Vec<Word>>,
    /// Addresses of words that must differ from what they were.
    #[serde(default)]
    pub changed: Vec<Word>,
}

/// 32 bits: a number, or an address in the scratch buffer, written as `scratch+0x40`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "toml::Value")]
pub enum Word {
    /// This number.
    Number(u32),
    /// The address this many bytes into the scratch buffer.
    Scratch(u32),
}

impl Word {
    /// The number, when the scratch buffer is at `scratch`.
    pub fn value(self, scratch: u32) -> u32 {
        match self {
            Word::Number(number) => number,
            Word::Scratch(offset) => scratch.wrapping_add(offset),
        }
    }
}

impl TryFrom<toml::Value> for Word {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, Self::Error> {
        let word = match &value {
            // A driver's -1 is written as such.
            toml::Value::Integer(number) => i32::try_from(*number)
                .map(i32::cast_unsigned)
                .or_else(|_| u32::try_from(*number))
                .map(Word::Number)
                .ok(),
            toml::Value::String(text) => {
                let number = |text| number::parse(text).and_then(|value| value.try_into().ok());
                match text.strip_prefix("scratch") {
                    Some("") => Some(Word::Scratch(0)),
                    Some(rest) => rest
                        .strip_prefix('+')
                        .and_then(number)
                        .filter(|&offset| offset < Replay::SCRATCH_SIZE)
                        .map(Word::Scratch),
                    None => number(text).map(Word::Number),
                }
            }
            _ => None,
        };
        word.ok_or_else(|| {
            format!("{value} is not 32 bits: write 7, \"0x7\" or \"scratch+0x10\", below 1 MiB")
        })
    }
}

impl ReplayCall {
    /// The function that makes the call.
    pub fn name(&self) -> &str {
        self.source.rsplit(": ").next().unwrap_or(&self.source)
    }
}

impl Replay {
    /// Bytes of the scratch buffer.
    pub const SCRATCH_SIZE: u32 = 1 << 20;
    /// The most words of one call that `changed` can name.
    pub const MAX_CHANGED: usize = 16;
    /// Where the replay program puts its own image in its address space.
    pub const IMAGE: u32 = 0xc200_0000;
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
[[call]]
source = "a/b.c: f"
immediate = 1
thumb = true
in = { r0 = 0xffffffff, r6 = "scratch+0x10" }
memory = { "scratch+0x10" = [1, "scratch"], "0x3404c000" = [-1] }
out = { r12 = 1 }
clobbered = ["r1", "r2"]
memory-after = { "scratch+0x20" = [7] }
changed = ["scratch+0x24"]
[[call]]
source = "a/b.c: g"
"#;

    #[test]
    fn a_good_list_is_read_whole() {
        let replay = Replay::parse(GOOD).expect("good");
        let [first, second] = replay.calls.as_slice() else {
            panic!("{replay:?}")
        };
        assert_eq!((first.name(), second.name()), ("f", "g"));
        assert_eq!((first.immediate, first.thumb), (1, true));
        assert_eq!(first.input[&Register(0)], Word::Number(u32::MAX));
        assert_eq!(first.input[&Register(6)].value(0x8000_0000), 0x8000_0010);
        assert_eq!(
            first.memory[&Word::Scratch(0x10)],
            [Word::Number(1), Word::Scratch(0)]
        );
        assert_eq!(
            first.memory[&Word::Number(0x3404_c000)],
            [Word::Number(u32::MAX)]
        );
        assert_eq!(first.clobbered, [Register(1), Register(2)]);
        assert_eq!(first.changed, [Word::Scratch(0x24)]);
        assert_eq!(second.input.len() + second.out.len(), 0);
        assert_eq!((second.immediate, second.thumb), (0, false));
    }

    #[test]
    fn each_kind_of_mistake_is_refused_with_words_that_help() {
        for (from, to, words) in [
            (
                "immediate = 1",
                "immediate = 2",
                "call 1: immediate is 0 or 1",
            ),
            ("a/b.c: g", "a/b.c", "call 2: source is \"FILE: FUNCTION\""),
            ("r12 = 1", "r13 = 1", "call 1: a call has r0 to r12"),
            ("r12 = 1", "r1 = 1", "in out and clobbered"),
            ("scratch+0x24", "scratch+0x25", "multiples of 4"),
            ("scratch+0x24", "scratch+0x100000", "is not 32 bits"),
            ("0xffffffff", "0x100000000", "is not 32 bits"),
            ("clobbered", "clobberd", "unknown field"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let error = Replay::parse(&GOOD.replacen(from, to, 1)).expect_err(to);
            assert!(error.contains(words), "{error:?} does not say {words:?}");
        }
        let error = Replay::parse("call = []").expect_err("empty");
        assert_eq!(error, "it lists no call");
    }
}
