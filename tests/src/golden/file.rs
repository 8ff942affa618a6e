// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A golden trace as it is stored.

use fakemon_manifest::{KernelRange, KernelVersion};

use super::call::Call;
use super::line::{Line, What, number};

/// What a boot's calls are compared with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Golden {
    /// The calls, each as often as it must come.
    pub(super) lines: Vec<Line>,
    /// Calls that do not count.
    ignored: Vec<What>,
    /// Calls that change nothing, besides those of the standards.
    pub(super) queries: Vec<What>,
    /// First registers of calls that are not served, besides -1.
    pub(super) unserved: Vec<u64>,
}

impl Golden {
    /// Reads a trace for a host that gives the Arm architecture calls to the blob (`arch`) or keeps
    /// them, and a `kernel`.
    pub(super) fn parse(
        text: &str,
        arch: bool,
        kernel: Option<KernelVersion>,
    ) -> Result<Golden, String> {
        let mut golden = Golden::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                golden.take(line, arch, kernel).ok_or_else(|| {
                    format!("golden.trace, line {}: cannot be read: {line}", number + 1)
                })?;
            }
        }
        Ok(golden)
    }

    fn take(&mut self, line: &str, arch: bool, kernel: Option<KernelVersion>) -> Option<()> {
        if let Some(ranged) = line.strip_prefix("kernel ") {
            let (range, line) = ranged.split_once(' ')?;
            let range: KernelRange = range.parse().ok()?;
            // It must be one that can be read, for whatever kernel.
            let mut scratch = Golden::default();
            let to = if range.holds(kernel) {
                self
            } else {
                &mut scratch
            };
            to.take(line, arch, kernel)?;
        } else if let Some(what) = line.strip_prefix("ignore ") {
            self.ignored.push(What::parse(what)?);
        } else if let Some(what) = line.strip_prefix("query ") {
            self.queries.push(What::parse(what)?);
        } else if let Some(value) = line.strip_prefix("unserved ") {
            self.unserved.push(number(value)?);
        } else {
            let (times, line) = match line.split_once(" x ") {
                Some((times, line)) => (times.parse().ok()?, line),
                None => (1, line),
            };
            let line = match line.strip_prefix("repeat ") {
                Some(line) => Line::parse(line, true)?,
                None => Line::parse(line, false)?,
            };
            if arch || !line.what.name.starts_with("SMCCC_") {
                self.lines.extend(std::iter::repeat_n(line, times));
            }
        }
        Some(())
    }

    /// Tells whether this call does not count.
    pub(super) fn ignores(&self, call: &Call) -> bool {
        self.ignored.iter().any(|what| what.means(call))
    }
}
