// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `setup`: fetches everything that the other verbs need, and checks what is there already.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::Args;
use fakemon_host::Engine;
use fakemon_manifest::{Arch, TestKind};

use crate::cache::{Cache, Check};
use crate::debian::Packages;
use crate::machine::Cpu;
use crate::progress::Progress;
use crate::supplies::{HostKernel, Supplies};
use crate::{cargo, inputs, this_machine, workspace};

/// Fetch what the other verbs need, and check what is there by its hashes
///
/// The other verbs do by themselves what they miss, so this is for before you lose your network.
/// Packages come from the Debian archive that this machine uses, unprivileged, into a cache of our
/// own: $FAKEMON_CACHE, $XDG_CACHE_HOME/fakemon or ~/.cache/fakemon. Which ones is said by
/// debian.lock.
///
/// Without apt, give the files by path:
///   FAKEMON_QEMU           the qemu-system-aarch64 program, 7.2 or newer (one in PATH is found)
///   FAKEMON_HOST_KERNEL    an arm64 kernel with KVM, PL011 and virtio console built in; or `own`,
///                          `16k` or `64k`, as `test --host-kernel` takes them
///   FAKEMON_KERNELS        a directory with vmlinuz, dtbs/ and modules/ in one subdirectory for
///                          each kernel package that a board.toml names
///   FAKEMON_BUSYBOX_ARM64  static busybox programs
///   FAKEMON_BUSYBOX_ARMHF
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Setup {
    /// Fetch nothing: move debian.lock to the newest packages, and show what moved.
    #[arg(long)]
    update: bool,
}

impl Setup {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        if self.update {
            return update();
        }
        rust_targets()?;
        rust_target(cargo::GNU)?;
        let mut supplies = Supplies::open(Check::Full)?;
        supplies.host_files()?;
        for board in workspace::boards()? {
            if board.test != TestKind::Replay {
                supplies.guest_kernel(&board)?;
            }
        }
        supplies.vmm()?;
        for arch in [Arch::Arm64, Arch::Armhf] {
            supplies.busybox(arch)?;
        }
        // The host of `ci` with larger pages.
        if !this_machine::is_native()? {
            let kernel = Some(&HostKernel::Pages16k);
            supplies.choose_host_kernel(kernel, Engine::Userspace, Cpu::Max)?;
            supplies.host_kernel()?;
        }
        eprintln!("everything is in {}", supplies.dir().display());
        Ok(ExitCode::SUCCESS)
    }
}

/// Locks what the archive has today.
fn update() -> Result<ExitCode> {
    let mut packages = Packages::new(Cache::open()?, true)?;
    let mut moved = 0;
    for want in inputs::all()? {
        let (before, newest) = match packages.update(&want) {
            Ok(both) => both,
            Err(error) => {
                let what = match packages.locked(&want) {
                    Some(locked) => format!("stays at {}", locked.version),
                    None => "is left out".to_owned(),
                };
                println!("{want} {what}: {error:#}");
                continue;
            }
        };
        let (now, files) = (newest.to_string(), newest.files.len());
        if before.as_ref() == Some(&newest) {
            continue;
        }
        moved += 1;
        match before {
            None => println!("{want} is {now} ({files} files)"),
            Some(before) if before.version == newest.version => {
                let new = newest
                    .files
                    .iter()
                    .filter(|file| !before.files.contains(file));
                println!("{want} stays at {now}; {} of its files moved", new.count());
            }
            Some(before) => println!("{want} moves from {before} to {now}"),
        }
    }
    packages.write_lock()?;
    println!("{moved} moved");
    Ok(ExitCode::SUCCESS)
}

/// Adds the compiler's targets that are missing.
pub(crate) fn rust_targets() -> Result<()> {
    [cargo::LINUX, cargo::BARE, cargo::BARE_32]
        .into_iter()
        .try_for_each(rust_target)
}

/// Adds a target of the compiler's if it is missing.
pub(crate) fn rust_target(target: &str) -> Result<()> {
    let sysroot = cargo::rustc(&["--print", "sysroot"])?;
    // Asking rustup takes longer than looking.
    let libraries = Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(target)
        .join("lib");
    if libraries.is_dir() {
        return Ok(());
    }
    let progress = Progress::start(&format!("adding the Rust target {target}"));
    let added = Command::new("rustup")
        .args(["target", "add", target])
        .current_dir(workspace::root())
        .output()
        .with_context(|| format!("the Rust target {target} is missing, and so is rustup"))?;
    progress.finish();
    let messages = String::from_utf8_lossy(&added.stderr);
    ensure!(
        added.status.success(),
        "cannot add the Rust target {target}: {}",
        messages.trim()
    );
    Ok(())
}
