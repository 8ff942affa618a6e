// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What CI asks of compilers alone: format, lints, documentation.

use std::process::Command;

use anyhow::Result;

use crate::{cargo, this_machine, workspace};

/// What is linted for Arm Linux.
const LINUX_PACKAGES: [&str; 5] = [
    "fakemon",
    "fakemon-c",
    "fakemon-host",
    "fakemon-hostvm",
    "fakemon-tests",
];
/// The board whose program is linted for bare metal. No other differs there: what depends on the
/// target is in the crates that all share.
const LINTED: &str = "virt";

/// The steps, by name; of all boards, if `full`.
pub(super) fn steps(full: bool) -> Result<Vec<(&'static str, Command)>> {
    let deny = ["--", "-D", "warnings"];
    let fmt = cargo::cargo(&["fmt", "--all", "--check"]);
    let mut host = cargo::cargo(&["clippy", "--workspace", "--all-targets"]);
    host.args(deny);
    let mut linux = cargo::cargo(&["clippy", "--all-targets", "--target", cargo::LINUX]);
    for package in LINUX_PACKAGES {
        linux.args(["--package", package]);
    }
    linux.args(deny);
    // It is there for a C library that can load it.
    let mut gnu = cargo::cargo(&["clippy", "--target", cargo::GNU]);
    gnu.args(["--package", "fakemon-preload"]).args(deny);
    let mut bare = cargo::cargo(&["clippy", "--lib", "--bins", "--target", cargo::BARE]);
    for package in [
        "fakemon-abi",
        "fakemon-blob",
        "fakemon-firmware",
        "fakemon-halves",
    ] {
        bare.args(["--package", package]);
    }
    for board in workspace::boards()? {
        if full || board.name == LINTED {
            bare.args(["--package", &format!("fakemon-board-{}", board.name)]);
        }
    }
    bare.args(deny);
    let mut bare_32 = cargo::cargo(&["clippy", "--lib", "--bins", "--target", cargo::BARE_32]);
    bare_32.args(["--package", "fakemon-replay"]).args(deny);
    // The half of these that talks to KVM exists for Arm Linux alone, so that is where they are
    // documented.
    let mut doc = cargo::cargo(&["doc", "--workspace", "--no-deps"]);
    let mut doc_linux = cargo::cargo(&["doc", "--no-deps", "--lib", "--target", cargo::LINUX]);
    for package in ["fakemon-host", "fakemon"] {
        doc.args(["--exclude", package]);
        doc_linux.args(["--package", package]);
    }
    doc.env("RUSTDOCFLAGS", "-D warnings");
    doc_linux.env("RUSTDOCFLAGS", "-D warnings");
    let mut examples = cargo::cargo(&["test", "--quiet", "--doc", "--target", cargo::LINUX]);
    examples.args(["--package", "fakemon-host"]);
    if !this_machine::is_native()? {
        // They are compiled alone: a program of no effect runs them.
        examples.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUNNER", "true");
    }
    Ok(vec![
        ("fmt", fmt),
        ("clippy for this machine", host),
        ("clippy for Arm Linux", linux),
        ("clippy for other VMMs", gnu),
        ("clippy for blobs", bare),
        ("clippy for the replay program", bare_32),
        ("rustdoc for this machine", doc),
        ("rustdoc for Arm Linux", doc_linux),
        ("examples for Arm Linux", examples),
    ])
}
