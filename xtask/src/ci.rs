// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `ci`: everything that must pass before a change goes in.

use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use clap::Args;

use crate::engine::{Engine, Engines};
use crate::inputs::GuestKernel;
use crate::kernel::NO_SOURCE;
use crate::machine::Cpu;
use crate::summary::Summary;
use crate::test::{BARE_METAL, BOOTS, Test};
use crate::{cargo, setup, this_machine, workspace};

/// What runs on the kernel engine in host VMs: a test program, the processor, and a filter of tests.
/// The blobs are the same, so of the boards two stand for all, one of each width.
const ON_KERNEL_ENGINE: [(&str, Cpu, Option<&str>); 4] = [
    (BARE_METAL, Cpu::Max, None),
    (BARE_METAL, Cpu::CortexA57, None),
    (BOOTS, Cpu::Max, Some("virt_serves")),
    (BOOTS, Cpu::CortexA57, Some("midway_serves")),
];

/// Boards that boot Debian's newer kernel, too: the standards, the largest golden trace, and the drivers
/// that change most.
const ON_NEWER_KERNEL: [&str; 3] = ["virt", "zynqmp", "x13s"];
/// That kernel.
const NEWER_KERNEL: &str = "7.3";

/// Check format, lints and documentation, then run all tests, some on the kernel engine too, and boot
/// some boards with a newer kernel.
#[derive(Debug, Args)]
pub(crate) struct Ci {}

impl Ci {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        setup::rust_targets()?;
        let mut summary = Summary::default();
        let native = this_machine::is_native()?;
        let kernel = if native { None } else { Some(build_kernel()?) };
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
        // An Arm machine's kernel has the other engine or has it not.
        Test::all(native.then_some(Engines::All), false).run_into(&mut summary)?;
        eprintln!("ci: boot Linux {NEWER_KERNEL}");
        Test::boots(&ON_NEWER_KERNEL, GuestKernel::Named(NEWER_KERNEL)).run_in_kvm(
            BOOTS,
            Cpu::Max,
            this_machine::engine()?.unwrap_or(Engine::Userspace),
            &[],
            &mut summary,
        )?;
        if let Some(kernel) = kernel {
            test_kernel_engine(kernel, &mut summary)?;
            check_series(&mut summary)?;
        }
        summary.print(&workspace::boards()?);
        Ok(if summary.failed() == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(1)
        })
    }
}

/// Starts to build the kernel that has the kernel engine, with what the other steps leave of the
/// processor: there is some while one crate waits for another, and while guests do.
fn build_kernel() -> Result<Child> {
    let xtask = std::env::current_exe().context("cannot find this program")?;
    let mut command = Command::new("nice");
    command.args(["-n", "19"]).arg(xtask).arg("kernel");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::piped());
    command.spawn().context("cannot start nice")
}

/// Runs what is in [`ON_KERNEL_ENGINE`] when the kernel is ready.
fn test_kernel_engine(kernel: Child, summary: &mut Summary) -> Result<()> {
    eprintln!("ci: kernel");
    let output = kernel.wait_with_output()?;
    let messages = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(i32::from(NO_SOURCE)) {
        // It is the archive's doing and no fault of this checkout.
        let reason = messages.lines().last().unwrap_or_default();
        summary.skip(format!(
            "kernel engine: {}",
            reason.trim_start_matches("error: ")
        ));
        return Ok(());
    }
    if !output.status.success() {
        eprint!("{messages}");
        summary.fail("kernel: the host VM's own kernel could not be built".to_owned());
        return Ok(());
    }
    eprintln!("ci: test on the kernel engine");
    for (program, cpu, filter) in ON_KERNEL_ENGINE {
        let filter = filter.map(str::to_owned);
        let test = Test::all(None, program == BARE_METAL);
        test.run_in_kvm(program, cpu, Engine::Kernel, filter.as_slice(), summary)?;
    }
    Ok(())
}

/// Tells to which sources of the archive the patches apply. That it is not to all is no failure: what
/// the archive holds today is not this checkout's.
fn check_series(summary: &mut Summary) -> Result<()> {
    eprintln!("ci: kernel --check");
    let xtask = std::env::current_exe().context("cannot find this program")?;
    let mut command = Command::new(xtask);
    command.args(["kernel", "--check"]).stdin(Stdio::null());
    let output = command.stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !matches!(output.status.code(), Some(0 | 1)) {
        summary.skip("kernel --check: the archive's sources could not be looked at".to_owned());
    }
    for line in text.lines() {
        println!("kernel --check: {line}");
        if line.contains("does not apply") {
            summary.note(format!("kernel: {line}"));
        }
    }
    Ok(())
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
    for package in ["fakemon-abi", "fakemon-blob", "fakemon-firmware"] {
        bare.args(["--package", package]);
    }
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
