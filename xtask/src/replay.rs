// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Builds the guest of a board that replays calls: the program of tests/replay, and after it the
//! board's `replay.toml` as the table that the program reads.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use fakemon_manifest::{Board, Replay, ReplayCall, Word};
use fakemon_replay::{IMAGE, IMAGE_SIZE, REGISTERS, SCRATCH, table};
use object::{Object, ObjectSegment};

use crate::{blob, cargo, workspace};

/// What a register holds that a call does not name: this, and its number.
const UNNAMED: u32 = 0x5eed_0000;

// What the schema promises is what the program has.
const _: () = assert!(
    Replay::IMAGE == IMAGE
        && Replay::SCRATCH_SIZE == fakemon_replay::SCRATCH_SIZE
        && Replay::MAX_CHANGED == fakemon_replay::check::MAX_CHANGED
);

/// Builds the program, without calls: its bytes as they lie in memory.
pub(crate) fn program() -> Result<Vec<u8>> {
    let mut command = cargo::cargo(&["build", "--profile", "blob", "--target", cargo::BARE_32]);
    command.args(["--package", "fakemon-replay"]);
    command.env("CARGO_ENCODED_RUSTFLAGS", blob::remap_flags()?.join("\x1f"));
    let programs = cargo::build("the replay program", &mut command)?;
    let program = programs.first().context("cargo built no replay program")?;
    flatten(&program.path)
}

/// Writes the guest of `board`, the program with the board's calls: a file that the VMM boots as a
/// zImage.
pub(crate) fn guest(program: &[u8], board: &Board) -> Result<PathBuf> {
    let calls = Replay::load(&workspace::board_dir(&board.name))?;
    let table = encode(board, &calls)?;
    let mut image = program.to_vec();
    image.extend(table.iter().flat_map(|word| word.to_le_bytes()));
    ensure!(
        image.len() <= IMAGE_SIZE as usize,
        "replay.toml of {} has too many calls: a replay has room for {IMAGE_SIZE} bytes",
        board.name
    );

    let dir = workspace::target().join("replay");
    fs::create_dir_all(&dir)?;
    let path = dir.join(format!("{}.bin", board.name));
    // Another run may be reading the old file.
    let new = dir.join(format!("{}.bin.{}", board.name, std::process::id()));
    fs::write(&new, image)?;
    fs::rename(&new, &path)?;
    Ok(path)
}

/// The bytes of a program as they lie in memory.
fn flatten(elf: &Path) -> Result<Vec<u8>> {
    let content = fs::read(elf)?;
    let file = object::File::parse(content.as_slice())
        .with_context(|| format!("{} is no ELF file", elf.display()))?;
    let mut image = Vec::new();
    for segment in file.segments() {
        let bytes = segment.data()?;
        if bytes.is_empty() {
            continue;
        }
        let offset = segment.address().checked_sub(u64::from(IMAGE));
        let offset = offset.context("the replay program is linked elsewhere")? as usize;
        image.resize(image.len().max(offset + bytes.len()), 0);
        image[offset..offset + bytes.len()].copy_from_slice(bytes);
    }
    Ok(image)
}

/// The calls as the words that [`table::Table`] reads.
fn encode(board: &Board, replay: &Replay) -> Result<Vec<u32>> {
    let machine = &board.machine;
    let (power, off) = machine
        .power_off()
        .context("the board has nothing to end a replay with")?;
    let ram = u32::try_from(machine.ram_base).context("RAM begins above 4 GiB")?;
    let mut words = vec![
        table::MAGIC,
        u32::try_from(machine.uart.base).context("the UART is above 4 GiB")?,
        power,
        off,
        ram,
        u32::try_from(machine.memory.0 >> 20)?,
        u32::try_from(replay.calls.len())?,
    ];
    for call in &replay.calls {
        encode_call(&mut words, call, ram + SCRATCH)?;
    }
    Ok(words)
}

fn encode_call(words: &mut Vec<u32>, call: &ReplayCall, scratch: u32) -> Result<()> {
    let before = pairs(&call.memory, scratch);
    let after = pairs(&call.memory_after, scratch);
    let name = call.name().as_bytes();
    let thumb = if call.thumb { table::THUMB } else { 0 };
    let out = call
        .out
        .keys()
        .fold(0, |mask, register| mask | 1 << register.0);
    let clobbered = call
        .clobbered
        .iter()
        .fold(0, |mask, register| mask | 1 << register.0);
    words.extend([u32::from(call.immediate) | thumb, out | clobbered << 16]);
    for length in [
        before.len() / 2,
        after.len() / 2,
        call.changed.len(),
        name.len(),
    ] {
        words.push(u32::try_from(length)?);
    }
    let mut input: [u32; REGISTERS] = std::array::from_fn(|n| UNNAMED + n as u32);
    let mut output = [0; REGISTERS];
    for (registers, named) in [(&mut input, &call.input), (&mut output, &call.out)] {
        for (register, word) in named {
            registers[usize::from(register.0)] = word.value(scratch);
        }
    }
    words.extend(input.into_iter().chain(output));
    words.extend(before.into_iter().chain(after));
    words.extend(call.changed.iter().map(|address| address.value(scratch)));
    for chunk in name.chunks(4) {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        words.push(u32::from_le_bytes(word));
    }
    Ok(())
}

/// Address and value of each word.
fn pairs(memory: &BTreeMap<Word, Vec<Word>>, scratch: u32) -> Vec<u32> {
    let mut pairs = Vec::new();
    for (start, words) in memory {
        for (address, word) in (start.value(scratch)..).step_by(4).zip(words) {
            pairs.extend([address, word.value(scratch)]);
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use fakemon_replay::table::Table;

    use super::*;

    #[test]
    fn the_program_reads_what_is_encoded() {
        let replay = Replay::parse(
            r#"
[[call]]
source = "a.c: first"
[[call]]
source = "a.c: second"
immediate = 1
thumb = true
in = { r0 = 7, r6 = "scratch+0x10" }
memory = { "scratch+0x10" = [1, "scratch"] }
out = { r12 = -1 }
clobbered = ["r1"]
memory-after = { "0x3404c000" = [9] }
changed = ["scratch+0x20"]
"#,
        )
        .expect("good");
        let mut words = vec![table::MAGIC, 1, 2, 3, 4, 5, 2];
        for call in &replay.calls {
            encode_call(&mut words, call, 0x8210_0000).expect("small");
        }
        let table = Table::parse(&words).expect("a table");
        let calls: Vec<_> = table.calls().collect();
        assert_eq!(calls[0].name().collect::<Vec<_>>(), b"first");
        assert_eq!((calls[0].immediate, calls[0].thumb), (0, false));
        assert_eq!(calls[0].input[0], 0x5eed_0000);
        assert_eq!(calls[0].input[12], 0x5eed_000c);
        let call = calls[1];
        assert_eq!(call.name().collect::<Vec<_>>(), b"second");
        assert_eq!((call.immediate, call.thumb), (1, true));
        assert_eq!((call.input[0], call.input[6]), (7, 0x8210_0010));
        assert_eq!((call.out, call.clobbered), (1 << 12, 1 << 1));
        assert_eq!(call.output[12], u32::MAX);
        let memory = [0x8210_0010, 1, 0x8210_0014, 0x8210_0000];
        assert_eq!(call.before, memory);
        assert_eq!(call.after, [0x3404_c000, 9]);
        assert_eq!(call.changed, [0x8210_0020]);
    }
}
