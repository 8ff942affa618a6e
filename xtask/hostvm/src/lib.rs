// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What xtask and the host VM's PID 1 say to each other.
//!
//! Both messages are cpio archives. The initramfs brings the job: the files it needs and [`JOB`], a
//! [`Job`] in JSON. PID 1 runs it on two consoles, writes an archive with [`REPORT`] and the files
//! that the job asked to have back to the virtio port named [`PORT`], and powers off. An archive
//! that is not there or is cut short says that the VM died.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use cpio::{NewcBuilder, NewcReader};
use serde::{Deserialize, Serialize};

/// Where PID 1 finds the job in its root file system.
pub const JOB: &str = "/job.json";
/// Name of the report in the archive that comes back.
pub const REPORT: &str = "report.json";
/// Name of the virtio port that takes the archive.
pub const PORT: &str = "fakemon.report";
/// The device that the job has as standard input and output.
pub const CONSOLE: &str = "/dev/hvc0";
/// The device that the job has as standard error.
pub const ERRORS: &str = "/dev/hvc1";

/// One program to run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The program's path and its arguments.
    pub argv: Vec<String>,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// Its working directory.
    pub cwd: String,
    /// Whether it reads the console; otherwise its standard input is empty.
    pub input: bool,
    /// Files to send back when it has ended; one that does not exist then is left out.
    pub returns: Vec<String>,
}

/// A file that comes back: its path in the host VM, and its content.
pub type Output = (String, Vec<u8>);

/// How the program ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Report {
    /// It exited with this code.
    Exit(i32),
    /// This signal killed it.
    Signal(i32),
    /// It could not be started, for this reason.
    NotStarted(String),
}

impl Report {
    /// The exit code that a shell would give for this end.
    pub fn code(&self) -> i32 {
        match self {
            Report::Exit(code) => *code,
            Report::Signal(signal) => 128 + signal,
            Report::NotStarted(_) => 127,
        }
    }
}

/// Writes the archive that PID 1 sends back: the report, then each file under its path.
///
/// # Errors
/// When the writer fails.
pub fn write_report(mut to: impl Write, report: &Report, files: &[Output]) -> io::Result<()> {
    let report = serde_json::to_vec(report).map_err(io::Error::other)?;
    let named = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    for (name, bytes) in [(REPORT, report.as_slice())].into_iter().chain(named) {
        let size = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let mut entry = NewcBuilder::new(name).mode(0o100_644).write(&mut to, size);
        entry.write_all(bytes)?;
        entry.finish()?;
    }
    cpio::newc::trailer(&mut to)?;
    to.flush()
}

/// Reads what [`write_report`] wrote; [`None`] when the archive is incomplete.
pub fn read_report(mut from: impl Read) -> Option<(Report, Vec<Output>)> {
    let mut report = None;
    let mut files = Vec::new();
    loop {
        let mut entry = NewcReader::new(from).ok()?;
        if entry.entry().is_trailer() {
            return Some((report?, files));
        }
        let name = entry.entry().name().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).ok()?;
        if name == REPORT {
            report = Some(serde_json::from_slice(&bytes).ok()?);
        } else {
            files.push((name, bytes));
        }
        from = entry.finish().ok()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive() -> Vec<u8> {
        let mut archive = Vec::new();
        let files = [("/trace.jsonl".to_owned(), b"{}\n".to_vec())];
        write_report(&mut archive, &Report::Exit(3), &files).expect("memory takes it");
        archive
    }

    #[test]
    fn a_report_comes_back_as_it_was_sent() {
        let (report, files) = read_report(archive().as_slice()).expect("complete");
        assert_eq!(report, Report::Exit(3));
        assert_eq!(files, [("/trace.jsonl".to_owned(), b"{}\n".to_vec())]);
    }

    #[test]
    fn a_report_cut_short_is_none() {
        let archive = archive();
        for length in [0, 1, 110, archive.len() / 2, archive.len() - 100] {
            assert_eq!(read_report(&archive[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        assert_eq!(Report::Exit(2).code(), 2);
        assert_eq!(Report::Signal(9).code(), 137);
        assert_eq!(Report::NotStarted(String::new()).code(), 127);
    }
}
