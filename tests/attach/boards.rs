// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A real board's firmware and pages in QEMU's machine virt, which has neither: the kernel's own drivers
//! take it for that board, with the device tree that `fakemon dt` makes of QEMU's.

use std::path::PathBuf;
use std::process::Command;

use fakemon_launch::{assets, log};
use fakemon_manifest::Board;
use fakemon_tests::watched::Watched;

use crate::Test;
use crate::qemu::Qemu;

/// The board: one whose drivers want registers as well as firmware.
const BOARD: &str = "zynqmp";

pub(crate) fn tests() -> Vec<(&'static str, Test)> {
    vec![
        ("a_board_is_there_on_qemus_machine", with_pages),
        ("a_board_without_its_pages_lacks_registers", without_pages),
        ("a_board_without_attach_lacks_firmware", without),
    ]
}

/// Everything that the board shows on the reference VMM.
fn with_pages(qemu: &Qemu) -> Result<(), String> {
    let (board, tree) = (board(qemu)?, tree(qemu, "with-pages")?);
    let mut command = qemu.attach(&["--board", BOARD, "--pages"]);
    command.arg(qemu.alone("").get_program());
    let console = ends(command.args(arguments(qemu, &board, tree)))?;
    if let Some(missing) = log::missing(&board.guest.expect, &console)? {
        return Err(format!("no /{missing}/; the console was:\n{console}"));
    }
    match log::found(&board.guest.unexpected, &console)? {
        Some(found) => Err(format!("/{found}/ is there; the console was:\n{console}")),
        None => Ok(()),
    }
}

/// Firmware is served, but the transceivers' PLL does not lock.
fn without_pages(qemu: &Qemu) -> Result<(), String> {
    let (board, tree) = (board(qemu)?, tree(qemu, "without-pages")?);
    let mut command = qemu.attach(&["--board", BOARD]);
    command.arg(qemu.alone("").get_program());
    let mut guest = Watched::start(command.args(arguments(qemu, &board, tree)))?;
    guest.wait_for(1, r"check: rate-iopll ok")?;
    guest.wait_for(1, r"check: usb-bound FAILED")
}

/// The same machine and tree, and the board's own counter-proof: KVM does not know these calls either.
fn without(qemu: &Qemu) -> Result<(), String> {
    let (board, tree) = (board(qemu)?, tree(qemu, "alone")?);
    let mut command = Command::new(qemu.alone("").get_program());
    let mut guest = Watched::start(command.args(arguments(qemu, &board, tree)))?;
    guest.wait_for(1, r"check: rate-iopll FAILED")
}

fn board(qemu: &Qemu) -> Result<Board, String> {
    Board::load(&qemu.path(&assets::board_dir(BOARD))).map_err(|error| error.to_string())
}

/// QEMU's device tree with what the board has.
fn tree(qemu: &Qemu, name: &str) -> Result<PathBuf, String> {
    let dir = std::env::temp_dir();
    let (own, with_board) = (
        dir.join(format!("{name}-own.dtb")),
        dir.join(format!("{name}.dtb")),
    );
    let mut dump = qemu.alone("");
    dump.arg("-machine")
        .arg(format!("dumpdtb={}", own.display()));
    succeeds(&mut dump)?;
    let mut merge = Command::new(qemu.path(assets::FAKEMON));
    merge.args(["dt", "--board", BOARD]);
    succeeds(merge.arg(own).arg(&with_board))?;
    Ok(with_board)
}

/// QEMU's command line for a boot of the board's own guest.
fn arguments(qemu: &Qemu, board: &Board, tree: PathBuf) -> Vec<std::ffi::OsString> {
    let words = format!("{} fakemon.cpus=2 quiet", board.guest.append);
    let mut arguments = qemu.boots(&assets::initrd(BOARD), &words);
    arguments.extend(["-dtb".into(), tree.into()]);
    arguments
}

/// Waits for the guest's end, and returns its console.
fn ends(command: &mut Command) -> Result<String, String> {
    let mut guest = Watched::start(command)?;
    let code = guest.wait()?;
    let console = guest.console();
    match code {
        Some(0) => Ok(console),
        _ => Err(format!(
            "QEMU ended with {code:?}; the console was:\n{console}"
        )),
    }
}

fn succeeds(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{command:?} ended with {:?}: {said}",
            output.status
        )),
    }
}
