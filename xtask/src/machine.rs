// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where a program that needs KVM runs: on this machine if it is an Arm one with KVM, else in a
//! host VM.
//!
//! The host VM is an emulated Arm machine whose Linux has real KVM at EL2. Everything that the
//! program needs rides in its initramfs; there is no disk and no network. A [`Stage`] hides the
//! difference: what is put on it gets a path that is right for the place where the program will
//! run.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::ValueEnum;
use fakemon_hostvm::{Job, Report};
use fakemon_manifest::{Arch, Board};

use crate::scratch::Scratch;
use crate::this_machine;

pub(crate) mod hostvm;
mod native;
pub(crate) mod qemu;
pub(crate) mod terminal;

use hostvm::HostFiles;

/// Where the staged files are in the host VM.
const ROOT: &str = "/fakemon";
/// How long a program may take to end by itself after Ctrl-A x.
const QUIT_TIME: Duration = Duration::from_secs(3);

/// The processor of the host VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cpu {
    /// Everything that QEMU has: the hypervisor runs at EL2 in VHE mode.
    Max,
    /// An Armv8.0 core: the hypervisor runs in nVHE mode.
    #[value(name = "cortex-a57")]
    CortexA57,
    /// An Armv8.0 core, with the interrupt controller of later ones.
    #[value(name = "cortex-a72")]
    CortexA72,
    /// An Armv8.2 core.
    #[value(name = "neoverse-n1")]
    NeoverseN1,
    /// An Armv8.4 core without 32-bit kernels.
    #[value(name = "neoverse-v1")]
    NeoverseV1,
    /// An Armv8.2 core without any 32-bit code.
    #[value(name = "a64fx")]
    A64fx,
}

/// How many CPUs a host VM needs for a guest with `guest` CPUs.
///
/// An emulated host can run a 32-bit guest only with each of its CPUs pinned to one of the host's
/// (docs/decisions/0005-emulated-32-bit.md). Other guests share the two that most machines can
/// spare.
pub(crate) fn host_cpus(arch: Arch, guest: u32) -> u32 {
    match arch {
        Arch::Arm64 => 2,
        Arch::Armhf => guest.max(2),
    }
}

impl Cpu {
    /// The name that the user gives it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Cpu::Max => "max",
            Cpu::CortexA57 => "cortex-a57",
            Cpu::CortexA72 => "cortex-a72",
            Cpu::NeoverseN1 => "neoverse-n1",
            Cpu::NeoverseV1 => "neoverse-v1",
            Cpu::A64fx => "a64fx",
        }
    }

    /// Version of the interrupt controller that goes with it in host VMs.
    pub(crate) fn gic(self) -> u8 {
        match self {
            Cpu::CortexA57 => 2,
            _ => 3,
        }
    }

    /// Tells whether it has pages of 16 KiB, which the Armv8.0 ones have not.
    pub(crate) fn has_pages_of_16k(self) -> bool {
        !matches!(self, Cpu::CortexA57 | Cpu::CortexA72)
    }

    /// Tells whether the boot tests boot `board` on a host VM with this processor: the one with the
    /// interrupt controller that the board prefers.
    pub(crate) fn is_host_of(self, board: &Board) -> bool {
        board.machine.gic.versions.first() == Some(&self.gic())
    }
}

/// The host VM that a program asks for; on an Arm machine with KVM only the time limit counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    /// Its processor.
    pub(crate) cpu: Cpu,
    /// Version of its interrupt controller, 2 or 3: KVM offers guests the same one.
    pub(crate) gic: u8,
    /// Number of its CPUs.
    pub(crate) cpus: u32,
    /// Bytes of memory for the program and its guests; what the host VM itself needs comes on top.
    pub(crate) memory: u64,
    /// After this time the program is killed.
    pub(crate) timeout: Option<Duration>,
    /// One nanosecond of its clock is one instruction; only with one CPU.
    pub(crate) icount: bool,
}

/// What becomes of what a program prints on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Printed {
    /// The user sees it at once.
    pub(crate) shown: bool,
    /// It comes back in [`Ended::printed`].
    pub(crate) kept: bool,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its end.
    pub(crate) report: Report,
    /// What it printed, if that was to be kept.
    pub(crate) printed: String,
}

/// The files that a program needs, and those that it makes.
#[derive(Debug)]
pub(crate) struct Stage {
    native: bool,
    scratch: Scratch,
    files: BTreeMap<String, PathBuf>,
    outputs: BTreeMap<String, PathBuf>,
}

impl Stage {
    /// An empty stage for the place where programs run.
    pub(crate) fn new(scratch: &Path) -> Result<Stage> {
        let scratch = Scratch::new(scratch)?;
        Ok(Stage {
            native: this_machine::is_native()?,
            scratch,
            files: BTreeMap::new(),
            outputs: BTreeMap::new(),
        })
    }

    /// Whether the program runs on this machine itself.
    pub(crate) fn is_native(&self) -> bool {
        self.native
    }

    /// The directory in which the program finds the files.
    pub(crate) fn root(&self) -> String {
        if self.native {
            self.scratch.path().join("stage").display().to_string()
        } else {
            ROOT.to_owned()
        }
    }

    /// Puts a file on the stage under the relative path `name`; returns its path there.
    pub(crate) fn add(&mut self, name: &str, file: PathBuf) -> String {
        self.files.insert(name.to_owned(), file);
        format!("{}/{name}", self.root())
    }

    /// Puts a whole directory on the stage, without its subdirectories.
    pub(crate) fn add_dir(&mut self, name: &str, dir: &Path) -> Result<String> {
        for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
            let path = entry?.path();
            if let (true, Some(file)) = (path.is_file(), path.file_name()) {
                self.add(&format!("{name}/{}", file.to_string_lossy()), path);
            }
        }
        Ok(format!("{}/{name}", self.root()))
    }

    /// Puts a file with this text on the stage.
    pub(crate) fn add_text(&mut self, name: &str, text: &str) -> Result<String> {
        let file = self.scratch.path().join(name.replace('/', "-"));
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(self.add(name, file))
    }

    /// Announces a file that the program makes and that shall end up in `to`; returns the path to
    /// make it under.
    pub(crate) fn output(&mut self, to: &Path) -> Result<String> {
        let to = std::path::absolute(to)?;
        // A place where nothing can be written is found now rather than after the run.
        File::create(&to).with_context(|| format!("cannot write {}", to.display()))?;
        if self.native {
            return Ok(to.display().to_string());
        }
        let path = format!("/tmp/output-{}", self.outputs.len());
        self.outputs.insert(path.clone(), to);
        Ok(path)
    }

    /// Runs a job whose paths are this stage's, and puts its outputs into place. Without a host VM
    /// it runs on this machine.
    pub(crate) fn run(
        self,
        job: Job,
        machine: Machine,
        host: Option<&HostFiles>,
    ) -> Result<Report> {
        let shown = Printed {
            shown: true,
            kept: false,
        };
        Ok(self.run_and_listen(job, machine, host, shown)?.report)
    }

    /// The same, with the program's standard output treated as `printed` says.
    pub(crate) fn run_and_listen(
        self,
        job: Job,
        machine: Machine,
        host: Option<&HostFiles>,
        printed: Printed,
    ) -> Result<Ended> {
        match host {
            None => native::run(&self, &job, machine, printed),
            Some(files) => hostvm::run(&self, job, machine, files, printed),
        }
    }
}

/// Passes a program's output on at once, for a console is read by people, and keeps it.
fn listen(mut from: impl Read, mut to: impl Write, printed: Printed) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let new = &buffer[..count];
        if printed.kept {
            kept.extend_from_slice(new);
        }
        if printed.shown && to.write_all(new).and_then(|()| to.flush()).is_err() {
            break;
        }
    }
    kept
}

/// Text of a console, with the line ends of this machine.
fn text(console: &[u8]) -> String {
    String::from_utf8_lossy(console).replace('\r', "")
}

/// Waits until a program ends; kills it and returns [`None`] when the time is over, or soon after
/// the user has quit.
fn wait(
    child: &mut Child,
    timeout: Option<Duration>,
    quit: &AtomicBool,
) -> Result<Option<ExitStatus>> {
    let mut deadline = timeout.map(|timeout| Instant::now() + timeout);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if quit.swap(false, Ordering::Relaxed) {
            let soon = Instant::now() + QUIT_TIME;
            deadline = Some(deadline.map_or(soon, |deadline| deadline.min(soon)));
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(10));
    }
}
