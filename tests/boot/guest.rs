// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest in the reference VMM, watched through its console.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fakemon_host::Policy;
use fakemon_launch::{Launch, assets as launch_assets, env, log};
use fakemon_manifest::{Arch, Board, TestKind};

use crate::assets::Assets;

/// After this time a boot hangs. One takes about 15 s, and a machine with fifteen other things to do
/// makes that minutes.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(900);

/// Held by a 32-bit guest: an emulated host can run only one that has several CPUs
/// (docs/decisions/0005-emulated-32-bit.md).
static ONLY_32_BIT: Mutex<()> = Mutex::new(());

/// A running `fakemon`; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Guest {
    child: Child,
    output: Receiver<Vec<u8>>,
    console: Vec<u8>,
    born: Instant,
    // Last, so that the guest is gone when the next one starts.
    _only: Option<MutexGuard<'static, ()>>,
}

impl Guest {
    /// Boots the board's kernel, or what replays its calls, with its SMCs answered by `blobs`, or by
    /// nobody, more options for fakemon, and words for the kernel's command line.
    pub(crate) fn start(
        assets: &Assets,
        board: &Board,
        blobs: &[String],
        options: &[&str],
        words: &str,
    ) -> Result<Guest, String> {
        let alone = board.guest.arch == Arch::Armhf;
        let only = alone.then(|| ONLY_32_BIT.lock().unwrap_or_else(PoisonError::into_inner));
        let mut command = command(assets, board, blobs, options, words);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|error| format!("cannot start fakemon: {error}"))?;

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
        Ok(Guest {
            child,
            output,
            console: Vec::new(),
            born: Instant::now(),
            _only: only,
        })
    }

    /// How long it has been running.
    pub(crate) fn age(&self) -> Duration {
        self.born.elapsed()
    }

    /// Everything that the guest and fakemon have printed so far.
    pub(crate) fn console(&self) -> String {
        String::from_utf8_lossy(&self.console).replace('\r', "")
    }

    /// Waits until fakemon ends by itself; returns its exit code.
    pub(crate) fn wait(&mut self) -> Result<Option<i32>, String> {
        while self.read()? {}
        let status = self.child.wait().map_err(|error| error.to_string())?;
        Ok(status.code())
    }

    /// Waits until the console has matched a pattern `times` times.
    pub(crate) fn wait_for(&mut self, times: usize, pattern: &str) -> Result<(), String> {
        let regex = log::compile(pattern)?;
        while regex.find_iter(&self.console()).count() < times {
            if !self.read()? {
                let console = self.console();
                return Err(format!(
                    "fakemon ended before /{pattern}/ came {times} times:\n{console}"
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

impl Drop for Guest {
    fn drop(&mut self) {
        // It has ended already in most cases.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// fakemon's command line for a boot of the board's kernel, or of what replays its calls, with its SMCs
/// answered by `blobs`, or by nobody, more options for fakemon, and words for the kernel's command line.
pub(crate) fn command(
    assets: &Assets,
    board: &Board,
    blobs: &[String],
    options: &[&str],
    words: &str,
) -> Command {
    let smc = if blobs.is_empty() {
        Policy::Deny
    } else {
        Policy::Blob
    };
    let path = |name: String| assets.path(name).display().to_string();
    let board_dir = path(launch_assets::board_dir(&board.name));
    let mut launch = Launch::new(board, board_dir, smc);
    launch.host_vm = assets.host_vm();
    // Which engine is to be tested; without a word it is fakemon's choice.
    launch.engine = env::engine().expect("a choice of engine");
    launch.words = words.split(' ').map(str::to_owned).collect();
    let mut file = |option, name| launch.files.push((option, path(name)));
    for blob in blobs {
        file("--blob", blob.clone());
    }
    if board.test == TestKind::Replay {
        file("--kernel", launch_assets::replay(&board.name));
    } else {
        file("--kernel", launch_assets::kernel(board));
        file("--initrd", launch_assets::initrd(&board.name));
    }
    if let Some(dtb) = launch_assets::dtb(board) {
        file("--dtb", dtb);
    }
    let mut command = Command::new(assets.path(launch_assets::FAKEMON));
    command.args(launch.arguments()).args(options);
    command
}
