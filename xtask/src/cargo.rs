// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Builds parts of the workspace for Arm, with the cargo that runs xtask.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::progress::Progress;
use crate::workspace;

/// Linux programs for Arm: static, linked by the compiler's own linker.
pub(crate) const LINUX: &str = "aarch64-unknown-linux-musl";
/// Libraries that a C compiler of that machine links with.
pub(crate) const GNU: &str = "aarch64-unknown-linux-gnu";
/// Blobs: bare metal, without floating point.
pub(crate) const BARE: &str = "aarch64-unknown-none-softfloat";

/// The guest that replays calls: bare metal, 32-bit.
pub(crate) const BARE_32: &str = "armv7a-none-eabi";

/// A program that cargo has built.
#[derive(Debug)]
pub(crate) struct Program {
    /// The directory of its package.
    pub(crate) package_dir: PathBuf,
    /// The file.
    pub(crate) path: PathBuf,
}

/// A call of cargo in this workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace::root()).args(arguments);
    command
}

/// What the workspace's compiler prints when asked with `arguments`.
pub(crate) fn rustc(arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("rustc");
    let output = command
        .args(arguments)
        .current_dir(workspace::root())
        .output();
    Ok(String::from_utf8_lossy(&output.context("cannot run rustc")?.stdout).into_owned())
}

/// Builds the reference VMM.
pub(crate) fn build_vmm() -> Result<PathBuf> {
    let arguments = [
        "--release",
        "--target",
        LINUX,
        "--package",
        "fakemon",
        "--bin",
        "fakemon",
    ];
    one(build("fakemon", cargo(&["build"]).args(arguments))?)
}

/// Builds an embedder's example.
pub(crate) fn build_example(name: &str) -> Result<PathBuf> {
    let arguments = [
        "--release",
        "--target",
        LINUX,
        "--package",
        "fakemon-host",
        "--example",
        name,
    ];
    one(build("the example", cargo(&["build"]).args(arguments))?)
}

/// Builds the library for VMMs in C, to be linked by `linker`, and returns the static one.
pub(crate) fn build_c_library(linker: &str) -> Result<PathBuf> {
    let arguments = ["--release", "--target", GNU, "--package", "fakemon-c"];
    let mut command = cargo(&["build"]);
    command
        .args(arguments)
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", linker);
    build("the library for C", &mut command)?;
    Ok(workspace::target().join(GNU).join("release/libfakemon.a"))
}

/// Builds the library that is loaded into other VMMs, with the libraries in `link` under the names that a
/// linker looks for.
pub(crate) fn build_preload(link: &Path) -> Result<PathBuf> {
    let arguments = ["--release", "--target", GNU, "--package", "fakemon-preload"];
    let mut command = cargo(&["rustc"]);
    command.args(arguments);
    link_with(&mut command, link);
    run("the library for other VMMs", &mut command)?;
    Ok(workspace::target()
        .join(GNU)
        .join("release/libfakemon_preload.so"))
}

/// Has a `cargo rustc` link with the compiler's own linker, and with the libraries in `link`. It comes after all
/// options of cargo's.
pub(crate) fn link_with(command: &mut Command, link: &Path) {
    // The options of cargo come before those of rustc, which are for this one library.
    command.args(["--quiet", "--", "-Clinker=rust-lld"]);
    command.arg(format!("-Lnative={}", link.display()));
}

/// Builds the program that measures.
pub(crate) fn build_bench() -> Result<PathBuf> {
    let arguments = [
        "--release",
        "--target",
        LINUX,
        "--package",
        "fakemon-tests",
        "--bin",
        "bench",
    ];
    one(build(
        "the measuring program",
        cargo(&["build"]).args(arguments),
    )?)
}

/// Builds PID 1 of the host VM.
pub(crate) fn build_host_vm_init() -> Result<PathBuf> {
    let arguments = [
        "--release",
        "--target",
        LINUX,
        "--package",
        "fakemon-hostvm",
    ];
    one(build(
        "the host VM's init",
        cargo(&["build"]).args(arguments),
    )?)
}

/// Runs a build and lists the programs that it is about.
pub(crate) fn build(what: &str, command: &mut Command) -> Result<Vec<Program>> {
    let messages = ["--quiet", "--message-format=json-render-diagnostics"];
    programs(&run(what, command.args(messages))?)
}

/// Runs a build and returns what it prints; errors of the compiler are shown as they come.
pub(crate) fn run(what: &str, command: &mut Command) -> Result<String> {
    let progress = Progress::start(&format!("building {what}"));
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        progress.abandon();
        bail!("{what} could not be built");
    }
    progress.finish();
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The one program of a build.
pub(crate) fn one(programs: Vec<Program>) -> Result<PathBuf> {
    let program = programs
        .into_iter()
        .next()
        .context("cargo built no program")?;
    Ok(program.path)
}

/// One line of cargo's JSON.
#[derive(Deserialize)]
struct Message {
    manifest_path: Option<PathBuf>,
    executable: Option<PathBuf>,
}

fn programs(messages: &str) -> Result<Vec<Program>> {
    let mut programs = Vec::new();
    for line in messages.lines() {
        let message: Message = serde_json::from_str(line).context("cargo's messages changed")?;
        if let (Some(manifest), Some(path)) = (message.manifest_path, message.executable) {
            let package_dir = manifest.parent().unwrap_or(Path::new("/")).to_owned();
            programs.push(Program { package_dir, path });
        }
    }
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_among_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","manifest_path":"/w/a/Cargo.toml","executable":null}
{"reason":"compiler-artifact","manifest_path":"/w/boards/virt/Cargo.toml","executable":"/t/x"}
{"reason":"build-finished","success":true}"#;
        let programs = programs(messages).expect("understood");
        assert_eq!(programs.len(), 1);
        assert_eq!(programs[0].package_dir, Path::new("/w/boards/virt"));
        assert_eq!(programs[0].path, Path::new("/t/x"));
    }
}
