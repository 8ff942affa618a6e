// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest that goes to another QEMU: with what its firmware remembers, or not at all.

use std::path::PathBuf;
use std::process::Command;

use fakemon_tests::watched::Watched;
use serde_json::json;

use crate::Test;
use crate::qemu::{BOARD, Qemu};
use crate::qmp::Qmp;
use crate::served::shows;

/// The guest does one half of its checks on either side.
const WORDS: &str = "fakemon.checks=nproc,board,hotplug,entropy fakemon.cpus=2 fakemon.move quiet";

pub(crate) fn tests() -> Vec<(&'static str, Test)> {
    vec![
        ("a_running_guest_moves_to_another_qemu", moves),
        ("a_saved_guest_is_refused_without_its_blob", saved),
    ]
}

/// A file of this test's own.
fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("attach-{name}-{}", std::process::id()))
}

/// A QEMU with its monitor.
fn start(mut command: Command, name: &str) -> Result<(Watched, Qmp), String> {
    let socket = file(name);
    let option = format!("unix:{},server=on,wait=off", socket.display());
    let mut guest = Watched::start_typing(command.args(["-qmp", &option]))?;
    let qmp = Qmp::connect(&socket, &mut guest)?;
    Ok((guest, qmp))
}

fn attached(qemu: &Qemu) -> Command {
    qemu.attached(&["--board", BOARD], WORDS)
}

/// One that can be moved.
fn source(qemu: &Qemu, name: &str) -> Result<(Watched, Qmp), String> {
    let (mut guest, qmp) = start(attached(qemu), name)?;
    guest.wait_for(1, "ready to move")?;
    Ok((guest, qmp))
}

fn completes(ended: &str, console: &str) -> Result<(), String> {
    match ended {
        "completed" => Ok(()),
        _ => Err(format!("the move {ended}:\n{console}")),
    }
}

/// The guest has come, and goes on to its end.
fn goes_on(mut new: Watched) -> Result<(), String> {
    new.type_line("")?;
    let code = new.wait()?;
    let console = new.console();
    if code != Some(0) {
        return Err(format!("QEMU ended with {code:?}:\n{console}"));
    }
    shows(
        &console,
        &[
            "check: moved ok",
            "check: hotplug ok",
            r"check: entropy ok \(smccc_trng ",
            r"checks: \d ok, 0 failed",
        ],
    )
}

/// While it runs: both CPUs go on, and the firmware knows that they are on.
fn moves(qemu: &Qemu) -> Result<(), String> {
    let (_old, mut old_qmp) = source(qemu, "old")?;
    let mut command = attached(qemu);
    command.args(["-incoming", "defer"]);
    let (new, mut new_qmp) = start(command, "new")?;
    let way = format!("unix:{}", file("way").display());
    new_qmp.execute("migrate-incoming", &json!({ "uri": way }))?;
    completes(&old_qmp.migrate(&way)?, &new.console())?;
    goes_on(new)
}

/// In a file, as a snapshot has it, which is taken with the blob alone.
fn saved(qemu: &Qemu) -> Result<(), String> {
    let (mut old, mut qmp) = source(qemu, "saves")?;
    let from = format!("file:{}", file("saved").display());
    // A guest that has been stopped before would be so on the other side.
    completes(&qmp.migrate(&from)?, &old.console())?;
    qmp.execute("quit", &json!({}))?;
    old.wait()?;
    let mut command = qemu.alone(WORDS);
    let mut without = Watched::start(command.args(["-incoming", &from]))?;
    let code = without.wait()?;
    let console = without.console();
    if code == Some(0) || !console.contains("load of migration failed") {
        return Err(format!("{code:?}, which is no refusal:\n{console}"));
    }
    let mut command = attached(qemu);
    command.args(["-incoming", &from]);
    let (new, mut qmp) = start(command, "loads")?;
    qmp.wait_until_running()?;
    // It has as many bytes as the guest has RAM.
    std::fs::remove_file(file("saved")).map_err(|error| error.to_string())?;
    goes_on(new)
}
