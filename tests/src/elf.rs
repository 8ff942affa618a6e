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

/// Address of the one page of a test blob that it can only read.
pub const RODATA: u64 = MONITOR_BASE + 0x3000;

/// Name of the only symbol of a test blob; it stands at `MONITOR_BASE`.
pub const SYMBOL: &str = "vectors";

/// A note for a test blob: SMC from both widths in the SMCCC window, claiming [`FUNCTION`] and 15
/// more.
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

/// A blob that runs `program` for every call: at the vectors for both widths, and for HVC 0x800
/// further.
pub fn blob(program: &[u8]) -> Blob {
    blob_with(note(), program, program)
}

/// A blob with a note of the test's own, and a program for each conduit.
pub fn blob_with(note: Note, smc: &[u8], hvc: &[u8]) -> Blob {
    Blob::parse(&blob_file(note, smc, hvc)).expect("the test's blob is sound")
}

/// The bytes of such a blob's ELF file: two pages of code at `MONITOR_BASE`, one page at [`DATA`],
/// one at [`RODATA`].
pub fn blob_file(note: Note, smc: &[u8], hvc: &[u8]) -> Vec<u8> {
    const TEXT: usize = 0x1000;
    const TEXT_END: usize = TEXT + 0x2000;
    const NOTE: usize = 64 + 4 * 56;
    let note = ElfNote::new(note);
    let note_size = size_of::<ElfNote>() as u64;
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend([2, 0, 183, 0, 1, 0, 0, 0]);
    for word in [MONITOR_BASE, 64, TEXT_END as u64] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend([0, 0, 0, 0, 64, 0, 56, 0, 4, 0, 64, 0, 3, 0, 2, 0]);
    // Type and flags, offset, address, size in the file, size in memory.
    let segments = [
        [1 | 5 << 32, TEXT as u64, MONITOR_BASE, 0x2000, 0x2000],
        [1 | 6 << 32, 0, DATA, 0, 0x1000],
        [1 | 4 << 32, 0, RODATA, 0, 0x1000],
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
    bytes.resize(TEXT_END, 0);
    for (table, program) in [(0, smc), (0x800, hvc)] {
        for vector in [VECTOR_LOWER_AARCH64, VECTOR_LOWER_AARCH32] {
            let at = TEXT + table + vector as usize;
            if program.len() <= 0x200 {
                bytes[at..at + program.len()].copy_from_slice(program);
            } else {
                // A longer program lies past both tables; the vector only branches to it.
                let body = TEXT + 0x1000 + table;
                assert!(program.len() <= 0x800, "a test's program has at most 2 KiB");
                bytes[body..body + program.len()].copy_from_slice(program);
                let branch = 0x1400_0000 | ((body - at) / 4) as u32;
                bytes[at..at + 4].copy_from_slice(&branch.to_le_bytes());
            }
        }
    }
    bytes.extend(symbol_sections(TEXT_END as u64));
    bytes
}

/// Section headers at offset `at` of the file, and the symbol table and names that they describe.
fn symbol_sections(at: u64) -> Vec<u8> {
    const HEADERS: u64 = 3 * 64;
    const SYMBOLS: u64 = 2 * 24;
    let names = format!("\0{SYMBOL}\0");
    let (symbols_at, names_at) = (at + HEADERS, at + HEADERS + SYMBOLS);
    // Name and type, flags, address, offset, size, link and info, alignment, size of an entry.
    let sections = [
        [0; 8],
        [2 << 32, 0, 0, symbols_at, SYMBOLS, 2 | 1 << 32, 8, 24],
        [3 << 32, 0, 0, names_at, names.len() as u64, 0, 1, 0],
    ];
    // A null symbol, then: name 1, a global function (0x12), in an absolute section (0xfff1);
    // value; size.
    let symbols = [0, 0, 0, 1 | 0x12 << 32 | 0xfff1 << 48, MONITOR_BASE, 0x2000];
    let words = sections.as_flattened().iter().chain(&symbols);
    let mut bytes: Vec<u8> = words.flat_map(|word| word.to_le_bytes()).collect();
    bytes.extend(names.as_bytes());
    bytes
}
