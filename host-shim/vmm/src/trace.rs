// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The call trace: one line for each firmware call, for people or as JSON.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{LineWriter, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use fakemon_manifest::Board;
use serde_json::{Value, json};

/// One call, served or not.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The CPU that made it.
    pub cpu: u32,
    /// When it was made, in nanoseconds of CLOCK_MONOTONIC.
    pub begin_ns: u64,
    /// When the guest went on, likewise.
    pub end_ns: u64,
    /// Registers that went in, from x0 or r0.
    pub args: &'a [u64],
    /// Registers that came out, from x0 or r0; empty if the call did not return to the guest.
    pub results: &'a [u64],
}

/// Writes the trace.
#[derive(Debug)]
pub struct Tracer {
    start_ns: u64,
    file: Option<Mutex<LineWriter<File>>>,
}

impl Tracer {
    /// A trace on standard error, or as JSON lines in a file, whose times count from `start_ns` of
    /// CLOCK_MONOTONIC.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn new(file: Option<&Path>, start_ns: u64) -> std::io::Result<Self> {
        let file = file.map(File::create).transpose()?;
        let file = file.map(|file| Mutex::new(LineWriter::new(file)));
        Ok(Tracer { start_ns, file })
    }

    /// Notes a call.
    pub fn call(&self, board: &Board, call: &Call<'_>) {
        match &self.file {
            Some(_) => self.json(&to_json(board, call, self.start_ns)),
            None => crate::say!("{}", to_line(board, call, self.start_ns)),
        }
    }

    /// Notes an event of the blob's own making, at `now_ns` of CLOCK_MONOTONIC.
    pub fn event(&self, cpu: u32, now_ns: u64, code: u64, args: [u64; 3]) {
        let t_ns = now_ns.saturating_sub(self.start_ns);
        match &self.file {
            Some(_) => self.json(&json!({"cpu": cpu, "t_ns": t_ns, "event": code, "args": args})),
            None => crate::say!("{} cpu{cpu} event {code:#x} {args:#x?}", seconds(t_ns)),
        }
    }

    fn json(&self, value: &Value) {
        if let Some(file) = &self.file {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            // A full disk must not stop the guest.
            let _full = writeln!(file, "{value}");
        }
    }
}

fn to_json(board: &Board, call: &Call<'_>, start_ns: u64) -> Value {
    json!({
        "cpu": call.cpu,
        "t_ns": call.begin_ns.saturating_sub(start_ns),
        "id": board.function_id(call.args),
        "name": board.function_name(call.args),
        "args": call.args,
        "results": call.results,
        "ns": call.end_ns.saturating_sub(call.begin_ns),
    })
}

fn to_line(board: &Board, call: &Call<'_>, start_ns: u64) -> String {
    let mut line = seconds(call.begin_ns.saturating_sub(start_ns));
    let name = match board.function_name(call.args) {
        Some(name) => name.to_owned(),
        None => format!("{:#010x}", board.function_id(call.args)),
    };
    let _ = write!(
        line,
        " cpu{} {name}({})",
        call.cpu,
        list(call.args.get(1..).unwrap_or(&[]))
    );
    let duration = call.end_ns.saturating_sub(call.begin_ns) / 1000;
    let _ = match call.results {
        [] => write!(line, " did not return"),
        results => write!(line, " = {} ({duration} us)", list(results)),
    };
    line
}

fn seconds(ns: u64) -> String {
    format!("[{:5}.{:06}]", ns / 1_000_000_000, ns / 1000 % 1_000_000)
}

/// Registers as text; zeros at the end say nothing.
fn list(registers: &[u64]) -> String {
    let used = registers
        .iter()
        .rposition(|&value| value != 0)
        .map_or(0, |last| last + 1);
    let shown = &registers[..used.max(usize::from(!registers.is_empty()))];
    shown
        .iter()
        .map(|value| format!("{value:#x}"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    const NAMES: &str = "[functions]\n\"0x84000000\" = \"PSCI_VERSION\"";

    /// When the trace begins.
    const START: u64 = 77_000;

    fn call<'a>(args: &'a [u64], results: &'a [u64]) -> Call<'a> {
        let begin_ns = START + 1_500_007_000;
        Call {
            cpu: 2,
            begin_ns,
            end_ns: begin_ns + 31_000,
            args,
            results,
        }
    }

    #[test]
    fn a_line_names_the_function_and_leaves_out_zeros() {
        let board = testing::board(NAMES);
        let known = call(&[0x8400_0000, 0, 0], &[0x1_0001, 0, 0, 0]);
        assert_eq!(
            to_line(&board, &known, START),
            "[    1.500007] cpu2 PSCI_VERSION(0x0) = 0x10001 (31 us)"
        );
        let unknown = call(&[0xc300_0001, 0, 7], &[]);
        assert_eq!(
            to_line(&board, &unknown, START),
            "[    1.500007] cpu2 0xc3000001(0x0, 0x7) did not return"
        );
    }

    #[test]
    fn json_has_every_register() {
        let board = testing::board(NAMES);
        let call = call(&[0x8400_0000, 0], &[0xffff_ffff_ffff_ffff, 0]);
        assert_eq!(
            to_json(&board, &call, START).to_string(),
            "{\"args\":[2214592512,0],\"cpu\":2,\"id\":2214592512,\"name\":\"PSCI_VERSION\",\"ns\":31000,\
             \"results\":[18446744073709551615,0],\"t_ns\":1500007000}"
        );
    }

    #[test]
    fn a_file_gets_one_json_value_for_each_line() {
        let path = std::env::temp_dir().join(format!("fakemon-trace-{}", std::process::id()));
        let tracer = Tracer::new(Some(&path), START).expect("a file");
        tracer.call(&testing::board(""), &call(&[1], &[2]));
        tracer.event(0, START, 5, [1, 2, 3]);
        let text = std::fs::read_to_string(&path).expect("written");
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(
            (lines.len(), &lines[0]["name"], &lines[1]["event"]),
            (2, &Value::Null, &json!(5))
        );
        std::fs::remove_file(&path).expect("removed");
    }
}
