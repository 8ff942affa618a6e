// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `runner`: what cargo starts in place of a test program for Arm: runs it where KVM is.
//!
//! One boot of the host VM serves one whole test program. What tests need is put under /fakemon
//! there (on an Arm machine with KVM: in some directory), and `FAKEMON_ASSETS` tells where:
//!
//! ```text
//! bin/fakemon, bin/minimal        the reference VMM and the embedder's example
//! blobs/<board>.elf               every board's blob
//! boards/<board>/board.toml ...   the files of every board's directory
//! kernels/<package>/vmlinuz       the guests' kernels, kernels/<package>/<dtb> their device trees,
//!                                 under the name of the package in board.toml
//! initrd/<board>.cpio             the default initramfs of every board that boots a kernel
//! replay/<board>.bin              the program of every board that replays calls instead
//! skips/<board>                   why a board cannot boot the kernel that the user chose
//! ```

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use fakemon_hostvm::Job;
use fakemon_manifest::{Board, TestKind};

use crate::cache::Check;
use crate::engine::{Choice, ENGINE_VARIABLE};
use crate::lacks::Lacks;
use crate::machine::{Cpu, Machine, Stage, host_cpus};
use crate::run::environment;
use crate::supplies::Supplies;
use crate::{blob, cargo, guest, replay, setup, workspace};

/// Names the variable by which test programs learn which boards are tested.
pub(crate) const BOARDS_VARIABLE: &str = "FAKEMON_BOARDS";
/// Seconds that one test program may take.
const TIMEOUT: u64 = 3600;
/// Memory for the guests of the tests.
const MEMORY: u64 = 2 << 30;

/// Run a program for Arm Linux where KVM is (cargo's runner).
#[derive(Debug, Args)]
#[command(
    after_help = "FAKEMON_CPU chooses the host VM's processor (max or cortex-a57), \
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
        let cpu = variable("FAKEMON_CPU").unwrap_or_else(|| Cpu::Max.name().to_owned());
        let cpu = Cpu::from_str(&cpu, false).map_err(|_| {
            anyhow::anyhow!("FAKEMON_CPU is {cpu}, and it must be max or cortex-a57")
        })?;
        let engine = Choice::of_environment()?.engine();
        let quick = variable("FAKEMON_QUICK").is_some_and(|value| value == "1");
        let seconds = match variable("FAKEMON_TIMEOUT") {
            Some(text) => text
                .parse()
                .context("FAKEMON_TIMEOUT is no number of seconds")?,
            None => TIMEOUT,
        };

        setup::rust_targets()?;
        let mut supplies = Supplies::open(Check::Quick)?;
        supplies.choose_host_kernel(None, engine)?;
        let mut stage = Stage::new(&workspace::target())?;
        let boards = boards(variable(BOARDS_VARIABLE).as_deref())?;
        add_assets(&mut stage, &supplies, &boards, cpu, quick)?;
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
        let cpus = match variable("FAKEMON_HOST_CPUS") {
            Some(text) => text.parse().context("FAKEMON_HOST_CPUS is no number")?,
            None => cpus.max().unwrap_or(2),
        };
        let mut env = environment();
        env.insert("FAKEMON_ASSETS".to_owned(), stage.root());
        env.insert("FAKEMON_QUICK".to_owned(), u8::from(quick).to_string());
        if let Some(strict) = variable("FAKEMON_STRICT") {
            env.insert("FAKEMON_STRICT".to_owned(), strict);
        }
        if let Some(engine) = engine {
            env.insert(ENGINE_VARIABLE.to_owned(), engine.name().to_owned());
        }
        if !stage.is_native() {
            env.insert("FAKEMON_CPU".to_owned(), cpu.name().to_owned());
            env.insert("FAKEMON_GIC".to_owned(), gic.to_string());
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
            env,
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
    stage.add("bin/fakemon", cargo::build_vmm()?);
    stage.add("bin/minimal", cargo::build_example()?);
    for blob in blob::build(&[])? {
        stage.add(&format!("blobs/{}.elf", blob.board), blob.path);
    }
    // Built for the first board that wants it.
    let mut program = None;
    for board in boards {
        let name = &board.name;
        stage.add_dir(&format!("boards/{name}"), &workspace::board_dir(name))?;
        if quick {
            continue;
        }
        if board.test == TestKind::Replay {
            let program = match &program {
                Some(program) => program,
                None => program.insert(replay::program()?),
            };
            let guest = replay::guest(program, board)?;
            stage.add(&format!("replay/{name}.bin"), guest);
            continue;
        }
        match add_kernel(stage, supplies, board, cpu) {
            // A kernel that the user chose need not have all that every board is about.
            Err(error) if !supplies.is_default_kernel() && error.is::<Lacks>() => {
                stage.add_text(&format!("skips/{name}"), &format!("{error:#}"))?;
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
    let dir = format!("kernels/{}", board.guest.kernel);
    stage.add(&format!("{dir}/vmlinuz"), kernel.image());
    if let Some(dtb) = &board.guest.dtb {
        stage.add(&format!("{dir}/{dtb}"), kernel.dtb(dtb)?);
    }
    stage.add(&format!("initrd/{}.cpio", board.name), initrd);
    Ok(())
}
