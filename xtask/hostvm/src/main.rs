// SPDX-License-Identifier: Apache-2.0 OR MIT
//! PID 1 of the host VM: runs the one job that its initramfs brings, reports, and powers off.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fakemon_hostvm::{CONSOLE, ERRORS, JOB, Job, PORT, Report, write_report};
use nix::mount::{MsFlags, mount};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::termios::{SetArg, cfmakeraw, tcdrain, tcgetattr, tcsetattr};

/// How long to wait between attempts, and how many there are: a minute in sum, as the machine may be
/// busy.
const WAIT: Duration = Duration::from_millis(10);
const WAITS: u32 = 6000;

fn main() -> Result<()> {
    // A user who starts this by hand must not lose their machine.
    ensure!(
        std::process::id() == 1,
        "this is the first process of a host VM, not a command"
    );
    if let Err(error) = serve() {
        // Standard error is the kernel's console here, which xtask shows when no report arrives.
        eprintln!("host VM: {error:#}");
    }
    reboot(RebootMode::RB_POWER_OFF).context("cannot power off")?;
    Ok(())
}

fn serve() -> Result<()> {
    mount_all()?;
    let job = fs::read(JOB).with_context(|| format!("cannot read {JOB}"))?;
    let job: Job = serde_json::from_slice(&job).context("the job is not one")?;
    let console = with_retries(|| open_console(CONSOLE))?;
    let errors = with_retries(|| open_console(ERRORS))?;
    let report = match run(&job, &console, &errors) {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => Report::Exit(code),
            (None, signal) => Report::Signal(signal.unwrap_or_default()),
        },
        Err(error) => Report::NotStarted(error.to_string()),
    };
    // What the consoles still hold would be lost when the power goes.
    tcdrain(&console).context("cannot drain the console")?;
    tcdrain(&errors).context("cannot drain the error console")?;
    let files: Vec<_> = (job.returns.iter())
        .filter_map(|path| Some((path.clone(), fs::read(path).ok()?)))
        .collect();
    write_report(BufWriter::new(with_retries(open_port)?), &report, &files)
        .context("cannot write the report")
}

fn mount_all() -> Result<()> {
    for (kind, path) in [
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("devtmpfs", "/dev"),
        ("tmpfs", "/tmp"),
    ] {
        fs::create_dir_all(path).with_context(|| format!("cannot make {path}"))?;
        mount(Some(kind), path, Some(kind), MsFlags::empty(), None::<&str>)
            .with_context(|| format!("cannot mount {path}"))?;
    }
    Ok(())
}

/// Tries until it works, for a while: the kernel's driver asks QEMU for the consoles when this program
/// may already run, and QEMU answers when it likes.
fn with_retries<T>(mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    for _ in 0..WAITS {
        if let Ok(done) = attempt() {
            return Ok(done);
        }
        thread::sleep(WAIT);
    }
    attempt()
}

/// Opens a console and makes it pass every byte as it is, in both directions.
fn open_console(path: &str) -> Result<File> {
    let console = File::options()
        .read(true)
        .write(true)
        .open(path)
        .with_context(|| format!("cannot open {path}"))?;
    let mut settings = tcgetattr(&console).with_context(|| format!("{path} is no terminal"))?;
    cfmakeraw(&mut settings);
    tcsetattr(&console, SetArg::TCSANOW, &settings)
        .with_context(|| format!("cannot set up {path}"))?;
    Ok(console)
}

fn run(job: &Job, console: &File, errors: &File) -> io::Result<ExitStatus> {
    let stdio = |file: &File| file.as_fd().try_clone_to_owned().map(Stdio::from);
    let (program, arguments) = job
        .argv
        .split_first()
        .ok_or_else(|| io::Error::other("the job names no program"))?;
    Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(&job.env)
        .current_dir(&job.cwd)
        .stdin(if job.input {
            stdio(console)?
        } else {
            Stdio::null()
        })
        .stdout(stdio(console)?)
        .stderr(stdio(errors)?)
        .status()
}

/// Finds the virtio port by the name that QEMU was given for it.
fn open_port() -> Result<File> {
    for port in fs::read_dir("/sys/class/virtio-ports").context("there are no virtio ports")? {
        let port = port?;
        let name = fs::read_to_string(port.path().join("name")).unwrap_or_default();
        if name.trim_end() == PORT {
            let device = format!("/dev/{}", port.file_name().to_string_lossy());
            return File::options()
                .write(true)
                .open(&device)
                .with_context(|| format!("cannot open {device}"));
        }
    }
    anyhow::bail!("there is no virtio port named {PORT}")
}
