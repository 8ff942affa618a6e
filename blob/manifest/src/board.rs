// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The whole of a `board.toml`, and the names of a board's functions for traces.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::error::ManifestError;
use crate::guest::{Arch, Guest};
use crate::machine::Machine;
use crate::note::{Note, Window};
use crate::replay::Replay;
use crate::{check, number, standard, text};

/// A board, read from its directory and checked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Board {
    /// Its name, which is its directory's.
    pub name: String,
    /// One line on what it is.
    pub description: String,
    /// Where the facts come from.
    pub sources: Vec<String>,
    /// The families of firmware interfaces that it serves, such as `A2`.
    pub families: Vec<String>,
    /// How it is tested.
    pub test: TestKind,
    /// What its blob claims.
    pub note: Note,
    /// Names of the board's own functions by function ID; those of PSCI and TRNG are known.
    #[serde(default, deserialize_with = "number::keyed")]
    pub functions: BTreeMap<u64, String>,
    /// Where a call's function ID is.
    #[serde(default)]
    pub function_id: FunctionIdRule,
    /// The hardware.
    pub machine: Machine,
    /// The kernel.
    pub guest: Guest,
}

/// How a board is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TestKind {
    /// By a driver of the guest kernel.
    Driver,
    /// By replaying the calls of a kernel's source, which `replay.toml` lists.
    Replay,
}

/// Where a call carries its function ID: the first of these registers whose value has a name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FunctionIdRule {
    /// Registers, tried in order.
    pub registers: Vec<Register>,
}

/// A general-purpose register by number, written as `r12` or `x12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Register(pub u8);

impl Default for FunctionIdRule {
    fn default() -> Self {
        FunctionIdRule {
            registers: vec![Register(0)],
        }
    }
}

impl TryFrom<String> for Register {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.strip_prefix(['r', 'x'])
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .filter(|&number| usize::from(number) < fakemon_abi::frame::REGS)
            .map(Register)
            .ok_or_else(|| format!("{text:?} is not a register, write r0 to r12 or x0 to x17"))
    }
}

impl Board {
    /// Reads and checks the `board.toml` in directory `dir`, whose last part must be the board's
    /// name, and with it the `replay.toml` of a board that is tested by one.
    ///
    /// # Errors
    /// A file cannot be read, is not of the schema, or contradicts itself.
    pub fn load(dir: &Path) -> Result<Board, ManifestError> {
        let path = dir.join("board.toml");
        let text = text::read(&path).map_err(|source| ManifestError::Read {
            path: path.clone(),
            source,
        })?;
        // A relative path such as "." has no last part of its own.
        let whole = dir
            .canonicalize()
            .map_err(|source| ManifestError::Read { path, source })?;
        let name = whole.file_name().unwrap_or_default().to_string_lossy();
        let board = Board::parse(&text, &name)?;
        if board.test == TestKind::Replay {
            Replay::load(dir)?;
        }
        Ok(board)
    }

    /// Reads and checks the text of a `board.toml` that lies in a directory called `dir_name`.
    ///
    /// # Errors
    /// The text is not of the schema, or contradicts itself.
    pub fn parse(text: &str, dir_name: &str) -> Result<Board, ManifestError> {
        let board: Board = toml::from_str(text).map_err(|source| ManifestError::Syntax {
            board: dir_name.to_owned(),
            source: Box::new(source),
        })?;
        check::board(&board, dir_name)?;
        Ok(board)
    }

    /// The most bytes of RAM that the machine can have; a 32-bit kernel reaches 4 GiB.
    pub fn memory_limit(&self) -> u64 {
        let limit = self.machine.memory_limit();
        match self.guest.arch {
            Arch::Arm64 => limit,
            Arch::Armhf => limit.min((1_u64 << 32).saturating_sub(self.machine.ram_base)),
        }
    }

    /// The function ID that a call carries in `regs` (x0 or r0 first), 32 bits.
    ///
    /// Without a named one it is the first register's that [`FunctionIdRule`] lists.
    pub fn function_id(&self, regs: &[u64]) -> u64 {
        let mut ids = self.ids(regs);
        let first = ids.next();
        first
            .into_iter()
            .chain(ids)
            .find(|&id| self.name(id).is_some())
            .or(first)
            .unwrap_or(0)
    }

    /// The name of the function that `regs` (x0 or r0 first) call, if the board gives it one.
    pub fn function_name(&self, regs: &[u64]) -> Option<&str> {
        self.ids(regs).find_map(|id| self.name(id))
    }

    /// The board's name for a function ID, or else the standard's if the board follows SMCCC.
    fn name(&self, id: u64) -> Option<&str> {
        let own = self.functions.get(&id).map(String::as_str);
        let smccc = self.note.window != Window::Legacy32;
        own.or_else(|| standard::function_name(id).filter(|_| smccc))
    }

    fn ids<'a>(&'a self, regs: &'a [u64]) -> impl Iterator<Item = u64> + 'a {
        let value = |register: &Register| regs.get(usize::from(register.0)).copied();
        self.function_id
            .registers
            .iter()
            .filter_map(value)
            .map(|id| id & 0xffff_ffff)
    }
}

#[cfg(test)]
pub(crate) mod tests;
