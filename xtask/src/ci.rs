// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `ci`: everything that must pass before a change goes in.

use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use clap::Args;
use fakemon_host::Engine;

use crate::engine::Engines;
use crate::kernel::NO_SOURCE;
use crate::machine::Cpu;
use crate::stages::{Stages, succeeds};
use crate::summary::Summary;
use crate::supplies::HostKernel;
use crate::test::{BARE_METAL, BOOTS, Test};
use crate::{cargo, setup, this_machine, workspace};

mod boots;
mod lints;
mod published;

/// What runs on the kernel engine in host VMs: a test program, the processor, and a filter of tests.
/// The blobs are the same, so of the boards two stand for all, one of each width. The first of them
/// boots from two blobs as well: KVM carries the calls of one, and the library those of the other.
const ON_KERNEL_ENGINE: [(&str, Cpu, Option<&str>); 4] = [
    (BARE_METAL, Cpu::Max, None),
    (BARE_METAL, Cpu::CortexA57, None),
    (BOOTS, Cpu::Max, Some("virt_serves")),
    (BOOTS, Cpu::CortexA57, Some("midway_serves")),
];

/// Check format, lints and documentation, then run all tests, some on the kernel engine and on a host with
/// pages of 16 KiB too, boot some boards with a newer kernel, and attach to other VMMs.
///
/// A table at the end shows how long each stage took. What nearly repeats another part is left out:
/// calls race ten thousand times and not a hundred thousand, two boards boot without their blobs and not
/// all, those with the newer kernel boot once, one board stands for all in the lints for bare metal,
/// demonstrations, whose kernels take minutes to build, are not shown, and the package for users is not
/// made.
#[derive(Debug, Args)]
pub(crate) struct Ci {
    /// Leave nothing out.
    #[arg(long)]
    full: bool,
}

impl Ci {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        setup::rust_targets()?;
        setup::rust_target(cargo::GNU)?;
        let (mut summary, mut stages) = (Summary::default(), Stages::default());
        let native = this_machine::is_native()?;
        // The network has its own pace, and so has a large build.
        let supplies = beside("setup", 0)?;
        let kernel = if native {
            None
        } else {
            Some(beside("kernel", 19)?)
        };
        // All steps run, so that one look at the log shows all that is wrong.
        for (name, command) in lints::steps(self.full)? {
            summary.require(name, stages.run(name, || succeeds(command))?);
        }
        published::check(&mut summary, &mut stages)?;
        stages.run("tests on this machine", || {
            Test::default().run_on_host(&[], &mut summary)
        })?;
        // What it could not fetch the tests miss, too, and say so.
        stages.run("waiting for packages", || supplies.wait_with_output())?;
        self.test_in_kvm(&mut summary, &mut stages)?;
        if !native {
            stages.run("kvm on max, pages of 16 KiB", || {
                let test = Test::on(HostKernel::Pages16k).short(!self.full);
                test.run_in_kvm(BARE_METAL, Cpu::Max, Engine::Userspace, &[], &mut summary)
            })?;
        }
        boots::on_newer_kernel(self.full, &mut summary, &mut stages)?;
        let engine = this_machine::engine()?.unwrap_or(Engine::Userspace);
        stages.run(&format!("attach, {engine}"), || {
            let test = Test::default().short(!self.full);
            test.run_attach(engine, &mut summary)
        })?;
        stages.run("demonstrations", || {
            Test::default().run_demos(self.full, engine, &mut summary)
        })?;
        if let Some(kernel) = kernel {
            self.test_kernel_engine(kernel, &mut summary, &mut stages)?;
            stages.run("kernel --check", || check_series(&mut summary))?;
        }
        if self.full {
            let xtask = std::env::current_exe().context("cannot find this program")?;
            let mut twice = Command::new(xtask);
            twice.args(["dist", "--check"]);
            let name = "packages, made twice";
            summary.require(name, stages.run(name, || succeeds(twice))?);
            stages.run("package", || {
                Test::default().run_package(engine, &mut summary)
            })?;
        }
        print!("{stages}");
        summary.print(&workspace::boards()?);
        Ok(if summary.failed() == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(1)
        })
    }

    /// All that runs in KVM: on Debian's kernel on both kinds of host, or on this machine with each
    /// engine that its kernel has.
    fn test_in_kvm(&self, summary: &mut Summary, stages: &mut Stages) -> Result<()> {
        let native = this_machine::is_native()?;
        let all = Test::all(native.then_some(Engines::All));
        let fewer = if self.full {
            Vec::new()
        } else {
            boots::fewer()?
        };
        for engine in all.engines(summary)? {
            for cpu in all.cpus()? {
                let test = Test::all(None).short(!self.full);
                for (program, filter) in [(BARE_METAL, &[][..]), (BOOTS, &fewer)] {
                    let name = format!("{program} on {}, {}", cpu.name(), engine);
                    stages.run(&name, || {
                        test.run_in_kvm(program, cpu, engine, filter, summary)
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Runs what is in [`ON_KERNEL_ENGINE`] when the kernel is ready.
    fn test_kernel_engine(
        &self,
        kernel: Child,
        summary: &mut Summary,
        stages: &mut Stages,
    ) -> Result<()> {
        let output = stages.run("waiting for the kernel", || kernel.wait_with_output())?;
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
        for (program, cpu, filter) in ON_KERNEL_ENGINE {
            let filter = filter.map(str::to_owned);
            let test = Test::all(None).short(program == BARE_METAL && !self.full);
            let engine = Engine::Kernel;
            let name = format!("{program} on {}, {}", cpu.name(), engine);
            stages.run(&name, || {
                test.run_in_kvm(program, cpu, engine, filter.as_slice(), summary)
            })?;
        }
        if self.full {
            stages.run("attach, kernel", || {
                Test::default().run_attach(Engine::Kernel, summary)
            })?;
            stages.run("demonstrations, kernel", || {
                Test::default().run_demos(true, Engine::Kernel, summary)
            })?;
        }
        Ok(())
    }
}

/// Starts another verb of xtask beside the stages. What it prints shows if it fails.
fn beside(verb: &str, nice: u8) -> Result<Child> {
    let xtask = std::env::current_exe().context("cannot find this program")?;
    let mut command = Command::new("nice");
    command.args(["-n", &nice.to_string()]).arg(xtask).arg(verb);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::piped());
    command.spawn().context("cannot start nice")
}

/// Tells to which sources of the archive the patches apply. That it is not to all is no failure: what
/// the archive holds today is not this checkout's.
fn check_series(summary: &mut Summary) -> Result<()> {
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
