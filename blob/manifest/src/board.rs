// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The whole of a `board.toml`, and the names of a board's functions for traces.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::demo::Demo;
use crate::guest::{Arch, Guest};
use crate::machine::Machine;
use crate::note::{Note, Window};
use crate::register::Register;
use crate::{number, standard};

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
    /// Names of the board's own functions by function ID, which the board's source has as constants;
    /// those of [`standard`] are known.
    #[serde(default, deserialize_with = "number::keyed")]
    pub functions: BTreeMap<u64, String>,
    /// Where a call's function ID is.
    #[serde(default)]
    pub function_id: FunctionIdRule,
    /// The hardware.
    pub machine: Machine,
    /// The kernel.
    pub guest: Guest,
    /// What it shows besides, each with a kernel of its own.
    #[serde(default, rename = "demo")]
    pub demos: Vec<Demo>,
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

impl Default for FunctionIdRule {
    fn default() -> Self {
        FunctionIdRule {
            registers: vec![Register(0)],
        }
    }
}

impl Board {
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
