// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `test`: runs every test, on this machine and where KVM is, and adds up the results.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use fakemon_host::Engine;
use fakemon_launch::env;
use fakemon_manifest::Board;

use crate::cache::Check;
use crate::engine::Engines;
use crate::inputs::GuestKernel;
use crate::machine::Cpu;
use crate::own_kernel::NoSource;
use crate::summary::{Place, Summary};
use crate::supplies::{HostKernel, Supplies};
use crate::{cargo, setup, this_machine, workspace};

mod demos;
mod hosts;
mod verdict;

/// The test program with guests of a few instructions.
pub(crate) const BARE_METAL: &str = "kvm";
/// The test program that boots boards.
pub(crate) const BOOTS: &str = "boot";
/// The test program that attaches to other VMMs.
pub(crate) const ATTACH: &str = "attach";
/// The board that it attaches.
pub(crate) const ATTACHED: &str = "virt";
/// The packages of the boards, for cargo.
const BOARD_PACKAGES: &str = "fakemon-board-*";
/// Seconds that all boots on one kind of host may take, even on a busy machine.
const BOOTS_TIMEOUT: &str = "7200";

/// Why the kernel engine is not tested on a machine.
const NO_KERNEL_ENGINE: &str =
    "kernel engine: this machine's kernel has not the patches of host-shim/kernel";

/// Instead of a filter: the boots of all boards.
const BOARDS: &str = "boards";

/// Run all tests: the host's own, and those that need KVM on every kind of host VM.
///
/// Those that need KVM run with each engine that is asked for; for the kernel engine host VMs boot
/// the kernel of `cargo xtask kernel` unless another is named.
///
/// `test boards` boots every board, with its blob and without, and nothing else; `--boards` some. A
/// table of the boots comes at the end, and the last line is the sum: `N passed, N failed, N skipped`. Exit code
/// 1 if any test failed.
///
/// `test attach` has Debian's QEMU run guests with `fakemon attach`, and without, and runs nothing else.
///
/// `test NAME`, where NAME is a demonstration of a board's (`nmi`), takes that for a test, with the blob
/// and without, and runs nothing else. Its kernel is built if it is not in the cache.
///
/// `test hosts` boots the board virt on other kinds of host, once each: other processors, a GICv2 with
/// VHE, and with 64 and 123 vCPUs; it takes a while.
///
/// Lines `drift: BOARD: CALL` name calls that a kernel made more than the board's golden.trace has,
/// and that cannot matter: a function that the board does not serve, or a query.
#[derive(Debug, Default, Args)]
pub(crate) struct Test {
    /// Only tests whose name contains this; `boards` for the boots of all boards, `hosts` for other kinds
    /// of host, `attach` for other VMMs, or the name of a demonstration.
    filter: Option<String>,
    /// Only on a host VM with this processor.
    #[arg(long, value_enum)]
    cpu: Option<Cpu>,
    /// Kernel of the host VMs: a file, `own` for the one of `cargo xtask kernel`, `64k` for that one
    /// with pages of 64 KiB, or `16k` for Debian's with pages of 16 KiB [default: Debian's with 4 KiB,
    /// and `own` for the kernel engine].
    #[arg(long, value_name = "FILE|own|16k|64k")]
    host_kernel: Option<HostKernel>,
    /// Who carries calls between guests and blobs [default: userspace; on an Arm machine with KVM
    /// what its kernel has].
    #[arg(long, value_enum)]
    engine: Option<Engines>,
    /// The guests' kernel: 6.12, 7.3, 6.1, 16k, rt or cloud of Debian's, an exact version of Debian
    /// 13's such as 6.12.107, a file, or a directory with vmlinuz, dtbs/ and modules/ [default: 6.12].
    #[arg(long, value_name = "NAME|PATH")]
    kernel: Option<GuestKernel>,
    /// Boot only these boards, with commas between their names.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    boards: Vec<String>,
    /// Take the newest packages rather than those of debian.lock.
    #[arg(long)]
    newest: bool,
    /// Leave out the second processor and the boots of real kernels.
    #[arg(long)]
    quick: bool,
    /// Take drift for a failure.
    #[arg(long)]
    strict: bool,
    #[arg(skip)]
    short: bool,
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

    /// All tests with these engines.
    pub(crate) fn all(engine: Option<Engines>) -> Test {
        Test {
            engine,
            ..Test::default()
        }
    }

    /// With shorter storms of calls, if `short`, and all boots.
    pub(crate) fn short(self, short: bool) -> Test {
        Test { short, ..self }
    }

    /// What runs on a host with this kernel.
    pub(crate) fn on(host_kernel: HostKernel) -> Test {
        Test {
            host_kernel: Some(host_kernel),
            ..Test::default()
        }
    }

    /// The boots of some boards with another kernel of Debian's.
    pub(crate) fn boots(boards: &[&str], kernel: GuestKernel) -> Test {
        Test {
            boards: boards.iter().copied().map(str::to_owned).collect(),
            kernel: Some(kernel),
            ..Test::default()
        }
    }

    /// Runs the tests and adds their results to `summary`.
    pub(crate) fn run_into(&self, summary: &mut Summary) -> Result<()> {
        setup::rust_targets()?;
        for name in &self.boards {
            workspace::board(name)?;
        }
        let mut engines = self.engines(summary)?;
        if engines.contains(&Engine::Kernel) && !this_machine::is_native()? {
            // What is missing for it shows now rather than after the other tests.
            let mut supplies = Supplies::open(Check::Quick)?;
            if self.newest {
                supplies.take_newest();
            }
            let cpu = self.cpus()?[0];
            supplies.choose_host_kernel(self.host_kernel.as_ref(), Engine::Kernel, cpu)?;
            match supplies.host_kernel() {
                // It is the archive's doing, and the other engine has no part in it.
                Err(error) if error.is::<NoSource>() => {
                    summary.skip(format!("kernel engine: {error:#}"));
                    engines.retain(|engine| *engine != Engine::Kernel);
                }
                found => drop(found?),
            }
        }
        if self.filter.as_deref() == Some(hosts::NAME) && !this_machine::is_native()? {
            return engines
                .into_iter()
                .try_for_each(|engine| hosts::run(self, engine, summary));
        }
        if let Some(name) = self.filter.as_deref()
            && demos::is_one(name)?
        {
            return engines
                .into_iter()
                .try_for_each(|engine| demos::run(self, Some(name), engine, summary));
        }
        if self.filter.as_deref() == Some(ATTACH) {
            return engines
                .into_iter()
                .try_for_each(|engine| self.run_attach(engine, summary));
        }
        let all_boards = self.filter.as_deref() == Some(BOARDS);
        let boards_only = all_boards || !self.boards.is_empty();
        let filter = if all_boards {
            &[]
        } else {
            self.filter.as_slice()
        };
        if !boards_only {
            self.run_on_host(filter, summary)?;
        }
        self.skip_boards_without_host(summary)?;
        for engine in engines {
            for cpu in self.cpus()? {
                if !boards_only {
                    self.run_in_kvm(BARE_METAL, cpu, engine, filter, summary)?;
                }
                self.run_in_kvm(BOOTS, cpu, engine, filter, summary)?;
            }
        }
        if self.filter.is_none() && !boards_only {
            demos::skip(summary)?;
        }
        Ok(())
    }

    /// Tells which boards have no host with an interrupt controller for them and this kernel.
    fn skip_boards_without_host(&self, summary: &mut Summary) -> Result<()> {
        let kernel = self.host_kernel.clone().unwrap_or_default();
        let boots = self.filter.as_deref().is_none_or(|filter| filter == BOARDS);
        if !boots || self.quick || kernel.runs_on(Cpu::CortexA57) || this_machine::is_native()? {
            return Ok(());
        }
        for board in workspace::boards()? {
            let wanted = self.boards.is_empty() || self.boards.contains(&board.name);
            if wanted && !board.machine.gic.versions.contains(&Cpu::Max.gic()) {
                summary.skip(format!(
                    "boot: {} needs a GICv2, whose host VM cannot boot the kernel {kernel}",
                    board.name
                ));
            }
        }
        Ok(())
    }

    /// Attaches to other VMMs.
    pub(crate) fn run_attach(&self, engine: Engine, summary: &mut Summary) -> Result<()> {
        let test = Test {
            boards: vec![ATTACHED.to_owned()],
            host_kernel: self.host_kernel.clone(),
            kernel: self.kernel.clone(),
            newest: self.newest,
            ..Test::default()
        };
        // What is particular to a processor the boots of the boards show.
        let cpu = self.cpu.unwrap_or(Cpu::Max);
        test.run_in_kvm(ATTACH, cpu, engine, &[], summary)
    }

    /// Runs all demonstrations, or leaves them out if they are not `wanted`.
    pub(crate) fn run_demos(
        &self,
        wanted: bool,
        engine: Engine,
        summary: &mut Summary,
    ) -> Result<()> {
        match wanted {
            true => demos::run(self, None, engine, summary),
            false => demos::skip(summary),
        }
    }

    /// The processor of the host VM for a board by itself: what the user names, or what it prefers.
    fn host_of(&self, board: &Board) -> Result<Cpu> {
        let cpus = self.cpus()?;
        let fitting = cpus.iter().find(|cpu| cpu.is_host_of(board));
        Ok(*fitting.unwrap_or(&cpus[0]))
    }

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

    /// The engines to test.
    pub(crate) fn engines(&self, summary: &mut Summary) -> Result<Vec<Engine>> {
        let here = this_machine::engine()?;
        Ok(match (self.engine, here) {
            (None, here) => vec![here.unwrap_or(Engine::Userspace)],
            (Some(Engines::All), Some(Engine::Userspace)) => {
                summary.skip(NO_KERNEL_ENGINE.to_owned());
                vec![Engine::Userspace]
            }
            (Some(Engines::Kernel), Some(Engine::Userspace)) => bail!(NO_KERNEL_ENGINE),
            (Some(engines), _) => engines.list(),
        })
    }

    /// The processors of host VMs.
    pub(crate) fn cpus(&self) -> Result<Vec<Cpu>> {
        let all = match self.cpu {
            Some(cpu) => return Ok(vec![cpu]),
            // A real machine has the processor that it has.
            None if self.quick || this_machine::is_native()? => &[Cpu::Max][..],
            None => &[Cpu::Max, Cpu::CortexA57],
        };
        let kernel = self.host_kernel.clone().unwrap_or_default();
        let fitting = all.iter().filter(|cpu| kernel.runs_on(**cpu));
        Ok(fitting.copied().collect())
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
