// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The `[note]` table: what a blob claims, as its author writes it and as the ELF note carries it.

use fakemon_abi::{Conduit, Width, note as abi};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// What becomes the blob's ELF note.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Note {
    /// Ways into the blob.
    #[serde(deserialize_with = "conduits")]
    pub conduits: Vec<Conduit>,
    /// The registers that a call carries.
    pub window: Window,
    /// Execution states that may enter.
    #[serde(deserialize_with = "callers")]
    pub callers: Vec<Width>,
    /// The blob's access to the guest's RAM.
    #[serde(default)]
    pub guest_memory: GuestMemory,
    /// Stack of each vCPU in bytes, a multiple of 4096.
    pub stack: u32,
    /// Claimed function IDs, ascending.
    pub ranges: Vec<Range>,
}

/// Which registers go in and may come out changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Window {
    /// x0-x7 in, x0-x3 out (SMCCC 1.1, Arm DEN 0028).
    #[serde(rename = "smccc")]
    Smccc,
    /// x0-x17 both ways (SMCCC 1.2).
    #[serde(rename = "smccc-1.2")]
    Smccc12,
    /// r0-r12 both ways (firmware interfaces from before SMCCC).
    #[serde(rename = "legacy32")]
    Legacy32,
}

/// How much of the guest's RAM the blob can reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuestMemory {
    /// None of it.
    #[default]
    None,
    /// All of it, read-only.
    Read,
    /// All of it.
    Write,
}

/// Claimed function IDs and how many registers a call in them uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Range {
    /// First function ID (w0 or r0).
    pub first: u32,
    /// Last function ID, inclusive.
    pub last: u32,
    /// Registers that carry the call in; the window's maximum by default.
    pub inputs: Option<u16>,
    /// Registers that may come back changed; the window's maximum by default.
    pub outputs: Option<u16>,
}

impl Window {
    /// How many registers go in and come out at most.
    pub fn registers(self) -> (u16, u16) {
        abi::window_registers(self.to_abi()).unwrap_or((0, 0))
    }

    fn to_abi(self) -> u32 {
        match self {
            Window::Smccc => abi::WINDOW_SMCCC,
            Window::Smccc12 => abi::WINDOW_SMCCC_1_2,
            Window::Legacy32 => abi::WINDOW_LEGACY32,
        }
    }
}

impl Range {
    /// The range as the note carries it, with the registers of `window` by default.
    pub(crate) fn to_abi(self, window: Window) -> abi::Range {
        let (inputs, outputs) = window.registers();
        abi::Range {
            first: self.first,
            last: self.last,
            inputs: self.inputs.unwrap_or(inputs),
            outputs: self.outputs.unwrap_or(outputs),
        }
    }
}

impl Note {
    /// Tells whether the blob claims Arm architecture calls, which not every host gives it
    /// ([`ARCHITECTURE_CALLS`](abi::ARCHITECTURE_CALLS)).
    pub fn claims_architecture(&self) -> bool {
        let mut ranges = self.ranges.iter();
        ranges.any(|range| range.to_abi(self.window).is_architecture())
    }

    /// The note of the board called `name`, as its blob carries it.
    ///
    /// # Panics
    /// When there are too many ranges or the name is too long; a note from a
    /// [`Board`](crate::Board) has been checked.
    pub fn to_abi(&self, name: &str) -> abi::Note {
        let ranges: Vec<_> = self
            .ranges
            .iter()
            .map(|range| range.to_abi(self.window))
            .collect();
        abi::Note {
            abi: fakemon_abi::ABI_VERSION,
            conduits: bits(self.conduits.iter().map(|conduit| conduit.note_bit())),
            window: self.window.to_abi(),
            callers: bits(self.callers.iter().map(|caller| caller.note_bit())),
            guest_memory: match self.guest_memory {
                GuestMemory::None => abi::GUEST_MEMORY_NONE,
                GuestMemory::Read => abi::GUEST_MEMORY_READ,
                GuestMemory::Write => abi::GUEST_MEMORY_WRITE,
            },
            stack: self.stack,
            range_count: u32::try_from(ranges.len()).unwrap_or(u32::MAX),
            reserved: 0,
            board: abi::board_name(name),
            ranges: abi::ranges(&ranges),
        }
    }
}

fn bits(each: impl Iterator<Item = u32>) -> u32 {
    each.fold(0, |bits, bit| bits | bit)
}

fn conduits<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Conduit>, D::Error> {
    named(from, &Conduit::ALL.map(|conduit| (conduit.name(), conduit)))
}

fn callers<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Width>, D::Error> {
    named(from, &Width::ALL.map(|width| (width.name(), width)))
}

/// A list of names, as the values that they name.
fn named<'de, D: Deserializer<'de>, T: Copy>(
    from: D,
    names: &[(&'static str, T)],
) -> Result<Vec<T>, D::Error> {
    let value = |word: String| {
        let found = names.iter().find(|(name, _)| *name == word);
        found.map(|&(_, value)| value).ok_or_else(|| {
            let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
            D::Error::custom(format!("{word:?} is not one of {}", names.join(", ")))
        })
    };
    let words = Vec::<String>::deserialize(from)?;
    words.into_iter().map(value).collect()
}
