// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A program that a guest runs in, watched through what it prints.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use fakemon_launch::log;

/// After this time a boot hangs. One takes about 15 s, and a machine with fifteen other things to do
/// makes that minutes.
pub const TIMEOUT: Duration = Duration::from_secs(900);

/// A running program; dropping it kills it.
#[derive(Debug)]
pub struct Watched {
    child: Child,
    output: Receiver<Vec<u8>>,
    console: Vec<u8>,
    born: Instant,
}

impl Watched {
    /// Starts it, with nothing to read.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(command: &mut Command) -> Result<Watched, String> {
        Watched::start_with(command, Stdio::null())
    }

    /// Starts it, with a keyboard.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_typing(command: &mut Command) -> Result<Watched, String> {
        Watched::start_with(command, Stdio::piped())
    }

    fn start_with(command: &mut Command, input: Stdio) -> Result<Watched, String> {
        let child = command
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|error| {
            format!("cannot start {}: {error}", command.get_program().display())
        })?;
        let (sender, output) = channel();
        let copy = |mut from: Box<dyn Read + Send>| {
            let sender = sender.clone();
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = from.read(&mut buffer) {
                    if sender.send(buffer[..count].to_vec()).is_err() {
                        return;
                    }
                }
            });
        };
        copy(Box::new(child.stdout.take().ok_or("no standard output")?));
        copy(Box::new(child.stderr.take().ok_or("no standard error")?));
        Ok(Watched {
            child,
            output,
            console: Vec::new(),
            born: Instant::now(),
        })
    }

    /// How long it has been running.
    pub fn age(&self) -> Duration {
        self.born.elapsed()
    }

    /// Everything that it has printed so far.
    pub fn console(&self) -> String {
        String::from_utf8_lossy(&self.console).replace('\r', "")
    }

    /// Types a line.
    ///
    /// # Errors
    /// It has no keyboard, or has ended.
    pub fn type_line(&mut self, line: &str) -> Result<(), String> {
        let keyboard = self.child.stdin.as_mut().ok_or("no standard input")?;
        writeln!(keyboard, "{line}").map_err(|error| error.to_string())
    }

    /// Takes what it has printed, if something comes within a moment.
    ///
    /// # Errors
    /// It has ended, or hangs.
    pub fn look(&mut self) -> Result<(), String> {
        match self.output.recv_timeout(Duration::from_millis(100)) {
            Ok(bytes) => self.console.extend(bytes),
            Err(RecvTimeoutError::Timeout) if self.age() < TIMEOUT => {}
            Err(_) => return Err(format!("it is no use waiting:\n{}", self.console())),
        }
        Ok(())
    }

    /// Waits until it ends by itself; returns its exit code.
    ///
    /// # Errors
    /// It does not end.
    pub fn wait(&mut self) -> Result<Option<i32>, String> {
        while self.read()? {}
        let status = self.child.wait().map_err(|error| error.to_string())?;
        Ok(status.code())
    }

    /// Waits until what it prints has matched a pattern `times` times.
    ///
    /// # Errors
    /// It ends, or hangs, before that.
    pub fn wait_for(&mut self, times: usize, pattern: &str) -> Result<(), String> {
        let regex = log::compile(pattern)?;
        while regex.find_iter(&self.console()).count() < times {
            if !self.read()? {
                let console = self.console();
                return Err(format!(
                    "it ended before /{pattern}/ came {times} times:\n{console}"
                ));
            }
        }
        Ok(())
    }

    /// Takes more output; false when there is none to come.
    fn read(&mut self) -> Result<bool, String> {
        match self.output.recv_timeout(TIMEOUT.saturating_sub(self.age())) {
            Ok(bytes) => {
                self.console.extend(bytes);
                Ok(true)
            }
            Err(RecvTimeoutError::Disconnected) => Ok(false),
            Err(RecvTimeoutError::Timeout) => Err(format!(
                "the guest hangs; its console was:\n{}",
                self.console()
            )),
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // It has ended already in most cases.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
