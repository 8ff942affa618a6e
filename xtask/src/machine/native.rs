// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Runs a job on this machine, an Arm one with KVM.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use fakemon_hostvm::{Job, Report};

use super::{Machine, Stage, wait};

/// Runs `job` with the stage's files as links in a directory.
pub(crate) fn run(stage: &Stage, job: &Job, machine: Machine) -> Result<Report> {
    let root = stage.scratch.path().join("stage");
    for (name, file) in &stage.files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&root))?;
        symlink(std::path::absolute(file)?, &path)?;
    }
    let (program, arguments) = job.argv.split_first().context("the job names no program")?;
    let mut child = Command::new(program)
        .args(arguments)
        .envs(&job.env)
        .stdin(if job.input {
            Stdio::inherit()
        } else {
            Stdio::null()
        })
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    let Some(status) = wait(&mut child, machine.timeout, &AtomicBool::new(false))? else {
        bail!(
            "{program} did not end in {:?} and was killed",
            machine.timeout.unwrap_or_default()
        );
    };
    Ok(match (status.code(), status.signal()) {
        (Some(code), _) => Report::Exit(code),
        (None, signal) => Report::Signal(signal.unwrap_or_default()),
    })
}
