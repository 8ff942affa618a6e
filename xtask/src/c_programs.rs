// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The programs in C of `host-shim/capi`: its example, and a test of its functions.
//!
//! They are linked statically with the C library that the compiler brings, as the host VM has none.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use fakemon_launch::assets;

use crate::progress::Progress;
use crate::{cargo, setup, workspace};

/// Where the programs and the header are.
const DIR: &str = "host-shim/capi";
/// The sources of the VMM.
const VMM_DIR: &str = "tests/attach/vmm";
/// The programs: their names among the assets, and their sources.
const PROGRAMS: [(&str, &str); 2] = [
    (assets::C_EXAMPLE, "examples/minimal.c"),
    (assets::C_REFUSALS, "tests/refusals.c"),
];
/// A warning is a fault of the header or of an example that others copy.
const OPTIONS: [&str; 6] = [
    "-std=gnu11",
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
    "-O2",
];

/// Builds all of them, in `dir`, and returns their names with where they are; or why they cannot be
/// built on this machine, and what to do about it.
pub(crate) fn build(dir: &Path) -> Result<Result<Vec<(&'static str, PathBuf)>, String>> {
    let compiler = match compiler() {
        Ok(compiler) => compiler,
        Err(reason) => return Ok(Err(reason)),
    };
    setup::rust_target(cargo::GNU)?;
    let library = cargo::build_c_library(compiler)?;
    let include = workspace::root().join(DIR).join("include");
    let options = ["-static".as_ref(), "-I".as_ref(), include.as_os_str()];
    let options = [options.as_slice(), &[library.as_os_str()]].concat();
    let progress = Progress::start("building the programs in C");
    let mut programs = Vec::new();
    for (name, source) in PROGRAMS {
        let program = dir.join(name);
        let source = workspace::root().join(DIR).join(source);
        compile(compiler, &[source], &options, &program)?;
        programs.push((name, program));
    }
    progress.finish();
    Ok(Ok(programs))
}

/// Builds the VMM of `tests/attach`, as [`build`] does; it is linked dynamically, as VMMs are.
pub(crate) fn build_vmm(to: &Path) -> Result<Result<PathBuf, String>> {
    let compiler = match compiler() {
        Ok(compiler) => compiler,
        Err(reason) => return Ok(Err(reason)),
    };
    let mut sources = Vec::new();
    for entry in fs::read_dir(workspace::root().join(VMM_DIR))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            sources.push(path);
        }
    }
    sources.sort();
    compile(compiler, &sources, &["-pthread".as_ref()], to)?;
    Ok(Ok(to.to_owned()))
}

/// Has the compiler build the program `to` of its sources, with [`OPTIONS`] and more.
fn compile(compiler: &str, sources: &[PathBuf], more: &[&OsStr], to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().unwrap_or(to))?;
    let mut command = Command::new(compiler);
    command.args(OPTIONS).args(sources);
    let output = command.args(more).arg("-o").arg(to).output();
    let output = output.with_context(|| format!("cannot start {compiler}"))?;
    // Of a build that went well the linker says what glibc cannot do statically, and nobody uses.
    let messages = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{} could not be built by {compiler}:\n{messages}",
        to.display()
    );
    Ok(())
}

/// The compiler for Arm Linux, if it is there with a C library.
fn compiler() -> Result<&'static str, String> {
    let (compiler, packages) = match std::env::consts::ARCH {
        "aarch64" => ("gcc", "gcc libc6-dev"),
        _ => (
            "aarch64-linux-gnu-gcc",
            "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
        ),
    };
    // It tells where the file is, or the name again if it has none.
    let mut command = Command::new(compiler);
    let output = command.arg("-print-file-name=libc.a").output();
    let has_library = output.is_ok_and(|output| {
        Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_absolute()
    });
    has_library.then_some(compiler).ok_or_else(|| {
        format!("{compiler} or its C library is missing here: apt install {packages}")
    })
}
