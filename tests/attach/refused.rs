// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What cannot be served is said in one line, and nothing is started.

use std::process::Command;

use fakemon_launch::assets;

use crate::Test;
use crate::qemu::{BOARD, Qemu};

pub(crate) fn tests() -> Vec<(&'static str, Test)> {
    vec![
        ("a_static_program_is_refused", a_static_program),
        ("a_qemu_that_emulates_is_refused", a_qemu_that_emulates),
        ("a_board_of_another_width_is_refused", another_width),
        ("a_board_that_is_not_installed_is_refused", no_such_board),
        (
            "a_library_with_a_wrong_setting_makes_no_vm",
            a_wrong_setting,
        ),
    ]
}

fn a_static_program(qemu: &Qemu) -> Result<(), String> {
    let mut command = qemu.attach(&["--board", BOARD]);
    command.arg(qemu.path(assets::FAKEMON)).arg("--version");
    says(&mut command, 3, "is linked statically")
}

fn a_qemu_that_emulates(qemu: &Qemu) -> Result<(), String> {
    let mut command = qemu.attach(&["--board", BOARD]);
    let arguments = qemu.arguments("");
    let without = arguments
        .iter()
        .filter(|word| *word != "-accel" && *word != "kvm");
    command.arg(qemu.alone("").get_program()).args(without);
    says(&mut command, 2, "-accel kvm")
}

fn another_width(qemu: &Qemu) -> Result<(), String> {
    says(
        &mut qemu.attached(&["--board", "midway"], ""),
        2,
        "aarch64=off",
    )
}

fn no_such_board(qemu: &Qemu) -> Result<(), String> {
    says(
        &mut qemu.attached(&["--board", "nobodys"], ""),
        2,
        "--blob FILE",
    )
}

/// The VMM says that there is no VM, and the library why.
fn a_wrong_setting(qemu: &Qemu) -> Result<(), String> {
    let mut command = qemu.preloaded("");
    command.env("FAKEMON_ENGINE", "steam");
    says(&mut command, 1, "FAKEMON_ENGINE: unknown engine")
}

/// The program ends with this code, after a line of ours with these words.
fn says(command: &mut Command, code: i32, words: &str) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stderr);
    let mut lines = text.lines().filter(|line| line.starts_with("fakemon: "));
    let line = lines.next().unwrap_or_default();
    if output.status.code() != Some(code) || !line.contains(words) || lines.next().is_some() {
        return Err(format!(
            "{:?}, not {code} and one line with {words:?}:\n{text}",
            output.status
        ));
    }
    Ok(())
}
