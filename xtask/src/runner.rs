// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `runner`: what cargo starts in place of a test program for Arm: runs it where KVM is.
//!
//! One boot of the host VM serves one whole test program. What tests need is put under /fakemon
//! there (on an Arm machine with KVM: in some directory), as [`fakemon_launch::assets`] says.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Error, Result};
use clap::{Args, ValueEnum};
use fakemon_hostvm::Job;
use fakemon_launch::{assets, env};
use fakemon_manifest::{Board, TestKind};

use crate::cache::Check;
use crate::lacks::Lacks;
use crate::machine::{Cpu, Machine, Stage, host_cpus};
use crate::run::environment;
use crate::supplies::Supplies;
use crate::test::{ATTACH, PACKAGE};
use crate::{attach, blob, c_programs, cargo, dist, guest, replay, setup, workspace};

/// Seconds that one test program may take.
const TIMEOUT: u64 = 3600;
/// Memory for the guests of the tests.
const MEMORY: u64 = 2 << 30;

/// Run a program for Arm Linux where KVM is (cargo's runner).
#[derive(Debug, Args)]
#[command(
    after_help = "FAKEMON_CPU chooses the host VM's processor as `test --cpu` does, \
    FAKEMON_HOST_CPUS its number of CPUs; FAKEMON_ENGINE the engine (userspace or kernel, else what \
    the host's kernel has); FAKEMON_KERNEL the guests' kernel as `run --kernel` does, FAKEMON_NEWEST=1 \
    the newest packages; FAKEMON_BOARDS the boards, with commas; FAKEMON_QUICK=1 leaves kernels out, \
    FAKEMON_STRICT=1 takes drift for a failure, FAKEMON_TIMEOUT limits the time in seconds."
)]
pub(crate) struct Runner {
    /// The program.
    program: PathBuf,
    /// Its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Runner {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let variable = |name: &str| std::env::var(name).ok();
        let cpu = variable(env::CPU).unwrap_or_else(|| Cpu::Max.name().to_owned());
        let cpu = Cpu::from_str(&cpu, false)
            .map_err(|_| anyhow::anyhow!("{} is {cpu}, which is none of `test --cpu`", env::CPU))?;
        let engine = env::engine().map_err(Error::msg)?;
        let quick = env::is_on(env::QUICK);
        let seconds = match variable(env::TIMEOUT) {
            Some(text) => text
                .parse()
                .with_context(|| format!("{} is no number of seconds", env::TIMEOUT))?,
            None => TIMEOUT,
        };

        setup::rust_targets()?;
        let mut supplies = Supplies::open(Check::Quick)?;
        supplies.choose_host_kernel(None, engine, cpu)?;
        let mut stage = Stage::new(&workspace::target())?;
        let boards = boards(variable(env::BOARDS).as_deref())?;
        let program = self.program.file_stem().unwrap_or_default();
        let program = program.to_string_lossy();
        if program.starts_with(ATTACH) {
            attach::add_assets(&mut stage, &supplies)?;
        } else if program.starts_with(PACKAGE) {
            dist::add_assets(&mut stage, &supplies)?;
        } else {
            add_assets(&mut stage, &supplies, &boards, cpu, quick)?;
        }
        let name = self
            .program
            .file_name()
            .context("there is no program to run")?;
        let name = format!("tests/{}", name.to_string_lossy());
        let mut argv = vec![stage.add(&name, self.program.clone())];
        argv.extend(self.arguments.iter().cloned());

        // The GIC that goes with the processor: tests that need the other version skip themselves.
        let gic = cpu.gic();
        let here = boards
            .iter()
            .filter(|board| board.machine.gic.versions.contains(&gic));
        let cpus = here.map(|board| host_cpus(board.guest.arch, board.machine.cpus));
        let cpus = match variable(env::HOST_CPUS) {
            Some(text) => text
                .parse()
                .with_context(|| format!("{} is no number", env::HOST_CPUS))?,
            None => cpus.max().unwrap_or(2),
        };
        let mut variables = environment();
        let mut set = |name: &str, value: String| variables.insert(name.to_owned(), value);
        set(env::ASSETS, stage.root());
        // On this machine the program is elsewhere, and the stage has a link to it.
        let places = assets::PLACES.map(|place| format!("{}/{place}", stage.root()));
        set(env::PATH, places.join(":"));
        set(env::QUICK, env::switch(quick).to_owned());
        if let Some(strict) = variable(env::STRICT) {
            set(env::STRICT, strict);
        }
        set(env::ENGINE, engine.to_string());
        if !stage.is_native() {
            set(env::CPU, cpu.name().to_owned());
            set(env::GIC, gic.to_string());
            let any = !supplies.host_kernel_runs_on(Cpu::CortexA57);
            set(env::ANY_GIC, env::switch(any).to_owned());
        }
        let timeout = Some(Duration::from_secs(seconds));
        let machine = Machine {
            cpu,
            gic,
            cpus,
            memory: MEMORY,
            timeout,
            icount: false,
        };
        let job = Job {
            argv,
            env: variables,
            cwd: "/".to_owned(),
            input: false,
            returns: Vec::new(),
        };
        let report = stage.run(job, machine, supplies.host_files()?.as_ref())?;
        Ok(ExitCode::from(u8::try_from(report.code()).unwrap_or(3)))
    }
}

/// The boards that are tested: those that are named, with commas between them, or all.
fn boards(names: Option<&str>) -> Result<Vec<Board>> {
    match names {
        Some(names) => names.split(',').map(workspace::board).collect(),
        None => workspace::boards(),
    }
}

fn add_assets(
    stage: &mut Stage,
    supplies: &Supplies,
    boards: &[Board],
    cpu: Cpu,
    quick: bool,
) -> Result<()> {
    stage.add(assets::FAKEMON, cargo::build_vmm()?);
    stage.add(assets::EXAMPLE, cargo::build_example("minimal")?);
    stage.add(assets::HOTPLUG_EXAMPLE, cargo::build_example("hotplug")?);
    match c_programs::build(&workspace::target().join("c"))? {
        Ok(programs) => {
            for (name, program) in programs {
                stage.add(name, program);
            }
        }
        Err(reason) => drop(stage.add_text(assets::C_SKIP, &reason)?),
    }
    for blob in blob::build(&[])? {
        stage.add(&assets::blob(&blob.board), blob.path);
    }
    // Built for the first board that wants it.
    let mut program = None;
    for board in boards {
        let name = &board.name;
        stage.add_dir(&assets::board_dir(name), &workspace::board_dir(name))?;
        if quick {
            continue;
        }
        if board.test == TestKind::Replay {
            let program = match &program {
                Some(program) => program,
                None => program.insert(replay::program()?),
            };
            let guest = replay::guest(program, board)?;
            stage.add(&assets::replay(name), guest);
            continue;
        }
        if name == assets::HALVED {
            for (half, path) in assets::HALVES.into_iter().zip(blob::halves()?) {
                stage.add(half, path);
            }
        }
        match add_kernel(stage, supplies, board, cpu) {
            // A kernel that the user chose need not have all that every board is about.
            Err(error) if !supplies.is_default_kernel() && error.is::<Lacks>() => {
                stage.add_text(&assets::skip(name), &format!("{error:#}"))?;
            }
            added => added?,
        }
    }
    Ok(())
}

/// Adds the board's kernel, its device tree and the initramfs.
fn add_kernel(stage: &mut Stage, supplies: &Supplies, board: &Board, cpu: Cpu) -> Result<()> {
    supplies.fits(board.guest.arch, cpu)?;
    let kernel = supplies.guest_kernel(board)?;
    let initrd = guest::initramfs(supplies, board, &kernel)?;
    stage.add(&assets::kernel(board), kernel.image());
    if let (Some(name), Some(to)) = (&board.guest.dtb, assets::dtb(board)) {
        stage.add(&to, kernel.dtb(name)?);
    }
    stage.add(&assets::initrd(&board.name), initrd);
    Ok(())
}
