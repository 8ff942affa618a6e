// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A small blob is written byte by byte, then damaged in every way that the loader must notice.

use fakemon_abi::note::{ElfNote, board_name, ranges};
use proptest::prelude::*;

use super::*;

const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
/// File offsets of the parts: ELF header, three program headers, the note, then a page of code.
const NOTE_AT: usize = HEADER + 3 * PROGRAM_HEADER;
const TEXT_AT: usize = 0x1000;

fn note() -> Note {
    Note {
        abi: ABI_VERSION,
        conduits: note::CONDUIT_SMC,
        window: note::WINDOW_SMCCC,
        callers: note::CALLER_AARCH64,
        guest_memory: note::GUEST_MEMORY_NONE,
        stack: 8192,
        range_count: 1,
        reserved: 0,
        board: board_name("test"),
        ranges: ranges(&[Range {
            first: 0x8400_0000,
            last: 0x8400_001f,
            inputs: 4,
            outputs: 4,
        }]),
    }
}

/// The words of a program header: type and flags, offset, virtual and physical address, file and
/// memory size, alignment.
type Segments = [[u64; 6]; 3];

const fn segment(
    kind: u64,
    flags: u64,
    offset: u64,
    address: u64,
    file: u64,
    memory: u64,
) -> [u64; 6] {
    [kind | flags << 32, offset, address, file, memory, 4]
}

fn segments() -> Segments {
    let note_size = size_of::<ElfNote>() as u64;
    [
        segment(1, 5, TEXT_AT as u64, MONITOR_BASE, 0x1000, 0x1000),
        segment(1, 6, 0, MONITOR_BASE + 0x1000, 0, 0x2000),
        segment(4, 4, NOTE_AT as u64, 0, note_size, note_size),
    ]
}

fn elf(note: Note, segments: Segments, entry: u64) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend([2, 0, 183, 0, 1, 0, 0, 0]);
    for word in [entry, HEADER as u64, 0] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend([0, 0, 0, 0, 64, 0, 56, 0, 3, 0, 64, 0, 0, 0, 0, 0]);
    for [kind, offset, address, file, memory, align] in segments {
        for word in [kind, offset, address, address, file, memory, align] {
            bytes.extend(word.to_le_bytes());
        }
    }
    assert_eq!(bytes.len(), NOTE_AT);
    let note = ElfNote::new(note);
    // SAFETY: ElfNote is repr(C) without padding (its parts are u32 and u16 pairs and bytes), so
    // all bytes are set.
    bytes.extend(unsafe {
        std::slice::from_raw_parts((&raw const note).cast::<u8>(), size_of::<ElfNote>())
    });
    bytes.resize(TEXT_AT + 0x1000, 0);
    bytes
}

fn parse(note: Note, segments: Segments) -> Result<Blob, BlobError> {
    Blob::parse(&elf(note, segments, MONITOR_BASE))
}

#[test]
fn a_sound_blob_is_taken_apart() {
    let blob = parse(note(), segments()).expect("sound");
    assert_eq!(blob.board(), "test");
    assert_eq!(blob.note(), &note());
    assert_eq!(blob.ranges().len(), 1);
    assert_eq!(blob.vectors(), MONITOR_BASE);
    let found = blob
        .segments()
        .iter()
        .map(|s| (s.address, s.size, s.access));
    let found: Vec<_> = found.collect();
    assert_eq!(
        found,
        [
            (MONITOR_BASE, 0x1000, Access::Execute),
            (MONITOR_BASE + 0x1000, 0x2000, Access::Write)
        ]
    );
}

/// An ELF file with symbols, as (address, offset of the name), and a table of their names.
fn elf_with_symbols(symbols: &[(u64, u32)], strings: &[u8]) -> Vec<u8> {
    const SYMBOL: usize = 24;
    let mut bytes = elf(note(), segments(), MONITOR_BASE);
    let (symbols_at, strings_at) = (bytes.len(), bytes.len() + symbols.len() * SYMBOL);
    for &(address, name) in symbols {
        bytes.extend(name.to_le_bytes());
        bytes.extend([2, 0, 1, 0]);
        bytes.extend(address.to_le_bytes());
        bytes.extend(0_u64.to_le_bytes());
    }
    bytes.extend(strings);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let headers_at = bytes.len() as u64;
    // Type, offset, size, link and size of an entry: nothing, the symbols, their names.
    let (symbols_size, strings_size) = (symbols.len() * SYMBOL, strings.len());
    for (kind, offset, size, link, entry) in [
        (0, 0, 0, 0, 0),
        (2, symbols_at, symbols_size, 2, SYMBOL),
        (3, strings_at, strings_size, 0, 0),
    ] {
        bytes.extend([0, kind as u32].map(u32::to_le_bytes).concat());
        let [offset, size, entry] = [offset, size, entry].map(|number| number as u64);
        bytes.extend([0, 0, offset, size].map(u64::to_le_bytes).concat());
        bytes.extend([link as u32, 1].map(u32::to_le_bytes).concat());
        bytes.extend([8, entry].map(u64::to_le_bytes).concat());
    }
    bytes[0x28..0x30].copy_from_slice(&headers_at.to_le_bytes());
    bytes[0x3c..0x40].copy_from_slice(&[3, 0, 2, 0]);
    bytes
}

#[test]
fn symbols_are_short_and_printable_however_they_are_in_the_file() {
    let mut strings = b"\0cpu_on\0\x1b[2J\x07evil\xff\0$x\0".to_vec();
    let long = strings.len() as u32;
    strings.extend(vec![b'a'; 1 << 20]);
    let code = MONITOR_BASE;
    let symbols = [
        (code, 1),
        (code + 0x10, 8),
        (code + 0x20, long),
        (code + 0x30, 18),
    ];
    let blob = Blob::parse(&elf_with_symbols(&symbols, &strings)).expect("sound");
    assert_eq!(blob.symbol(code + 4), Some(("cpu_on", 4)));
    assert_eq!(blob.symbol(code + 0x10), Some(("?[2J?evil?", 0)));
    let a = "a".repeat(MAX_SYMBOL);
    assert_eq!(blob.symbol(code + 0x24), Some((a.as_str(), 4)));
    assert_eq!(
        blob.symbol(code + 0x38),
        Some((a.as_str(), 0x18)),
        "$x is none"
    );
}

#[test]
fn a_large_table_of_names_is_not_copied_for_each_symbol() {
    let symbols: Vec<(u64, u32)> = (0..100_000).map(|n| (MONITOR_BASE + n, n as u32)).collect();
    let strings = vec![b'a'; 1 << 20];
    let blob = Blob::parse(&elf_with_symbols(&symbols, &strings)).expect("sound");
    assert_eq!(blob.symbols.len(), MAX_SYMBOLS);
    assert!(
        blob.symbols
            .iter()
            .all(|(_, name)| name.len() <= MAX_SYMBOL)
    );
}

#[test]
fn other_files_are_refused_by_name() {
    assert!(matches!(Blob::parse(b""), Err(BlobError::Elf(_))));
    assert!(matches!(
        Blob::parse(b"#!/bin/sh\n"),
        Err(BlobError::Elf(_))
    ));
    let mut x86 = elf(note(), segments(), MONITOR_BASE);
    x86[18] = 62;
    assert!(matches!(Blob::parse(&x86), Err(BlobError::Kind(_))));
    let mut shared = elf(note(), segments(), MONITOR_BASE);
    shared[16] = 3;
    assert!(matches!(Blob::parse(&shared), Err(BlobError::Kind(_))));
}

#[test]
fn a_note_that_is_not_understood_is_refused() {
    #[track_caller]
    fn refused(change: impl Fn(&mut Note)) {
        let mut changed = note();
        change(&mut changed);
        let error = parse(changed, segments()).expect_err("refused");
        assert!(matches!(error, BlobError::Note(_)), "{error}");
    }
    refused(|note| note.conduits = 0);
    refused(|note| note.conduits = 4);
    refused(|note| note.window = 3);
    refused(|note| note.callers = 4);
    refused(|note| note.guest_memory = 3);
    refused(|note| note.stack = 0);
    refused(|note| note.stack = 4097);
    refused(|note| note.stack = MAX_STACK + 4096);
    refused(|note| note.range_count = 0);
    refused(|note| note.range_count = 33);
    refused(|note| note.reserved = 1);
    refused(|note| note.board = [b'x'; 32]);
    refused(|note| note.board = [0; 32]);
    refused(|note| note.board[0] = 0x1b);
    refused(|note| note.ranges[0].inputs = 9);
    refused(|note| note.ranges[0].outputs = 5);
    refused(|note| note.ranges[0].last = 0x8300_0000);
    refused(|note| note.ranges[0].first = 0x8000_ffff);
    refused(|note| note.range_count = 2);
}

#[test]
fn architecture_calls_can_be_claimed() {
    let mut claims = note();
    claims.ranges[0].first = 0x8000_0000;
    claims.ranges[0].last = 0x8000_0002;
    let blob = parse(claims, segments()).expect("a blob");
    assert!(blob.ranges()[0].is_architecture());
}

#[test]
fn another_abi_version_is_named() {
    let mut newer = note();
    newer.abi = ABI_VERSION + 0x1_0000;
    assert_eq!(
        parse(newer, segments()).unwrap_err(),
        BlobError::Version(newer.abi)
    );
}

#[test]
fn a_missing_note_is_named() {
    let mut without = segments();
    without[2][0] = 0;
    assert_eq!(parse(note(), without).unwrap_err(), BlobError::NoNote);
}

#[test]
fn segments_out_of_place_are_refused() {
    #[track_caller]
    fn refused(change: impl Fn(&mut Segments), why: &str) {
        let mut changed = segments();
        change(&mut changed);
        let error = parse(note(), changed).expect_err("refused").to_string();
        assert!(error.contains(why), "{error}");
    }
    refused(|s| s[0][0] = 1 | 7 << 32, "writable and executable");
    refused(|s| s[1][2] = MONITOR_BASE + 0x1800, "begin at a page");
    refused(|s| s[1][2] = MONITOR_BASE, "shares a page");
    refused(|s| s[1][2] = 0x4000_0000, "outside the blob's space");
    refused(|s| s[1][4] = u64::MAX, "outside the blob's space");
    refused(
        |s| s[1][2] = MONITOR_BASE + BLOB_SPACE,
        "outside the blob's space",
    );
    refused(|s| s[0][1] = 1 << 40, "outside the file");
    refused(|s| s[0][4] = 0x800, "more bytes in the file");
    refused(|s| s[0][0] = 1 | 4 << 32, "vector table");
}

#[test]
fn the_entry_point_must_be_a_vector_table() {
    for entry in [
        0,
        MONITOR_BASE + 4,
        MONITOR_BASE + 0x1000,
        MONITOR_BASE - 0x800,
    ] {
        let error = Blob::parse(&elf(note(), segments(), entry)).unwrap_err();
        assert_eq!(error, BlobError::Vectors(entry));
    }
    // A blob that serves HVC has two tables, and this one's code has room for both.
    let mut both = note();
    both.conduits |= note::CONDUIT_HVC;
    assert!(Blob::parse(&elf(both, segments(), MONITOR_BASE)).is_ok());
    assert!(Blob::parse(&elf(both, segments(), MONITOR_BASE + 0x800)).is_err());
}

proptest! {
    #[test]
    fn damage_never_panics(damage in prop::collection::vec((0..NOTE_AT + 600, any::<u8>()), 1..8)) {
        let mut bytes = elf(note(), segments(), MONITOR_BASE);
        for (at, byte) in damage {
            bytes[at] = byte;
        }
        if let Ok(blob) = Blob::parse(&bytes) {
            // Whatever was accepted is safe to map.
            let end = MONITOR_BASE + BLOB_SPACE;
            prop_assert!(blob.segments().iter().all(|s| s.address >= MONITOR_BASE && s.address + s.size <= end));
            prop_assert!(blob.segments().iter().all(|s| s.data.len() as u64 <= s.size));
        }
    }

    #[test]
    fn a_cut_file_never_panics(length in 0..TEXT_AT + 0x1000) {
        let bytes = elf(note(), segments(), MONITOR_BASE);
        prop_assert!(Blob::parse(&bytes[..length]).is_err());
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(Blob::parse(&bytes).is_err());
    }
}
