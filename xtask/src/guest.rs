// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Builds a board's default initramfs: busybox, the init script of tests/initramfs, and the board's
//! own script and kernel modules.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fakemon_manifest::{Board, KernelVersion};

use crate::archive::Archive;
use crate::supplies::{Kernel, Supplies};
use crate::{modules, workspace};

/// Builds the initramfs of `board` for its `kernel`, whose modules it holds in the order of
/// loading.
pub(crate) fn initramfs(supplies: &Supplies, board: &Board, kernel: &Kernel) -> Result<PathBuf> {
    let busybox = supplies.busybox(board.guest.arch)?;
    let modules = modules::load(&kernel.modules(), &board.guest.modules)?;
    let dir = workspace::target().join("initrd");
    fs::create_dir_all(&dir)?;
    let name = format!("{}-{}.cpio", board.name, kernel.name());
    let path = dir.join(&name);
    // Another run may be reading the old file.
    let new = dir.join(format!("{name}.{}", std::process::id()));
    let script = workspace::board_dir(&board.name).join("guest.sh");
    let script = script.is_file().then_some(script);
    let patterns = patterns(board);
    write(&new, &busybox, script.as_deref(), &patterns, &modules)
        .with_context(|| format!("cannot write {}", path.display()))?;
    fs::rename(&new, &path)?;
    Ok(path)
}

/// What the tests look for in the kernel's log, as busybox's grep takes it: one pattern in a line,
/// without the classes that it does not know. Which of the board's patterns count is decided by the
/// version that the kernel says of itself, so that is one of them.
fn patterns(board: &Board) -> String {
    let patterns = board.guest.patterns().map(|pattern| pattern.text.as_str());
    patterns
        .chain([KernelVersion::BANNER])
        .map(|pattern| pattern.replace(r"\d", "[0-9]") + "\n")
        .collect()
}

fn write(
    to: &Path,
    busybox: &Path,
    script: Option<&Path>,
    patterns: &str,
    modules: &[modules::Module],
) -> Result<()> {
    let mut archive = Archive::new(BufWriter::new(File::create(to)?));
    archive.console_node()?;
    archive.file_from(
        "init",
        &workspace::root().join("tests/initramfs/init"),
        0o755,
    )?;
    archive.file_from("bin/busybox", busybox, 0o755)?;
    archive.link("bin/sh", "busybox")?;
    if let Some(script) = script {
        archive.file_from("guest.sh", script, 0o644)?;
    }
    archive.file("patterns", patterns.as_bytes(), 0o644)?;
    for (number, module) in modules.iter().enumerate() {
        let name = format!("modules/{number:02}-{}.ko", module.name);
        archive.file(&name, &module.content, 0o644)?;
    }
    archive.finish()?.flush()?;
    Ok(())
}
