// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is on record of a call, for traces and statistics.

use fakemon_abi::frame::REGS;

use crate::width::Conduit;

/// The call being served, or the last one.
#[derive(Clone, Copy, Debug)]
pub struct CallRecord {
    /// Function ID, as w0 or r0 held it.
    pub function: u32,
    /// How the guest called.
    pub conduit: Conduit,
    /// How many of [`CallRecord::before`] were read from the caller.
    pub inputs: usize,
    /// How many of [`CallRecord::after`] may have been given back.
    pub outputs: usize,
    /// x0 to x17 with which the blob was entered.
    pub before: [u64; REGS],
    /// x0 to x17 with which the blob returned, as many as `outputs` says; the others mean nothing.
    pub after: [u64; REGS],
    /// Whether the guest has gone on after the call, rather than off, elsewhere or not at all.
    pub returned: bool,
    /// When the call was made, in nanoseconds of [`monotonic_ns`](crate::monotonic_ns); 0 without a
    /// [log](crate::Config::log).
    pub begin_ns: u64,
    /// When it was over, likewise.
    pub end_ns: u64,
    pub(crate) pc: u64,
    pub(crate) pstate: u64,
    /// This is an entry without a call.
    pub(crate) is_entry: bool,
}

impl CallRecord {
    /// That of a vCPU that has made no call.
    pub(crate) const NONE: CallRecord = CallRecord {
        function: 0,
        conduit: Conduit::Smc,
        inputs: 0,
        outputs: 0,
        before: [0; REGS],
        after: [0; REGS],
        returned: false,
        begin_ns: 0,
        end_ns: 0,
        pc: 0,
        pstate: 0,
        is_entry: false,
    };
}
