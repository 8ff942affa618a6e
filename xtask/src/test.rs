// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `test`: runs every test, on this machine and where KVM is, and adds up the results.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use clap::Args;

use crate::machine::{self, Cpu};
use crate::summary::Summary;
use crate::supplies::{HOST_KERNEL_VARIABLE, chosen_host_kernel};
use crate::{cargo, setup, workspace};

/// The test program with guests of a few instructions.
const BARE_METAL: &str = "kvm";

/// The test program that boots boards.
const BOOTS: &str = "boot";
/// Seconds that all boots on one kind of host may take, even on a busy machine.
const BOOTS_TIMEOUT: &str = "2700";

/// Pairs a processor with each test program that runs on it.
fn both_programs(cpu: Cpu) -> [(Cpu, &'static str); 2] {
    [(cpu, BARE_METAL), (cpu, BOOTS)]
}

/// Instead of a filter: the boots of all boards.
const BOARDS: &str = "boards";

/// Run all tests: the host's own, and those that need KVM on every kind of host VM.
///
/// `test boards` boots every board, with its blob and without, and nothing else. A table of the
/// boots comes at the end, and the last line is the sum: `N passed, N failed, N skipped`. Exit code
/// 1 if any test failed.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Only tests whose name contains this; `boards` for the boots of all boards.
    filter: Option<String>,
    /// Only on a host VM with this processor.
    #[arg(long, value_enum)]
    cpu: Option<Cpu>,
    /// Kernel of the host VMs: a file, or `own` for the one of `cargo xtask kernel`.
    #[arg(long, value_name = "FILE|own")]
    host_kernel: Option<String>,
    /// Leave out the second processor and the boots of real kernels.
    #[arg(long)]
    quick: bool,
}

impl Test {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let mut summary = Summary::default();
        self.run_into(&mut summary)?;
        summary.print(&workspace::boards()?);
        Ok(if summary.failed() == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(1)
        })
    }

    /// All tests, without options.
    pub(crate) fn all() -> Test {
        Test {
            filter: None,
            cpu: None,
            host_kernel: None,
            quick: false,
        }
    }

    /// Runs the tests and adds their results to `summary`.
    pub(crate) fn run_into(&self, summary: &mut Summary) -> Result<()> {
        setup::rust_targets()?;
        let boards_only = self.filter.as_deref() == Some(BOARDS);
        let filter = if boards_only {
            &[]
        } else {
            self.filter.as_slice()
        };
        let host = [
            "test",
            "--workspace",
            "--exclude",
            "fakemon-tests",
            "--no-fail-fast",
            "--",
        ];
        // Of the tests in KVM, what they share can be tested here.
        let shared = ["test", "--package", "fakemon-tests", "--lib", "--"];
        if !boards_only {
            collect("host", cargo::cargo(&host).args(filter), summary)?;
            collect("host", cargo::cargo(&shared).args(filter), summary)?;
        }

        let xtask = std::env::current_exe().context("cannot find this program")?;
        // JSON's strings are TOML's, too.
        let runner = serde_json::to_string(&[&xtask.to_string_lossy(), "runner"])?;
        let runner = format!("target.{}.runner={runner}", cargo::LINUX);
        for (cpu, program) in self.cpus()?.into_iter().flat_map(both_programs) {
            if boards_only && program == BARE_METAL {
                continue;
            }
            let mut command = cargo::cargo(&["test", "--package", "fakemon-tests", "--release"]);
            command
                .args(["--target", cargo::LINUX, "--test", program])
                .args(["--config", &runner, "--"])
                .args(filter)
                .env("FAKEMON_CPU", cpu.name())
                .env("FAKEMON_QUICK", u8::from(self.quick).to_string());
            if let Some(kernel) = &self.host_kernel {
                command.env(HOST_KERNEL_VARIABLE, chosen_host_kernel(kernel)?);
            }
            if program == BARE_METAL {
                // An emulated host with more CPUs than there are cores waits for itself.
                command.env("FAKEMON_HOST_CPUS", "2");
            } else if std::env::var_os("FAKEMON_TIMEOUT").is_none() {
                command.env("FAKEMON_TIMEOUT", BOOTS_TIMEOUT);
            }
            collect(
                &format!("{program} on {}", cpu.name()),
                &mut command,
                summary,
            )?;
        }
        Ok(())
    }

    fn cpus(&self) -> Result<Vec<Cpu>> {
        Ok(match self.cpu {
            Some(cpu) => vec![cpu],
            // A real machine has the processor that it has.
            None if self.quick || machine::is_native()? => vec![Cpu::Max],
            None => vec![Cpu::Max, Cpu::CortexA57],
        })
    }
}

/// Runs a cargo test, passes its output on, and reads the results off it.
fn collect(place: &str, command: &mut Command, summary: &mut Summary) -> Result<()> {
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
