// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The test programs of the workspace: those of this machine, and those that need KVM.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use fakemon_host::Engine;
use fakemon_launch::env;

use super::Test;
use crate::cache::Check;
use crate::inputs::GuestKernel;
use crate::machine::Cpu;
use crate::summary::{Place, Summary};
use crate::supplies::Supplies;
use crate::{cargo, this_machine};

/// The test program with guests of a few instructions.
pub(crate) const BARE_METAL: &str = "kvm";
/// The test program that boots boards.
pub(crate) const BOOTS: &str = "boot";
/// The packages of the boards, for cargo.
const BOARD_PACKAGES: &str = "fakemon-board-*";
/// Seconds that all boots on one kind of host may take, even on a busy machine.
const BOOTS_TIMEOUT: &str = "7200";

impl Test {
    /// Runs what needs no KVM.
    pub(crate) fn run_on_host(&self, filter: &[String], summary: &mut Summary) -> Result<()> {
        let all_but_boards = ["--workspace", "--exclude", BOARD_PACKAGES];
        let others = ["--exclude", "fakemon-tests", "--tests"];
        let others = [all_but_boards.as_slice(), others.as_slice()].concat();
        let examples = [all_but_boards.as_slice(), &["--doc"]].concat();
        let parts: [&[&str]; 4] = [
            // A board's program is one line, and linking as many of them takes its time.
            &["--package", BOARD_PACKAGES, "--lib"],
            &others,
            // Of the tests in KVM, what they share can be tested here.
            &["--package", "fakemon-tests", "--lib"],
            &examples,
        ];
        // Boots need the packages as well.
        let trees = match self.quick {
            true => Vec::new(),
            false => Supplies::open(Check::Quick)?.device_trees()?,
        };
        for part in parts {
            let mut command = cargo::cargo(&["test", "--no-fail-fast"]);
            command.args(part).arg("--").args(filter);
            if !trees.is_empty() {
                command.env(env::DEVICE_TREES, std::env::join_paths(&trees)?);
            }
            collect(&Place::host(), &mut command, summary)?;
        }
        Ok(())
    }

    /// Runs one test program where KVM is.
    pub(crate) fn run_in_kvm(
        &self,
        program: &str,
        cpu: Cpu,
        engine: Engine,
        filter: &[String],
        summary: &mut Summary,
    ) -> Result<()> {
        let xtask = std::env::current_exe().context("cannot find this program")?;
        // JSON's strings are TOML's, too.
        let runner = serde_json::to_string(&[&xtask.to_string_lossy(), "runner"])?;
        let runner = format!("target.{}.runner={runner}", cargo::LINUX);
        let quick = self.quick || (self.short && program == BARE_METAL);
        let mut command = cargo::cargo(&["test", "--package", "fakemon-tests", "--release"]);
        command
            .args(["--target", cargo::LINUX, "--test", program])
            .args(["--config", &runner, "--"])
            .args(filter)
            .env(env::CPU, cpu.name())
            .env(env::QUICK, env::switch(quick))
            .env(env::ENGINE, engine.to_string());
        if let Some(kernel) = &self.host_kernel {
            command.env(env::HOST_KERNEL, kernel.to_string());
        }
        // Without the option the environment's word stands.
        if self.strict {
            command.env(env::STRICT, env::switch(true));
        }
        if let Some(kernel) = &self.kernel {
            command.env(env::KERNEL, kernel.to_string());
        }
        if self.newest {
            command.env(env::NEWEST, env::switch(true));
        }
        if !self.boards.is_empty() {
            command.env(env::BOARDS, self.boards.join(","));
        }
        if program == BARE_METAL {
            // An emulated host with more CPUs than there are cores waits for itself.
            command.env(env::HOST_CPUS, "2");
        } else if std::env::var_os(env::TIMEOUT).is_none() {
            command.env(env::TIMEOUT, BOOTS_TIMEOUT);
        }
        let host = match this_machine::is_native()? {
            true => "this machine",
            false => cpu.name(),
        };
        let host = match &self.host_kernel {
            Some(kernel) => format!("{host}, host kernel {kernel}"),
            None => host.to_owned(),
        };
        let place = Place {
            name: format!("{program} on {host}"),
            engine: Some(engine),
            kernel: self.kernel.as_ref().map(GuestKernel::to_string),
        };
        collect(&place, &mut command, summary)
    }
}

/// Runs a cargo test, passes its output on, and reads the results off it.
fn collect(place: &Place, command: &mut Command, summary: &mut Summary) -> Result<()> {
    let failed_before = summary.failed();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches('\r');
            println!("{line}");
            summary.read(place, line);
        }
    }
    let status = child.wait()?;
    if !status.success() && summary.failed() == failed_before {
        summary.fail(format!(
            "{place}: the tests could not be built or did not end ({status})"
        ));
    }
    Ok(())
}
