// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Parts what board virt's blob claims between two blobs: random numbers, and everything else.

use std::error::Error;
use std::path::Path;

use fakemon_manifest::{Board, Range, build_script, standard};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("../../boards/virt");
    println!(
        "cargo::rerun-if-changed={}",
        dir.join("board.toml").display()
    );
    let virt = Board::load(&dir)?;
    let is_entropy = |range: &Range| {
        let name = standard::function_name(range.first.into());
        name.is_some_and(|name| name.starts_with("TRNG_"))
    };
    let (entropy, rest): (Vec<_>, Vec<_>) = virt.note.ranges.iter().copied().partition(is_entropy);
    // The first blob has to be the board's; a further one can have any name.
    for (file, name, ranges) in [
        ("power.rs", "virt", rest),
        ("entropy.rs", "entropy", entropy),
    ] {
        let mut half = virt.clone();
        half.name = name.to_owned();
        half.note.ranges = ranges;
        build_script::emit_note(&half, file)?;
    }
    build_script::link_blobs()?;
    Ok(())
}
