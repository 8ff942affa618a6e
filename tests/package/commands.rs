// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What can be asked of the package before there is a guest.

use std::process::Command;

use serde_json::Value;

use crate::Test;
use crate::user::{BOARD, GROUP, User};

pub(crate) fn tests() -> Vec<(&'static str, Test)> {
    vec![
        ("a_stranger_is_told_which_group_to_join", a_stranger),
        ("a_member_is_told_that_guests_can_be_served", a_member),
        ("all_boards_are_listed_with_their_blobs", all_boards),
        (
            "a_board_that_is_not_there_is_a_mistake_of_the_users",
            no_such_board,
        ),
        ("a_wrong_command_line_names_both_ways", neither_way),
    ]
}

fn a_stranger(user: &User) -> Result<(), String> {
    let Some(command) = user.fakemon_of_a_stranger(&["check"]) else {
        return Ok(());
    };
    let text = says(command, 3)?;
    contains(&text, &["FAILS  KVM", &format!("the group {}", GROUP.0)])
}

fn a_member(user: &User) -> Result<(), String> {
    let text = says(user.fakemon(&["check", BOARD]), 0)?;
    println!("{text}");
    contains(
        &text,
        &[
            "ok     KVM",
            "ok     SMCCC filter",
            "ok     board virt: can run",
        ],
    )?;
    contains(
        &text,
        &["ok     library for other VMMs: ", "usr/lib/fakemon/"],
    )
}

fn all_boards(user: &User) -> Result<(), String> {
    let text = says(user.fakemon(&["boards"]), 0)?;
    println!("{text}");
    let json = says(user.fakemon(&["boards", "--json"]), 0)?;
    let json: Value = serde_json::from_str(&json).map_err(|error| format!("{json}: {error}"))?;
    let boards = json.as_array().ok_or("no array")?;
    if boards.len() != text.lines().count() || boards.is_empty() {
        return Err(format!(
            "{} boards and {} lines",
            boards.len(),
            text.lines().count()
        ));
    }
    let own = boards.iter().find(|board| board["name"] == BOARD);
    match own.and_then(|board| board["blob"].as_str()) {
        Some(blob) if blob.ends_with("/usr/lib/fakemon/blobs/virt.elf") => Ok(()),
        other => Err(format!("{BOARD} has the blob {other:?}")),
    }
}

fn no_such_board(user: &User) -> Result<(), String> {
    let text = says(
        user.fakemon(&["run", "nobodys", "--kernel", "/dev/null"]),
        2,
    )?;
    contains(&text, &["there is no board nobodys", "`fakemon boards`"])
}

fn neither_way(user: &User) -> Result<(), String> {
    let text = says(user.fakemon(&["attach", "--", "qemu-system-aarch64"]), 2)?;
    contains(&text, &["--board <NAME>", "--blob <FILE>"])
}

/// What a command prints that ends with this code.
fn says(mut command: Command, code: i32) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    match output.status.code() == Some(code) {
        true => Ok(text),
        false => Err(format!("{}, not {code}:\n{text}", output.status)),
    }
}

fn contains(text: &str, words: &[&str]) -> Result<(), String> {
    match words.iter().find(|words| !text.contains(**words)) {
        None => Ok(()),
        Some(words) => Err(format!("there is no {words:?} in:\n{text}")),
    }
}
