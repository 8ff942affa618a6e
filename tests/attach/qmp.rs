// SPDX-License-Identifier: Apache-2.0 OR MIT
//! QEMU's monitor for programs.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use fakemon_tests::watched::Watched;
use serde_json::{Value, json};

/// A connection to it.
#[derive(Debug)]
pub(crate) struct Qmp {
    lines: BufReader<UnixStream>,
}

impl Qmp {
    /// Connects to the socket that QEMU has been told to serve, when it does.
    pub(crate) fn connect(socket: &Path, qemu: &mut Watched) -> Result<Qmp, String> {
        let stream = loop {
            match UnixStream::connect(socket) {
                Ok(stream) => break stream,
                Err(_) => qemu.look()?,
            }
        };
        let mut qmp = Qmp {
            lines: BufReader::new(stream),
        };
        let greeting = qmp.line()?;
        if greeting.get("QMP").is_none() {
            return Err(format!("{greeting} is no greeting of QEMU's"));
        }
        qmp.execute("qmp_capabilities", &json!({}))?;
        Ok(qmp)
    }

    /// Executes a command, and returns what it returns.
    pub(crate) fn execute(&mut self, name: &str, arguments: &Value) -> Result<Value, String> {
        let command = json!({ "execute": name, "arguments": arguments });
        let stream = self.lines.get_mut();
        writeln!(stream, "{command}").map_err(|error| error.to_string())?;
        loop {
            let mut answer = self.line()?;
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            // What happens meanwhile comes in between.
            if answer.get("event").is_none() {
                return Err(format!("{name}: {answer}"));
            }
        }
    }

    /// Has the guest go to another QEMU, or to a file, and tells how that ended.
    pub(crate) fn migrate(&mut self, to: &str) -> Result<String, String> {
        self.execute("migrate", &json!({ "uri": to }))?;
        loop {
            let state = self.execute("query-migrate", &json!({}))?;
            let status = state["status"].as_str().unwrap_or_default();
            if matches!(status, "completed" | "failed" | "cancelled") {
                return Ok(status.to_owned());
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until the guest that comes from somewhere is there: what is typed before is lost with the
    /// console's state.
    pub(crate) fn wait_until_running(&mut self) -> Result<(), String> {
        loop {
            let state = self.execute("query-status", &json!({}))?;
            match state["status"].as_str().unwrap_or_default() {
                "running" => return Ok(()),
                "inmigrate" => thread::sleep(Duration::from_millis(100)),
                other => return Err(format!("the guest that was to come is {other}")),
            }
        }
    }

    fn line(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line);
        read.map_err(|error| error.to_string())?;
        serde_json::from_str(&line).map_err(|error| format!("QEMU says {line:?}: {error}"))
    }
}
