// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `ci`: everything that must pass before a change goes in.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use clap::Args;

use crate::summary::Summary;
use crate::test::Test;
use crate::{cargo, setup, workspace};

/// Check format, lints and documentation, then run all tests.
#[derive(Debug, Args)]
pub(crate) struct Ci {}

impl Ci {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        setup::rust_targets()?;
        let mut summary = Summary::default();
        // All steps run, so that one look at the log shows all that is wrong.
        for (name, mut command) in steps()? {
            eprintln!("ci: {name}");
            let status = command
                .stdin(Stdio::null())
                .status()
                .context("cannot start cargo")?;
            if !status.success() {
                summary.fail(name.to_owned());
            }
        }
        eprintln!("ci: test");
        Test::all().run_into(&mut summary)?;
        summary.print(&workspace::boards()?);
        Ok(if summary.failed() == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(1)
        })
    }
}

fn steps() -> Result<Vec<(&'static str, Command)>> {
    let deny = ["--", "-D", "warnings"];
    let fmt = cargo::cargo(&["fmt", "--all", "--check"]);
    let mut host = cargo::cargo(&["clippy", "--workspace", "--all-targets"]);
    host.args(deny);
    let mut linux = cargo::cargo(&["clippy", "--all-targets", "--target", cargo::LINUX]);
    for package in ["fakemon", "fakemon-host", "fakemon-hostvm", "fakemon-tests"] {
        linux.args(["--package", package]);
    }
    linux.args(deny);
    let mut bare = cargo::cargo(&["clippy", "--lib", "--bins", "--target", cargo::BARE]);
    bare.args(["--package", "fakemon-abi", "--package", "fakemon-blob"]);
    for board in workspace::boards()? {
        bare.args(["--package", &format!("fakemon-board-{}", board.name)]);
    }
    bare.args(deny);
    let mut bare_32 = cargo::cargo(&["clippy", "--lib", "--bins", "--target", cargo::BARE_32]);
    bare_32.args(["--package", "fakemon-replay"]).args(deny);
    let mut doc = cargo::cargo(&["doc", "--workspace", "--no-deps"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    // The half of these that talks to KVM exists for Arm Linux alone.
    let mut doc_linux = cargo::cargo(&["doc", "--no-deps", "--target", cargo::LINUX]);
    doc_linux.args(["--package", "fakemon-host", "--package", "fakemon", "--lib"]);
    doc_linux.env("RUSTDOCFLAGS", "-D warnings");
    Ok(vec![
        ("fmt", fmt),
        ("clippy for this machine", host),
        ("clippy for Arm Linux", linux),
        ("clippy for blobs", bare),
        ("clippy for the replay program", bare_32),
        ("rustdoc for this machine", doc),
        ("rustdoc for Arm Linux", doc_linux),
    ])
}
