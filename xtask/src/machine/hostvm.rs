// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Runs a job in a host VM: builds its initramfs, starts QEMU, passes the console, reads the
//! report.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fakemon_hostvm::{JOB, Job, Output, Report, read_report};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

use super::qemu::{Files, Qemu};
use super::terminal::{RawTerminal, forward_input};
use super::{Ended, Machine, Printed, ROOT, Stage, listen, text, wait};
use crate::archive::Archive;
use crate::cargo;

/// How much of the host VM's kernel log is shown.
const LOG_LINES: usize = 30;

/// What every host VM is made of.
#[derive(Debug)]
pub(crate) struct HostFiles {
    /// The emulator.
    pub(crate) qemu: Qemu,
    /// The kernel.
    pub(crate) kernel: PathBuf,
}

/// Runs `job` in a host VM with the stage's files in its initramfs.
pub(crate) fn run(
    stage: &Stage,
    mut job: Job,
    machine: Machine,
    host: &HostFiles,
    printed: Printed,
) -> Result<Ended> {
    let init = cargo::build_host_vm_init()?;

    let dir = stage.scratch.path();
    let files = Files {
        kernel: &host.kernel,
        initramfs: &dir.join("host.cpio"),
        log: &dir.join("kernel.log"),
        report: &dir.join("report.cpio"),
    };
    job.returns = stage.outputs.keys().cloned().collect();
    write_initramfs(files.initramfs, &init, &job, stage).with_context(|| {
        format!(
            "cannot write {}: make room there",
            files.initramfs.display()
        )
    })?;
    let size = fs::metadata(files.initramfs)?.len();
    let (ended, console) = supervise(
        host.qemu.host_vm(machine, size, &files),
        job.input,
        machine.timeout,
        printed,
    )?;

    let log = || tail(files.log);
    if !ended {
        let seconds = machine.timeout.unwrap_or_default().as_secs();
        bail!(
            "{} did not end in {seconds} s and was killed{}",
            job.argv[0],
            log()
        );
    }
    let archive = File::open(files.report).ok().and_then(read_report_file);
    let Some((report, outputs)) = archive else {
        bail!("the host VM ended before its program did{}", log());
    };
    for (path, bytes) in outputs {
        if let Some(to) = stage.outputs.get(&path) {
            fs::write(to, bytes).with_context(|| format!("cannot write {}", to.display()))?;
        }
    }
    if let Report::NotStarted(reason) = &report {
        bail!(
            "{} could not be started in the host VM: {reason}",
            job.argv[0]
        );
    }
    Ok(Ended {
        report,
        printed: text(&console),
    })
}

fn read_report_file(file: File) -> Option<(Report, Vec<Output>)> {
    read_report(io::BufReader::new(file))
}

fn write_initramfs(to: &Path, init: &Path, job: &Job, stage: &Stage) -> Result<()> {
    let mut archive = Archive::new(BufWriter::new(File::create(to)?));
    archive.console_node()?;
    archive.file_from("init", init, 0o755)?;
    archive.file(
        JOB.trim_start_matches('/'),
        &serde_json::to_vec(job)?,
        0o644,
    )?;
    for (name, file) in &stage.files {
        let name = format!("{}/{name}", ROOT.trim_start_matches('/'));
        archive.file_from(&name, file, 0o755)?;
    }
    archive.finish()?.flush()?;
    Ok(())
}

/// Runs QEMU until it ends or its time is over, in which case it returns false, and with that what is
/// kept of its output.
fn supervise(
    mut command: Command,
    input: bool,
    timeout: Option<Duration>,
    printed: Printed,
) -> Result<(bool, Vec<u8>)> {
    command.stdin(if input { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // Ctrl-C is for us alone: QEMU would leave a message of its own.
    command.process_group(0);
    // SAFETY: the closure makes one system call, prctl, which is allowed between fork and exec.
    unsafe { command.pre_exec(|| Ok(set_pdeathsig(Signal::SIGKILL)?)) };
    let mut child = command.spawn().context("cannot start QEMU")?;

    let terminal = if input { RawTerminal::take()? } else { None };
    let quit = Arc::new(AtomicBool::new(false));
    if let Some(stdin) = child.stdin.take() {
        let quit = quit.clone();
        thread::spawn(move || forward_input(stdin, &quit));
    }
    let errors = Printed {
        shown: true,
        kept: false,
    };
    let console = child.stdout.take();
    let console = console.map(|from| thread::spawn(move || listen(from, io::stdout(), printed)));
    let others = child.stderr.take();
    let others = others.map(|from| thread::spawn(move || listen(from, io::stderr(), errors)));
    let ended = wait(&mut child, timeout, &quit)?.is_some();
    let console = console.and_then(|thread| thread.join().ok());
    let _ = others.map(|thread| thread.join());
    drop(terminal);
    Ok((ended, console.unwrap_or_default()))
}

/// The end of the host VM's kernel log, if there is one.
fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    let last = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
    format!("; the host VM's kernel said last:\n{last}")
}
