// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Runs a job on this machine, an Arm one with KVM.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::thread;

use anyhow::{Context, Result, bail};
use fakemon_hostvm::{Job, Report};

use super::{Ended, Machine, Printed, Stage, listen, text, wait};

/// Runs `job` with the stage's files as links in a directory.
pub(crate) fn run(stage: &Stage, job: &Job, machine: Machine, printed: Printed) -> Result<Ended> {
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
        // A terminal that nobody else listens to stays the program's own.
        .stdout(if printed.kept || !printed.shown {
            Stdio::piped()
        } else {
            Stdio::inherit()
        })
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    let listener = child
        .stdout
        .take()
        .map(|from| thread::spawn(move || listen(from, io::stdout(), printed)));
    let Some(status) = wait(&mut child, machine.timeout, &AtomicBool::new(false))? else {
        bail!(
            "{program} did not end in {:?} and was killed",
            machine.timeout.unwrap_or_default()
        );
    };
    let console = listener.and_then(|listener| listener.join().ok());
    Ok(Ended {
        report: match (status.code(), status.signal()) {
            (Some(code), _) => Report::Exit(code),
            (None, signal) => Report::Signal(signal.unwrap_or_default()),
        },
        printed: text(&console.unwrap_or_default()),
    })
}
