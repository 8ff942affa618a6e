// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The trace: each call as a line of JSON, of the form that `fakemon run --trace` writes.

use std::fs::File;
use std::io::{LineWriter, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use fakemon_host::{CallRecord, monotonic_ns};
use fakemon_manifest::Board;
use fakemon_manifest::standard::function_name;
use serde_json::{Value, json};

/// Where it goes.
#[derive(Debug)]
pub(crate) struct Trace {
    file: Mutex<LineWriter<File>>,
    /// Who knows the names of the board's own functions.
    board: Option<Board>,
    start_ns: u64,
}

impl Trace {
    pub(crate) fn new(path: &Path, board: Option<Board>) -> std::io::Result<Trace> {
        Ok(Trace {
            file: Mutex::new(LineWriter::new(File::create(path)?)),
            board,
            start_ns: monotonic_ns(),
        })
    }

    /// Notes a call that is over.
    pub(crate) fn call(&self, cpu: u32, call: &CallRecord) {
        let args = &call.before[..call.inputs.max(1)];
        let results = match call.returned {
            true => &call.after[..call.outputs],
            false => &[],
        };
        let (id, name) = match &self.board {
            Some(board) => (board.function_id(args), board.function_name(args)),
            None => (call.function.into(), function_name(call.function.into())),
        };
        self.write(&json!({
            "cpu": cpu,
            "t_ns": call.begin_ns.saturating_sub(self.start_ns),
            "id": id,
            "name": name,
            "args": args,
            "results": results,
            "ns": call.end_ns.saturating_sub(call.begin_ns),
        }));
    }

    /// Notes an event of the blob's own making.
    pub(crate) fn event(&self, cpu: u32, code: u64, args: [u64; 3]) {
        let t_ns = monotonic_ns().saturating_sub(self.start_ns);
        self.write(&json!({"cpu": cpu, "t_ns": t_ns, "event": code, "args": args}));
    }

    fn write(&self, value: &Value) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk must not stop the guest.
        let _full = writeln!(file, "{value}");
    }
}
