// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A call of a boot, as fakemon's trace has it.

use std::fmt;

use fakemon_manifest::standard;
use serde_json::Value;

/// One call and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// Its function ID.
    pub(super) id: u64,
    /// Its name, or its function ID where it has none.
    pub(super) name: String,
    /// Whether the board gives it its name, rather than a standard or nobody.
    pub(super) is_boards_own: bool,
    /// Registers from the second on, without the zeros at the end.
    pub(super) args: Vec<u64>,
    /// Registers from the first on, likewise; none if it did not return.
    pub(super) results: Option<Vec<u64>>,
}

impl Call {
    /// The calls of a trace, in order of time; its events are left out.
    pub(super) fn parse_all(trace: &str) -> Result<Vec<Call>, String> {
        let mut calls = Vec::new();
        for line in trace.lines() {
            let call: Value =
                serde_json::from_str(line).map_err(|error| format!("bad trace: {error}"))?;
            if call.get("event").is_none() {
                calls.push((call["t_ns"].as_u64(), Call::new(&call)));
            }
        }
        // A call is written when it is over, but counts from when it was made.
        calls.sort_by_key(|(time, _)| *time);
        Ok(calls.into_iter().map(|(_, call)| call).collect())
    }

    fn new(call: &Value) -> Call {
        let id = call["id"].as_u64().unwrap_or_default();
        let name = call["name"].as_str();
        let results = registers(&call["results"]);
        Call {
            id,
            name: name.map_or_else(|| format!("{id:#x}"), str::to_owned),
            is_boards_own: name.is_some() && name != standard::function_name(id),
            args: used(registers(&call["args"]).get(1..).unwrap_or_default()),
            results: (!results.is_empty()).then(|| used(&results)),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name, list(&self.args))?;
        match &self.results {
            None => f.write_str(" does not return"),
            Some(results) => write!(f, " = {}", list(results)),
        }
    }
}

fn registers(value: &Value) -> Vec<u64> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_u64)
        .collect()
}

/// Registers without the zeros at the end.
fn used(registers: &[u64]) -> Vec<u64> {
    let last = registers.iter().rposition(|&value| value != 0);
    registers[..last.map_or(0, |last| last + 1)].to_vec()
}

/// Registers as text.
pub(super) fn list(registers: &[u64]) -> String {
    let texts: Vec<String> = registers
        .iter()
        .map(|value| format!("{value:#x}"))
        .collect();
    texts.join(", ")
}
