// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Blob faults: which call failed, where in the blob, and why.

use std::fmt;
use std::time::Duration;

use crate::limits::Limit;

/// A failure of the blob during a call. The guest has seen nothing of it.
#[derive(Clone, Debug)]
pub struct BlobFault {
    /// The board whose blob failed.
    pub board: String,
    /// The vCPU that made the call.
    pub cpu: u32,
    /// The function ID of the call (w0 or r0 of the caller).
    pub function: u32,
    /// Why the call could not go on.
    pub reason: FaultReason,
    /// x0 to x30 at that moment.
    pub x: [u64; 31],
    /// The PC.
    pub pc: u64,
    /// The stack pointer.
    pub sp: u64,
    /// The blob's function at [`BlobFault::pc`], with the distance from its start in bytes.
    pub symbol: Option<(String, u64)>,
}

/// Why a blob failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultReason {
    /// It panicked.
    Panic {
        /// Source file.
        file: String,
        /// Line, counted from 1.
        line: u32,
        /// Column, counted from 1.
        column: u32,
        /// The message; empty when it would have needed formatting.
        message: String,
    },
    /// It took a synchronous exception.
    Exception {
        /// ESR_EL1.
        esr: u64,
        /// FAR_EL1.
        far: u64,
    },
    /// It took an interrupt or SError: the offset of the vector (Arm ARM D1.3.1.5).
    Vector(u64),
    /// It returned to a state that the caller cannot have.
    BadReturn {
        /// The SPSR with which it returned.
        spsr: u64,
        /// What is wrong with that.
        problem: &'static str,
    },
    /// It stored to guest memory, at this address, which its note only asks to read.
    ReadOnly(u64),
    /// It made an SMC or HVC itself: the function ID.
    NestedCall(u32),
    /// The watchdog ended it: which limit it exceeded, and what that is.
    Timeout(Limit, Duration),
    /// Calls of other CPUs hung one after the other, so its data is made anew, and this call was in progress.
    Reloaded,
    /// Its vCPU stopped for a reason that no blob should give KVM.
    Exit(String),
}

impl FaultReason {
    /// A return to a mode that the caller's CPU does not have.
    pub(crate) fn no_such_mode(spsr: u64) -> Self {
        FaultReason::BadReturn {
            spsr,
            problem: "the caller has no such mode",
        }
    }
}

/// A text of the blob's, which chose its bytes and may mean them for a terminal: without characters that
/// do not show as themselves, such as controls and those that turn or break a line (U+202E, U+2028).
pub(crate) fn shown(text: &[u8]) -> String {
    let is_shown = |c: char| matches!(c, '"' | '\'' | '\\') || c.escape_debug().eq([c]);
    String::from_utf8_lossy(text).replace(|c| !is_shown(c), " ")
}

impl fmt::Display for FaultReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultReason::Panic {
                file,
                line,
                column,
                message,
            } => {
                write!(f, "panicked at {file}:{line}:{column}")?;
                if message.is_empty() {
                    Ok(())
                } else {
                    write!(f, ": {message}")
                }
            }
            FaultReason::Exception { esr, far } => {
                write!(f, "{} (ESR {esr:#x}, FAR {far:#x})", exception_class(*esr))
            }
            FaultReason::Vector(offset) => {
                write!(f, "took an exception it cannot have, vector {offset:#05x}")
            }
            FaultReason::BadReturn { spsr, problem } => {
                write!(f, "returned with SPSR {spsr:#x}: {problem}")
            }
            FaultReason::ReadOnly(address) => {
                write!(
                    f,
                    "stored to guest memory at {address:#x}, which its note only asks to read"
                )
            }
            FaultReason::NestedCall(id) => {
                write!(
                    f,
                    "made a firmware call itself ({id:#010x}); use a host call"
                )
            }
            FaultReason::Timeout(Limit::CpuTime, limit) => {
                write!(f, "used {limit:?} of CPU time within one call: it loops")
            }
            FaultReason::Timeout(Limit::WallTime, limit) => {
                write!(
                    f,
                    "did not return within {limit:?} and used little CPU time: it waits in WFI, or the \
                     host has no CPU for it"
                )
            }
            FaultReason::Reloaded => write!(
                f,
                "was ended to have its data made anew, since calls of other CPUs hung one after the other"
            ),
            FaultReason::Exit(what) => write!(f, "stopped its vCPU: {what}"),
        }
    }
}

impl fmt::Display for BlobFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blob fault: the {} blob {}", self.board, self.reason)?;
        write!(
            f,
            "; call {:#010x} of CPU {}, PC {:#x}",
            self.function, self.cpu, self.pc
        )?;
        if let Some((name, distance)) = &self.symbol {
            write!(f, " ({name}+{distance:#x})")?;
        }
        for (n, value) in self.x.iter().enumerate() {
            let gap = if n % 4 == 0 { "\n  " } else { "  " };
            write!(f, "{gap}{:>3} {value:016x}", format!("x{n}"))?;
        }
        write!(f, "   sp {:016x}", self.sp)
    }
}

/// The words for an ESR_ELx.EC (Arm ARM, ESR_EL1) that a blob can cause.
fn exception_class(esr: u64) -> &'static str {
    match esr >> 26 & 0x3f {
        0x00 => "executed an undefined instruction",
        0x07 => "used FP or SIMD registers",
        0x0e => "entered an illegal execution state",
        0x15..=0x17 => "made a call that trapped to itself",
        0x18 => "accessed a system register that it may not",
        0x20 | 0x21 => "jumped to an address that it may not execute",
        0x22 => "jumped to an unaligned address",
        0x24 | 0x25 => "accessed an address that it may not",
        0x26 => "misaligned its stack pointer",
        0x2f => "took an SError",
        0x3c => "executed BRK",
        _ => "took an exception",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_who_where_and_why() {
        let fault = BlobFault {
            board: "virt".into(),
            cpu: 2,
            function: 0x8400_0003,
            reason: FaultReason::Exception {
                esr: 0x9600_0045,
                far: 0x10,
            },
            x: [0x55; 31],
            pc: 0x7f_0000_0800,
            sp: 0x7f_0100_fff0,
            symbol: Some(("psci::cpu_on".into(), 0x10)),
        };
        let text = fault.to_string();
        let first = text.lines().next().expect("a first line");
        assert_eq!(
            first,
            "blob fault: the virt blob accessed an address that it may not (ESR 0x96000045, FAR 0x10); \
             call 0x84000003 of CPU 2, PC 0x7f00000800 (psci::cpu_on+0x10)"
        );
        assert_eq!(
            text.lines().count(),
            1 + 8,
            "31 registers and the stack pointer, four in a line"
        );
    }

    #[test]
    fn a_text_shows_nothing_but_its_characters() {
        let hostile = "a\x1b[2J b\u{202e}c\u{2028}d\u{85}\u{200f}\te";
        assert_eq!(shown(hostile.as_bytes()), "a [2J b c d   e");
        let plain = "it's \"10 µs\" in C:\\größe";
        assert_eq!(shown(plain.as_bytes()), plain);
        assert_eq!(shown(b"a\xffb"), "a\u{fffd}b");
    }

    #[test]
    fn a_timeout_names_the_limit() {
        let text = |limit| FaultReason::Timeout(limit, Duration::from_secs(30)).to_string();
        assert!(text(Limit::CpuTime).starts_with("used 30s of CPU time"));
        assert!(text(Limit::WallTime).starts_with("did not return within 30s"));
    }
}
