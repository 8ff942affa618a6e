// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reports of what a guest does, of which it can be the cause of any number: some of each kind are shown in
//! a run, however often the guest boots in it.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::say;

/// Reports of a kind that are shown.
const SHOWN: u32 = 10;

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An access to where nothing is.
    Nowhere,
    /// A blob has failed, and the guest goes on.
    Fault,
    /// A line that a blob has written to its console.
    Console,
    /// The guest sleeps, and wakes up.
    Suspend,
    /// The guest boots again.
    Reset,
    /// What the guest says of a reset.
    ResetType,
}

impl Kind {
    const ALL: [Kind; 6] = [
        Kind::Nowhere,
        Kind::Fault,
        Kind::Console,
        Kind::Suspend,
        Kind::Reset,
        Kind::ResetType,
    ];

    /// Several of them.
    fn name(self) -> &'static str {
        match self {
            Kind::Nowhere => "accesses to where nothing is",
            Kind::Fault => "blob faults",
            Kind::Console => "lines of the blob",
            Kind::Suspend => "suspends",
            Kind::Reset => "resets",
            Kind::ResetType => "types of resets",
        }
    }
}

/// Counts the reports of each kind.
#[derive(Debug, Default)]
pub struct Reports([AtomicU32; Kind::ALL.len()]);

impl Reports {
    /// Shows a report, or that no more of this kind are shown, or nothing. Tells whether it has shown the
    /// report.
    pub fn add(&self, kind: Kind, report: impl FnOnce()) -> bool {
        let before = self.count(kind);
        match before {
            ..SHOWN => report(),
            SHOWN => say!("more {} are not shown", kind.name()),
            _ => {}
        }
        before < SHOWN
    }

    /// Counts one more, and tells how many there were.
    fn count(&self, kind: Kind) -> u32 {
        let count = &self.0[kind as usize];
        // Never wraps around.
        let add = |n: u32| Some(n.saturating_add(1));
        count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .unwrap_or(SHOWN)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[test]
    fn a_guest_cannot_fill_the_log_with_any_kind() {
        let reports = Reports::default();
        for kind in Kind::ALL {
            let shown = AtomicU32::new(0);
            let report = || {
                shown.fetch_add(1, Ordering::Relaxed);
            };
            let told = (0..1000).filter(|_| reports.add(kind, report)).count();
            assert_eq!(
                (told as u32, shown.into_inner()),
                (SHOWN, SHOWN),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn a_count_does_not_begin_anew() {
        let reports = Reports::default();
        reports.0[Kind::Suspend as usize].store(u32::MAX, Ordering::Relaxed);
        for _ in 0..3 {
            assert!(!reports.add(Kind::Suspend, || unreachable!()));
        }
    }
}
