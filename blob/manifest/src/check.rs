// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the schema alone cannot say: values that each are well-formed and together make no sense.

mod demo;
mod machine;
mod note;
mod replay;

use crate::board::{Board, TestKind};
use crate::error::ManifestError;
use crate::family;
use crate::guest::Guest;
use crate::text::{is_constant, is_name};

/// The most characters of a node's path: none has more than a kernel's names of devices.
const MAX_PATH: usize = 1024;

pub(crate) use replay::call;

/// A dotted key and what is wrong with its value.
type Fault = (String, String);

pub(crate) fn board(board: &Board, dir_name: &str) -> Result<(), ManifestError> {
    head(board, dir_name)
        .and_then(|()| note::note(&board.note))
        .and_then(|()| function_id(board))
        .and_then(|()| machine::machine(&board.machine))
        .and_then(|()| guest(board))
        .and_then(|()| replay::guest(board))
        .and_then(|()| demo::demos(board))
        .map_err(|(field, problem)| ManifestError::Invalid {
            board: dir_name.to_owned(),
            field,
            problem,
        })
}

/// Fails with `problem` about `field` unless `good`.
fn ensure(good: bool, field: impl Into<String>, problem: impl Into<String>) -> Result<(), Fault> {
    if good {
        Ok(())
    } else {
        Err((field.into(), problem.into()))
    }
}

/// What [`is_plain`] takes.
const PLAIN: &str = "has 1 to 31 lower-case letters, digits and hyphens";

/// Tells whether a name can be a directory's and a word of a command line.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.len() < 32 && name.bytes().all(plain)
}

fn head(board: &Board, dir_name: &str) -> Result<(), Fault> {
    let name = &board.name;
    ensure(
        name == dir_name,
        "name",
        format!("is {name:?}, but the directory is called {dir_name:?}: make them equal"),
    )?;
    ensure(is_plain(name), "name", PLAIN)?;
    let description = board.description.trim();
    ensure(
        is_name(description),
        "description",
        "is one line of at most 100 characters that says what the board is",
    )?;
    ensure(
        !board.sources.is_empty(),
        "sources",
        "name at least one document or source file",
    )?;
    ensure(
        !board.families.is_empty(),
        "families",
        "name at least one family, such as \"A2\"",
    )?;
    for id in &board.families {
        ensure(
            family::find(id).is_some(),
            "families",
            format!("{id:?} is no family (docs/boards.md lists them)"),
        )?;
    }
    listed_once("families", &board.families)
}

fn function_id(board: &Board) -> Result<(), Fault> {
    let registers = &board.function_id.registers;
    ensure(
        !registers.is_empty(),
        "function-id.registers",
        "names at least one register",
    )?;
    let (inputs, _) = board.note.window.registers();
    for register in registers {
        ensure(
            u16::from(register.0) < inputs,
            "function-id.registers",
            format!(
                "register {} lies outside the window, which has {inputs}",
                register.0
            ),
        )?;
    }
    for (id, name) in &board.functions {
        let field = || format!("functions.\"{id:#x}\"");
        ensure(
            *id <= u64::from(u32::MAX),
            field(),
            "is not a 32-bit function ID",
        )?;
        ensure(
            is_constant(name),
            field(),
            "is a name of 1 to 100 capital letters, digits and underscores with a letter in front, \
             as a constant has it",
        )?;
    }
    Ok(())
}

fn guest(board: &Board) -> Result<(), Fault> {
    let guest: &Guest = &board.guest;
    ensure(
        board.note.callers.contains(&guest.arch.width()),
        "guest.arch",
        format!(
            "is {:?}, whose calls note.callers does not let in",
            guest.arch.as_str()
        ),
    )?;
    ensure(
        !guest.kernel.is_empty(),
        "guest.kernel",
        "names a Debian package",
    )?;
    ensure(
        board.test != TestKind::Driver || guest.expect.iter().any(|line| line.kernel.is_none()),
        "guest.expect",
        "names at least one line that the log of a \"driver\" test shows, with any kernel",
    )?;
    ensure(
        guest.expect_arch.is_empty() || board.note.claims_architecture(),
        "guest.expect-arch",
        "is for a blob that claims Arm architecture calls, such as 0x80000000: see note.ranges",
    )?;
    ensure(
        guest.reboots || guest.reset.is_empty(),
        "guest.reset",
        "says what a reset shows, but none is tested: add `reboots = true`",
    )?;
    for (at, change) in guest.dt.iter().enumerate() {
        let field = format!("guest.dt[{at}]");
        let printable = change.path.bytes().all(|byte| byte.is_ascii_graphic());
        ensure(
            change.path.starts_with('/') && !change.path.contains("//") && printable,
            format!("{field}.path"),
            format!(
                "{:?} is not a full path such as \"/soc/serial@0\"",
                change.path
            ),
        )?;
        ensure(
            change.path.len() <= MAX_PATH,
            format!("{field}.path"),
            format!("has more than {MAX_PATH} characters"),
        )?;
        let changes = !change.set.is_empty() || !change.delete.is_empty();
        ensure(
            !(change.remove && changes),
            field.clone(),
            "removes the node and changes it as well",
        )?;
        ensure(
            change.path != "/" || !change.remove,
            field,
            "removes the whole tree",
        )?;
    }
    Ok(())
}

/// Refuses an empty list and one that names something twice.
fn listed_once<T: PartialEq>(field: &str, list: &[T]) -> Result<(), Fault> {
    ensure(!list.is_empty(), field, "names at least one")?;
    let twice = list
        .iter()
        .enumerate()
        .any(|(at, item)| list[..at].contains(item));
    ensure(!twice, field, "names one twice")
}
