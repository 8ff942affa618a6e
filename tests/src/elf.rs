// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Makes blobs of a few instructions, for tests that need a blob to misbehave.

use fakemon_abi::ABI_VERSION;
use fakemon_abi::layout::{MONITOR_BASE, VECTOR_LOWER_AARCH32, VECTOR_LOWER_AARCH64};
use fakemon_abi::note::{self, ElfNote, Note, Range};
use fakemon_host::Blob;

/// Function ID that test blobs claim, with 15 more above it.
pub const FUNCTION: u32 = 0xc300_0000;

/// Address of the one writable page of a test blob.
pub const DATA: u64 = MONITOR_BASE + 0x2000;

/// A note for a test blob: SMC from both widths in the SMCCC window, claiming [`FUNCTION`] and 15 more.
pub fn note() -> Note {
    Note {
        abi: ABI_VERSION,
        conduits: note::CONDUIT_SMC,
        window: note::WINDOW_SMCCC,
        callers: note::CALLER_AARCH64 | note::CALLER_AARCH32,
        guest_memory: note::GUEST_MEMORY_NONE,
        stack: 4096,
        range_count: 1,
        reserved: 0,
        board: note::board_name("test"),
        ranges: note::ranges(&[Range {
            first: FUNCTION,
            last: FUNCTION + 15,
            inputs: 8,
            outputs: 4,
        }]),
    }
}

/// A blob that runs `program` for every call: at the vectors for both widths, and for HVC 0x800 further.
pub fn blob(program: &[u8]) -> Blob {
    blob_with(note(), program, program)
}

/// A blob with a note of the test's own, and a program for each conduit.
pub fn blob_with(note: Note, smc: &[u8], hvc: &[u8]) -> Blob {
    Blob::parse(&file(note, smc, hvc)).expect("the test's blob is sound")
}

/// The bytes of such a blob's ELF file: a page-and-more of code at `MONITOR_BASE`, and one page at [`DATA`].
fn file(note: Note, smc: &[u8], hvc: &[u8]) -> Vec<u8> {
    const TEXT: usize = 0x1000;
    const NOTE: usize = 64 + 3 * 56;
    let note = ElfNote::new(note);
    let note_size = size_of::<ElfNote>() as u64;
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend([2, 0, 183, 0, 1, 0, 0, 0]);
    for word in [MONITOR_BASE, 64, 0] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend([0, 0, 0, 0, 64, 0, 56, 0, 3, 0, 64, 0, 0, 0, 0, 0]);
    // Type and flags, offset, address, size in the file, size in memory.
    let segments = [
        [1 | 5 << 32, TEXT as u64, MONITOR_BASE, 0x2000, 0x2000],
        [1 | 6 << 32, 0, DATA, 0, 0x1000],
        [4 | 4 << 32, NOTE as u64, 0, note_size, note_size],
    ];
    for [kind, offset, address, file, memory] in segments {
        for word in [kind, offset, address, address, file, memory, 4] {
            bytes.extend(word.to_le_bytes());
        }
    }
    // SAFETY: ElfNote is repr(C) and made of integers without padding, so all its bytes are set.
    bytes.extend(unsafe {
        std::slice::from_raw_parts((&raw const note).cast::<u8>(), note_size as usize)
    });
    bytes.resize(TEXT + 0x2000, 0);
    for (table, program) in [(0, smc), (0x800, hvc)] {
        for vector in [VECTOR_LOWER_AARCH64, VECTOR_LOWER_AARCH32] {
            let at = TEXT + table + vector as usize;
            if program.len() <= 0x200 {
                bytes[at..at + program.len()].copy_from_slice(program);
            } else {
                // A longer program lies behind both tables; the vector only branches to it.
                let body = TEXT + 0x1000 + table;
                assert!(program.len() <= 0x800, "a test's program has at most 2 KiB");
                bytes[body..body + program.len()].copy_from_slice(program);
                let branch = 0x1400_0000 | ((body - at) / 4) as u32;
                bytes[at..at + 4].copy_from_slice(&branch.to_le_bytes());
            }
        }
    }
    bytes
}
