// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A line of a golden trace: which calls are meant by it.

use super::call::Call;

/// A call that must come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// As it is written.
    pub(super) text: String,
    /// Whether it stands for one or more such calls.
    pub(super) repeat: bool,
    /// Which call.
    pub(super) what: What,
    /// What comes back; nothing if it does not return.
    pub(super) results: Option<Registers>,
}

/// A function, and its arguments where these count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct What {
    /// The function.
    pub(super) name: String,
    /// Its arguments.
    pub(super) args: Option<Registers>,
}

/// What registers must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Registers(pub(super) Vec<Register>);

/// What one register must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Register {
    /// This value.
    Is(u64),
    /// Any value: `*`.
    Any,
    /// Any value, and so may all further ones: `...`.
    Rest,
}

impl Line {
    /// Reads `NAME(ARGS) = RESULTS` or `NAME(ARGS) does not return`.
    pub(super) fn parse(text: &str, repeat: bool) -> Option<Line> {
        let end = text.find(')')? + 1;
        let (what, rest) = text.split_at(end);
        let results = match rest.trim() {
            "does not return" => None,
            rest => Some(Registers::parse(rest.strip_prefix('=')?)?),
        };
        Some(Line {
            text: text.to_owned(),
            repeat,
            what: What::parse(what)?,
            results,
        })
    }

    /// Tells whether `call` is such a call.
    pub(super) fn matches(&self, call: &Call) -> bool {
        self.what.means(call)
            && match (&self.results, &call.results) {
                (Some(expected), Some(got)) => expected.hold(got),
                (None, None) => true,
                _ => false,
            }
    }
}

impl What {
    /// Reads `NAME` or `NAME(ARGS)`.
    pub(super) fn parse(text: &str) -> Option<What> {
        let (name, args) = match text.split_once('(') {
            None => (text, None),
            Some((name, args)) => (name, Some(Registers::parse(args.strip_suffix(')')?)?)),
        };
        let plain = !name.is_empty() && !name.contains([' ', ')', '=']);
        plain.then(|| What {
            name: name.to_owned(),
            args,
        })
    }

    /// Tells whether it is this call, whatever comes back.
    pub(super) fn means(&self, call: &Call) -> bool {
        let args = self.args.as_ref();
        self.name == call.name && args.is_none_or(|args| args.hold(&call.args))
    }
}

impl Registers {
    fn parse(text: &str) -> Option<Registers> {
        let items = text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty());
        items
            .map(Register::parse)
            .collect::<Option<_>>()
            .map(Registers)
    }

    /// Tells whether registers, without the zeros at the end, are such.
    pub(super) fn hold(&self, registers: &[u64]) -> bool {
        let mut registers = registers.iter();
        for expected in &self.0 {
            match (expected, registers.next()) {
                (Register::Rest, _) => return true,
                (Register::Any, Some(_)) => {}
                (Register::Is(value), got) if got == Some(value) => {}
                _ => return false,
            }
        }
        registers.next().is_none()
    }
}

impl Register {
    fn parse(text: &str) -> Option<Register> {
        match text {
            "*" => Some(Register::Any),
            "..." => Some(Register::Rest),
            _ => number(text).map(Register::Is),
        }
    }
}

/// A value as traces have it.
pub(super) fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}
