// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a board's `build.rs` calls: `board.toml` becomes a constant, and bare metal gets its linker
//! script.

use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;

use fakemon_abi::{layout, note as abi};

use crate::board::Board;
use crate::note::Window;

/// Does all that a board's build script has to do, and ends it with a message if the board's data
/// is bad.
///
/// `OUT_DIR/note.rs` gets a constant `NOTE`, and `OUT_DIR/functions.rs` a module `function` with a
/// constant for each name in `[functions]`, for the board's source to include. When the target has no
/// operating system, the board's binary is linked as a blob: the script `blob.ld`, which the
/// blob crate puts on the search path, with the address that the ABI gives.
pub fn run() {
    if let Err(error) = try_run() {
        // Cargo shows this line as an error of the board and stops, without a panic's noise around
        // it.
        println!(
            "cargo::error={}",
            error.to_string().replace('\n', "\ncargo::error=")
        );
    }
}

fn try_run() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=board.toml");
    let board = Board::load(&PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?))?;
    emit_note(&board, "note.rs")?;
    emit("functions.rs", &functions_source(&board))?;
    link_blobs()
}

/// Writes the note of `board` to `file` in `OUT_DIR`, as the Rust constant `NOTE`.
///
/// # Errors
/// The file cannot be written.
pub fn emit_note(board: &Board, file: &str) -> Result<(), Box<dyn Error>> {
    emit(file, &note_source(board))
}

fn emit(file: &str, source: &str) -> Result<(), Box<dyn Error>> {
    let dir = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(dir.join(file), source)?;
    Ok(())
}

/// Has cargo link the package's programs as blobs, when the target has no operating system.
///
/// # Errors
/// Cargo runs no build script.
pub fn link_blobs() -> Result<(), Box<dyn Error>> {
    if std::env::var("CARGO_CFG_TARGET_OS")? == "none" {
        println!("cargo::rustc-link-arg-bins=-Tblob.ld");
        println!(
            "cargo::rustc-link-arg-bins=--defsym=MONITOR_BASE={:#x}",
            layout::MONITOR_BASE
        );
        println!(
            "cargo::rustc-link-arg-bins=--defsym=MAX_IMAGE={:#x}",
            layout::BLOB_MAX_IMAGE
        );
        // Stage 1 has 4 KiB pages, and so do the blob's segments.
        println!("cargo::rustc-link-arg-bins=-zmax-page-size=0x1000");
        println!("cargo::rustc-link-arg-bins=--build-id=none");
    }
    Ok(())
}

/// The source of `note.rs`: plain numbers, so that the blob needs nothing of this crate.
fn note_source(board: &Board) -> String {
    let note = board.note.to_abi(&board.name);
    let mut ranges = String::new();
    for range in &note.ranges[..board.note.ranges.len()] {
        let abi::Range {
            first,
            last,
            inputs,
            outputs,
        } = *range;
        let (first, last) = (literal(first), literal(last));
        let _ = write!(
            ranges,
            "
        Range {{ first: {first}, last: {last}, inputs: {inputs}, outputs: {outputs} }},"
        );
    }
    let abi::Note {
        conduits,
        window,
        callers,
        guest_memory,
        stack,
        range_count,
        ..
    } = note;
    let name = &board.name;
    format!(
        "/// What the blob claims, as `board.toml` says it.
const NOTE: ::fakemon_blob::abi::note::Note = {{
    use ::fakemon_blob::abi::{{ABI_VERSION, note::{{Note, Range, board_name, ranges}}}};
    Note {{
        abi: ABI_VERSION,
        conduits: {conduits:#x},
        window: {window},
        callers: {callers:#x},
        guest_memory: {guest_memory},
        stack: {stack:#x},
        range_count: {range_count},
        reserved: 0,
        board: board_name({name:?}),
        ranges: ranges(&[{ranges}
        ]),
    }}
}};
"
    )
}

/// The source of `functions.rs`: function IDs, or what registers hold where there was no SMCCC yet. A
/// name that several functions have gets no constant.
fn functions_source(board: &Board) -> String {
    let legacy = board.note.window == Window::Legacy32;
    let mut source = String::from(
        "/// The functions that `board.toml` names, by these names.
pub mod function {
",
    );
    let is_one = |name| {
        board
            .functions
            .values()
            .filter(|other| *other == name)
            .count()
            == 1
    };
    for (&id, name) in board.functions.iter().filter(|(_, name)| is_one(*name)) {
        // The check has refused what has more bits.
        let number = literal(id as u32);
        let (kind, value) = if legacy {
            ("u64", number.clone())
        } else {
            let kind = "::fakemon_firmware::FunctionId";
            (kind, format!("{kind}({number})"))
        };
        // Writing to a string does not fail.
        let _ = writeln!(
            source,
            "    /// `{number}`.\n    pub const {name}: {kind} = {value};"
        );
    }
    source.push_str("}\n");
    source
}

/// A function ID as people write it in Rust.
fn literal(id: u32) -> String {
    format!("{:#06x}_{:04x}", id >> 16, id & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_of_a_board_becomes_rust_source() {
        let board = Board::parse(crate::board::tests::GOOD, "virt").expect("good");
        let source = note_source(&board);
        assert!(source.contains("const NOTE"), "{source}");
        assert!(source.contains("board_name(\"virt\")"), "{source}");
        assert!(
            source.contains(
                "Range { first: 0x8400_0000, last: 0x8400_001f, inputs: 4, outputs: 1 },"
            ),
            "{source}"
        );
        assert!(source.contains("range_count: 2,"), "{source}");
    }

    #[test]
    fn the_functions_of_a_board_become_constants() {
        let good = crate::board::tests::GOOD;
        let source = |text: &str| functions_source(&Board::parse(text, "virt").expect("good"));
        let smccc = source(good);
        let id = "pub const L2_CONTROL: ::fakemon_firmware::FunctionId = \
                  ::fakemon_firmware::FunctionId(0x0000_0102);";
        assert!(smccc.contains(id), "{smccc}");
        let twice = source(&good.replace("\"PSCI_VERSION\"", "\"L2_CONTROL\""));
        assert!(!twice.contains("const"), "{twice}");
        let legacy = good.replace("\"smccc\"", "\"legacy32\"");
        let legacy = source(
            &legacy
                .replace("\"aarch64\"", "\"aarch32\"")
                .replace("\"arm64\"", "\"armhf\""),
        );
        assert!(
            legacy.contains("pub const PSCI_VERSION: u64 = 0x8400_0000;"),
            "{legacy}"
        );
    }
}
