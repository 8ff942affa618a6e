// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Builds a board's default initramfs: busybox, the init script of tests/initramfs, and the board's
//! own script and kernel modules.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fakemon_manifest::{Board, Demo, KernelVersion, Pattern};

use crate::archive::Archive;
use crate::supplies::{Kernel, Supplies};
use crate::{modules, workspace};

/// Builds the initramfs of `board` for its `kernel`, whose modules it holds in the order of
/// loading.
pub(crate) fn initramfs(supplies: &Supplies, board: &Board, kernel: &Kernel) -> Result<PathBuf> {
    let script = workspace::board_dir(&board.name).join("guest.sh");
    let script = script.is_file().then_some(script);
    driver_initramfs(supplies, board, kernel, script, &board.name)
}

/// Builds the initramfs of `board` for another VMM's machine: with the board's modules and checks, but for
/// what that machine does not have, and a script of its own.
pub(crate) fn attach_initramfs(
    supplies: &Supplies,
    board: &Board,
    kernel: &Kernel,
) -> Result<PathBuf> {
    let script = workspace::root().join("tests/attach/guest.sh");
    driver_initramfs(supplies, board, kernel, Some(script), "attach")
}

/// Builds an initramfs called `name` for the drivers that a board is about.
fn driver_initramfs(
    supplies: &Supplies,
    board: &Board,
    kernel: &Kernel,
    script: Option<PathBuf>,
    name: &str,
) -> Result<PathBuf> {
    let content = Content {
        busybox: supplies.busybox(board.guest.arch)?,
        script,
        patterns: lines(board.guest.patterns()),
        modules: modules::load(&kernel.modules(), &board.guest.modules)?,
    };
    content.archive(&format!("{name}-{}", kernel.name()))
}

/// Builds the initramfs of a demonstration on `board`.
pub(crate) fn demo_initramfs(supplies: &Supplies, board: &Board, demo: &Demo) -> Result<PathBuf> {
    let content = Content {
        busybox: supplies.busybox(board.guest.arch)?,
        script: Some(workspace::board_dir(&board.name).join(&demo.script)),
        patterns: lines(demo.patterns()),
        modules: Vec::new(),
    };
    content.archive(&format!("{}-demo-{}", board.name, demo.name))
}

/// What the tests look for in the kernel's log, as busybox's grep takes it: one pattern in a line,
/// without the classes that it does not know. Which of the board's patterns count is decided by the
/// version that the kernel says of itself, so that is one of them.
fn lines<'a>(patterns: impl Iterator<Item = &'a Pattern>) -> String {
    let patterns = patterns.map(|pattern| pattern.text.as_str());
    patterns
        .chain([KernelVersion::BANNER])
        .map(|pattern| pattern.replace(r"\d", "[0-9]") + "\n")
        .collect()
}

/// What an initramfs holds besides the init script.
struct Content {
    busybox: PathBuf,
    script: Option<PathBuf>,
    patterns: String,
    modules: Vec<modules::Module>,
}

impl Content {
    /// Makes an archive of it that is called `name`.
    fn archive(&self, name: &str) -> Result<PathBuf> {
        let dir = workspace::target().join("initrd");
        fs::create_dir_all(&dir)?;
        let name = format!("{name}.cpio");
        let path = dir.join(&name);
        // Another run may be reading the old file.
        let new = dir.join(format!("{name}.{}", std::process::id()));
        self.write(&new)
            .with_context(|| format!("cannot write {}", path.display()))?;
        fs::rename(&new, &path)?;
        Ok(path)
    }

    fn write(&self, to: &Path) -> Result<()> {
        let mut archive = Archive::new(BufWriter::new(File::create(to)?));
        archive.console_node()?;
        let init = workspace::root().join("tests/initramfs/init");
        archive.file_from("init", &init, 0o755)?;
        archive.file_from("bin/busybox", &self.busybox, 0o755)?;
        archive.link("bin/sh", "busybox")?;
        if let Some(script) = &self.script {
            archive.file_from("guest.sh", script, 0o644)?;
        }
        archive.file("patterns", self.patterns.as_bytes(), 0o644)?;
        for (number, module) in self.modules.iter().enumerate() {
            let name = format!("modules/{number:02}-{}.ko", module.name);
            archive.file(&name, &module.content, 0o644)?;
        }
        archive.finish()?.flush()?;
        Ok(())
    }
}
