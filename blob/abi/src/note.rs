// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a blob says of itself: the descriptor of an ELF note in section `.note.FakeMonitor`.
//!
//! All numbers are little-endian, as the blob is. The shim refuses a note that it does not fully
//! understand.

use core::mem::{offset_of, size_of};

/// Owner name of the ELF note, with its terminating NUL.
pub const OWNER: &[u8; 12] = b"FakeMonitor\0";
/// Type of the ELF note.
pub const NOTE_TYPE: u32 = 1;
/// Name of the ELF section that holds the note.
pub const SECTION: &str = ".note.FakeMonitor";

/// The blob serves SMC, through the vectors at the ELF's entry point (MVBAR).
pub const CONDUIT_SMC: u32 = 1 << 0;
/// The blob serves HVC, through the vectors [`HYP_VECTORS`](crate::layout::HYP_VECTORS) bytes
/// further on.
pub const CONDUIT_HVC: u32 = 1 << 1;

/// x0-x7 in, x0-x3 out (SMCCC 1.1, DEN 0028).
pub const WINDOW_SMCCC: u32 = 0;
/// x0-x17 both ways (SMCCC 1.2).
pub const WINDOW_SMCCC_1_2: u32 = 1;
/// r0-r12 both ways (firmware interfaces from before SMCCC).
pub const WINDOW_LEGACY32: u32 = 2;

/// AArch64 callers may enter.
pub const CALLER_AARCH64: u32 = 1 << 0;
/// AArch32 callers may enter.
pub const CALLER_AARCH32: u32 = 1 << 1;

/// The blob cannot reach the guest's RAM.
pub const GUEST_MEMORY_NONE: u32 = 0;
/// The blob can read the guest's RAM.
pub const GUEST_MEMORY_READ: u32 = 1;
/// The blob can read and write the guest's RAM.
pub const GUEST_MEMORY_WRITE: u32 = 2;

/// The most ranges that a note can claim.
pub const MAX_RANGES: usize = 32;

/// The Arm architecture calls (DEN 0028, 7) of both conventions, as first and last function ID.
///
/// A host whose KVM has no monitor capability keeps them to itself; a blob's ranges among them mean
/// nothing there.
pub const ARCHITECTURE_CALLS: [(u32, u32); 2] =
    [(0x8000_0000, 0x8000_ffff), (0xc000_0000, 0xc000_ffff)];

/// Function IDs that the blob claims, and how many registers a call in them uses.
///
/// The two counts lie within the window; fewer registers make a cheaper call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Range {
    /// First function ID (w0 or r0).
    pub first: u32,
    /// Last function ID, inclusive.
    pub last: u32,
    /// Registers that carry the call in: x0 to x(inputs - 1).
    pub inputs: u16,
    /// Registers that may come back changed: x0 to x(outputs - 1).
    pub outputs: u16,
}

impl Range {
    /// Tells whether all of this range are [`ARCHITECTURE_CALLS`].
    pub fn is_architecture(&self) -> bool {
        let inside = |&(first, last): &(u32, u32)| first <= self.first && self.last <= last;
        ARCHITECTURE_CALLS.iter().any(inside)
    }

    /// Tells whether some of this range are [`ARCHITECTURE_CALLS`] and others are not, which KVM's
    /// filter does not take.
    pub fn is_mixed(&self) -> bool {
        let touches = |&(first, last): &(u32, u32)| self.first <= last && first <= self.last;
        ARCHITECTURE_CALLS.iter().any(touches) && !self.is_architecture()
    }
}

/// The note's descriptor.
///
/// ```
/// use fakemon_abi::ABI_VERSION;
/// use fakemon_abi::note::{self, Note, Range};
///
/// const NOTE: Note = Note {
///     abi: ABI_VERSION,
///     conduits: note::CONDUIT_SMC,
///     window: note::WINDOW_SMCCC,
///     callers: note::CALLER_AARCH64,
///     guest_memory: note::GUEST_MEMORY_NONE,
///     stack: 4096,
///     range_count: 1,
///     reserved: 0,
///     board: note::board_name("virt"),
///     ranges: note::ranges(&[Range {
///         first: 0x8400_0000,
///         last: 0x8400_001f,
///         inputs: 4,
///         outputs: 4,
///     }]),
/// };
///
/// assert!(!NOTE.ranges[0].is_mixed());
/// assert_eq!(&NOTE.board[..5], b"virt\0");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Note {
    /// [`ABI_VERSION`](crate::ABI_VERSION) that the blob was built for.
    pub abi: u32,
    /// `CONDUIT_*` bits.
    pub conduits: u32,
    /// One of `WINDOW_*`.
    pub window: u32,
    /// `CALLER_*` bits.
    pub callers: u32,
    /// One of `GUEST_MEMORY_*`.
    pub guest_memory: u32,
    /// Stack of each vCPU in bytes, a multiple of 4096.
    pub stack: u32,
    /// How many of [`Note::ranges`] are used.
    pub range_count: u32,
    /// Zero.
    pub reserved: u32,
    /// The board's name, padded with NULs.
    pub board: [u8; 32],
    /// The claimed ranges, ascending and without overlap; unused ones are zero.
    pub ranges: [Range; MAX_RANGES],
}

/// A whole ELF note: header, owner and descriptor, as it lies in the file.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(4))]
pub struct ElfNote {
    name_size: u32,
    desc_size: u32,
    note_type: u32,
    name: [u8; 12],
    desc: Note,
}

impl ElfNote {
    /// Wraps a descriptor for the blob's note section.
    pub const fn new(desc: Note) -> Self {
        ElfNote {
            name_size: OWNER.len() as u32,
            desc_size: size_of::<Note>() as u32,
            note_type: NOTE_TYPE,
            name: *OWNER,
            desc,
        }
    }
}

/// Pads a board's name for [`Note::board`].
///
/// # Panics
/// When the name has 32 bytes or more; in a constant that is a compile error.
pub const fn board_name(name: &str) -> [u8; 32] {
    let bytes = name.as_bytes();
    assert!(bytes.len() < 32, "a board's name has at most 31 bytes");
    let mut padded = [0; 32];
    let mut at = 0;
    while at < bytes.len() {
        padded[at] = bytes[at];
        at += 1;
    }
    padded
}

/// Pads a list of ranges for [`Note::ranges`].
///
/// # Panics
/// When there are more than [`MAX_RANGES`]; in a constant that is a compile error.
pub const fn ranges(list: &[Range]) -> [Range; MAX_RANGES] {
    assert!(list.len() <= MAX_RANGES, "a note claims at most 32 ranges");
    let mut padded = [Range {
        first: 0,
        last: 0,
        inputs: 0,
        outputs: 0,
    }; MAX_RANGES];
    let mut at = 0;
    while at < list.len() {
        padded[at] = list[at];
        at += 1;
    }
    padded
}

/// How many registers a window carries in and out at most; [`None`] for a window that nobody
/// defined.
pub const fn window_registers(window: u32) -> Option<(u16, u16)> {
    match window {
        WINDOW_SMCCC => Some((8, 4)),
        WINDOW_SMCCC_1_2 => Some((18, 18)),
        WINDOW_LEGACY32 => Some((13, 13)),
        _ => None,
    }
}

const _: () = {
    assert!(size_of::<Range>() == 12);
    assert!(offset_of!(Note, board) == 32);
    assert!(offset_of!(Note, ranges) == 64);
    assert!(size_of::<Note>() == 64 + 12 * MAX_RANGES);
    assert!(offset_of!(ElfNote, desc) == 24);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_fits_the_frame() {
        for window in [WINDOW_SMCCC, WINDOW_SMCCC_1_2, WINDOW_LEGACY32] {
            let (inputs, outputs) = window_registers(window).expect("defined");
            assert!(usize::from(inputs) <= crate::frame::REGS);
            assert!(outputs <= inputs, "what is written back was read first");
        }
        assert_eq!(window_registers(3), None);
    }

    #[test]
    fn architecture_calls_are_told_from_others_and_from_a_mix() {
        let kinds = |first, last| {
            let range = Range {
                first,
                last,
                inputs: 1,
                outputs: 1,
            };
            (range.is_architecture(), range.is_mixed())
        };
        for (first, last) in [
            (0x8000_0000, 0x8000_0002),
            (0x8000_0000, 0x8000_ffff),
            (0xc000_ffff, 0xc000_ffff),
        ] {
            assert_eq!(kinds(first, last), (true, false), "{first:#x}");
        }
        for (first, last) in [(0, 0x7fff_ffff), (0x8001_0000, 0xbfff_ffff)] {
            assert_eq!(kinds(first, last), (false, false), "{first:#x}");
        }
        for (first, last) in [
            (0, 0x8000_0000),
            (0x8000_ffff, 0x8001_0000),
            (0x8000_0000, 0xc000_0000),
            (0, 0xffff_ffff),
        ] {
            assert_eq!(kinds(first, last), (false, true), "{first:#x}");
        }
    }

    #[test]
    fn a_board_name_is_padded_with_nuls() {
        let name = board_name("virt");
        assert_eq!(&name[..5], b"virt\0");
        assert!(name[4..].iter().all(|&byte| byte == 0));
    }
}
