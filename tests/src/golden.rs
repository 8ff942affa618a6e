// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Compares the calls of a boot with the stored ones, and tells drift from a difference.
//!
//! A golden trace has one call in a line, in order of time whatever the CPU: `NAME(ARGS) =
//! RESULTS`, the registers from the second on, zeros at the end left out; `NAME(ARGS) does not
//! return`. A call without a name has its function ID there. A `*` stands for one register of any
//! value, and `...` for any rest of them. `N x` before a line stands for N such calls in a row,
//! `repeat` for one or more, and `#` begins a comment. Lines of `SMCCC_...`, the Arm architecture
//! calls, count only on a host that gives them to the blob; others see none of them.
//!
//! `kernel RANGE` before a line, such as `kernel >=6.12.110,<7`, has it for these kernels alone.
//!
//! More lines say how to read the calls. WHAT is a name, or a name with arguments:
//!
//! * `ignore WHAT`: leaves out calls that depend on timing or on the processor;
//! * `query WHAT`: these calls change nothing (those of the standards are known);
//! * `unserved VALUE`: the first register of a call that the board does not serve, besides -1.
//!
//! A kernel that is newer than the trace may make calls more, so a call that is not in the trace is
//! *drift*, and no difference, if it cannot matter:
//!
//! * it is of a function that the board does not serve, and was told so; or
//! * it is a query, and the trace has no other answer to it.
//!
//! Everything else is a difference: a call that is missing, any other that is added, another
//! argument, another answer, another order.

use fakemon_manifest::KernelVersion;

mod align;
mod call;
mod drift;
mod file;
mod line;

use align::Difference;
use call::Call;
pub use drift::Drift;
use file::Golden;

/// Tells the first difference between the golden trace and the calls, which are JSON lines, of this
/// `kernel` on a host that gives the Arm architecture calls to the blob (`arch`) or keeps them.
/// Without one, tells the drift, in order of its first calls.
///
/// # Errors
/// There is a difference, or one of the texts is not what it should be.
pub fn compare(
    golden: &str,
    calls: &str,
    arch: bool,
    kernel: Option<KernelVersion>,
) -> Result<Vec<Drift>, String> {
    let golden = Golden::parse(golden, arch, kernel)?;
    golden.compare(Call::parse_all(calls)?)
}

/// Where calls or lines end before the other does.
const AT_END: &str = "the end of the calls";

impl Golden {
    fn compare(&self, mut calls: Vec<Call>) -> Result<Vec<Drift>, String> {
        calls.retain(|call| !self.ignores(call));
        let may_be_more = |call: &Call| self.drift(call).is_some();
        match align::align(&self.lines, &calls, may_be_more) {
            Ok(more) => {
                let drift = more.into_iter().filter_map(|at| self.drift(&calls[at]));
                Ok(drift::sum(drift))
            }
            Err(Difference { line, call }) => {
                let expected = self.lines.get(line).map_or(AT_END, |line| &line.text);
                let got = calls.get(call).map_or(AT_END.to_owned(), Call::to_string);
                let all: Vec<String> = calls.iter().map(Call::to_string).collect();
                Err(format!(
                    "call {}: expected {expected}, got {got}; all calls:\n{}",
                    call + 1,
                    all.join("\n")
                ))
            }
        }
    }
}

#[cfg(test)]
mod mutations;
#[cfg(test)]
mod tests;
