// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `bench`: what every path of a call costs, in instructions of the host and in time.
//!
//! The host VM runs twice. With `-icount shift=0,sleep=off` its clock advances by one nanosecond
//! for each instruction, on one CPU, so that times are counts and two runs give the same ones; the
//! second run is without and gives wall time. docs/performance.md tells how to read the figures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Error, Result, ensure};
use clap::Args;
use fakemon_host::{Engine, Policy};
use fakemon_hostvm::Job;
use serde::de::DeserializeOwned;

use crate::cache::Check;
use crate::engine::Engines;
use crate::machine::{Cpu, Machine, Stage};
use crate::run::{Run, environment};
use crate::supplies::{HostKernel, Supplies};
use crate::{blob, cargo, setup, this_machine, workspace};

mod figures;
mod picture;
mod table;

use figures::{Boot, Boots, Figures, Measured};

/// The board whose boot and memory are measured.
const BOARD: &str = "virt";
/// Where the documentation keeps the figures, below docs/.
const DOCS: &str = "performance";
/// Memory for the small guests.
const MEMORY: u64 = 256 << 20;
/// CPUs of the host VM that is timed, if the machine has as many: one for each vCPU of a guest.
const MAX_HOST_CPUS: u32 = 4;
/// Seconds after which something hangs.
const TIMEOUT: u64 = 1800;

/// Measure what every path of a call costs.
///
/// Counts the instructions that the host retires for one call, from the guest's SMC until it goes
/// on, with QEMU's icount and the kernel of `cargo xtask kernel`; beside each figure stands the
/// least that the path could cost with the same kernel. On an Arm machine with KVM there is only
/// wall time. On a kernel without the patches of host-shim/kernel there is only the userspace
/// engine.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Print JSON instead of the table.
    #[arg(long)]
    json: bool,
    /// Processor of the emulated host.
    #[arg(long, value_enum, default_value = "max")]
    cpu: Cpu,
    /// Kernel of the emulated host: a file, `own` for the one of `cargo xtask kernel`, `64k` for that
    /// one with pages of 64 KiB, or `16k` for Debian's with pages of 16 KiB.
    #[arg(long, value_name = "FILE|own|16k|64k", default_value = "own")]
    host_kernel: HostKernel,
    /// Who carries calls between guests and blobs.
    #[arg(long, value_enum, default_value = "all")]
    engine: Engines,
    /// Take the newest packages rather than those of debian.lock.
    #[arg(long)]
    newest: bool,
    /// Leave out the boots of a whole guest.
    #[arg(long)]
    no_boot: bool,
    /// Keep the figures in docs/performance, and draw docs/performance.svg from all that are there.
    #[arg(long, conflicts_with = "no_boot")]
    docs: bool,
}

/// How the host's clock runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    Instructions,
    Wall,
}

impl Bench {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        setup::rust_targets()?;
        let program = cargo::build_bench()?;
        let native = this_machine::is_native()?;
        let counted = if native {
            None
        } else {
            Some(self.paths(&program, Clock::Instructions)?)
        };
        let timed = self.paths(&program, Clock::Wall)?;
        let has = |engine: Engine| timed.engines.iter().any(|name| *name == engine.to_string());
        if self.engine != Engines::Userspace && !has(Engine::Kernel) {
            eprintln!(
                "the kernel engine is left out: this host's kernel has not the patches for it"
            );
        }
        let boot = if self.no_boot {
            None
        } else {
            let boot = |policy, engine| Ok::<_, Error>(self.boot(&program, policy, engine)?.cost);
            let with = |engine| {
                let there = has(engine).then(|| boot(Policy::Blob, engine));
                there.transpose()
            };
            Some(Boots {
                kvm: boot(Policy::Kvm, Engine::Auto)?,
                userspace: with(Engine::Userspace)?,
                kernel: with(Engine::Kernel)?,
            })
        };
        let cpu = if native { "native" } else { self.cpu.name() };
        let figures = Figures::new(cpu, counted, timed, boot);

        let json = serde_json::to_string_pretty(&figures)? + "\n";
        if self.docs {
            keep(cpu, &json)?;
        }
        if self.json {
            print!("{json}");
        } else {
            print!("{}", table::table(&figures));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn paths(&self, program: &Path, clock: Clock) -> Result<Measured> {
        let (supplies, mut stage) = self.begin()?;
        let blobs = blob::build(&[BOARD.to_owned()])?;
        let blob = blobs.into_iter().next().context("the board has no blob")?;
        let file = self.scratch("paths")?;
        let engines: Vec<_> = self
            .engine
            .list()
            .into_iter()
            .map(|engine| engine.to_string())
            .collect();
        let argv = vec![
            stage.add("bin/bench", program.to_owned()),
            "paths".to_owned(),
            engines.join(","),
            stage.add("blob.elf", blob.path),
            stage.output(&file)?,
        ];
        let machine = self.machine(MEMORY, clock);
        finish(stage, job(argv), machine, &supplies, &file)
    }

    fn boot(&self, program: &Path, policy: Policy, engine: Engine) -> Result<Boot> {
        let (supplies, mut stage) = self.begin()?;
        let board = workspace::board(BOARD)?;
        // CPUs of a guest that wait for each other on the host's one would count their waiting.
        let run = Run::uniprocessor(BOARD, policy, engine, "fakemon.checks=nproc nokaslr");
        let (machine, guest) = run.job(&board, &supplies, &mut stage)?;
        let file = self.scratch("boot")?;
        let mut argv = vec![
            stage.add("bin/bench", program.to_owned()),
            "boot".to_owned(),
            stage.output(&file)?,
        ];
        argv.extend(guest.argv);
        let machine = self.machine(machine.memory, Clock::Instructions);
        finish(stage, job(argv), machine, &supplies, &file)
    }

    /// A file for what the program finds out.
    fn scratch(&self, what: &str) -> Result<PathBuf> {
        let dir = workspace::target().join("bench");
        fs::create_dir_all(&dir)?;
        Ok(dir.join(format!("{what}-{}.json", self.cpu.name())))
    }

    fn begin(&self) -> Result<(Supplies, Stage)> {
        let mut supplies = Supplies::open(Check::Quick)?;
        if self.newest {
            supplies.take_newest();
        }
        supplies.choose_host_kernel(Some(&self.host_kernel), Engine::Auto, self.cpu)?;
        Ok((supplies, Stage::new(&workspace::target())?))
    }

    fn machine(&self, memory: u64, clock: Clock) -> Machine {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        Machine {
            cpu: self.cpu,
            gic: 3,
            cpus: match clock {
                Clock::Instructions => 1,
                Clock::Wall => cores.min(MAX_HOST_CPUS),
            },
            memory,
            timeout: Some(Duration::from_secs(TIMEOUT)),
            icount: clock == Clock::Instructions,
        }
    }
}

fn job(argv: Vec<String>) -> Job {
    Job {
        argv,
        env: environment(),
        cwd: "/".to_owned(),
        input: false,
        returns: Vec::new(),
    }
}

/// Runs a job and reads what it left in `file`.
fn finish<T: DeserializeOwned>(
    stage: Stage,
    job: Job,
    machine: Machine,
    supplies: &Supplies,
    file: &Path,
) -> Result<T> {
    let report = stage.run(job, machine, supplies.host_files()?.as_ref())?;
    ensure!(report.code() == 0, "the measuring program failed");
    let text = fs::read(file)?;
    serde_json::from_slice(&text).context("the measuring program wrote no figures")
}

/// Puts the figures of one processor beside the documentation, and redraws its picture.
fn keep(cpu: &str, json: &str) -> Result<()> {
    let docs = workspace::root().join("docs");
    fs::create_dir_all(docs.join(DOCS))?;
    fs::write(docs.join(DOCS).join(format!("{cpu}.json")), json)?;
    fs::write(
        docs.join("performance.svg"),
        picture::picture(&kept(&docs)?),
    )?;
    Ok(())
}

/// The figures that the documentation has.
fn kept(docs: &Path) -> Result<Vec<Figures>> {
    let mut all = Vec::new();
    for cpu in [Cpu::Max, Cpu::CortexA57] {
        let path = docs.join(DOCS).join(format!("{}.json", cpu.name()));
        if let Ok(text) = fs::read(&path) {
            let figures = serde_json::from_slice(&text);
            all.push(figures.with_context(|| format!("{} is not ours", path.display()))?);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentations_picture_is_of_its_figures() {
        let docs = workspace::root().join("docs");
        let all = kept(&docs).expect("figures");
        assert_eq!(all.len(), 2);
        let drawn = fs::read_to_string(docs.join("performance.svg")).expect("a picture");
        assert_eq!(
            drawn,
            picture::picture(&all),
            "run cargo xtask bench --docs"
        );
    }
}
