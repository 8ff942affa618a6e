// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a host's values mean for guests with a blob.

use std::fmt;
use std::path::PathBuf;

use fakemon_manifest::Board;

use super::host::{Host, Kvm, NoKvm};
use crate::boards::{self, Usable};
use crate::installed::NotInstalled;

mod lack;

use lack::Lack;

/// How good or bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Has,
    /// Something is missing, and costs something.
    Lacks,
    /// Nothing works.
    Fails,
}

impl Verdict {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Has => "ok",
            Verdict::Lacks => "lacks",
            Verdict::Fails => "FAILS",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub what: String,
    /// How it is.
    pub verdict: Verdict,
    /// What there is.
    pub found: String,
    /// What that costs.
    pub cost: Option<String>,
    /// Who can do what about it.
    pub remedy: Option<String>,
}

impl Finding {
    fn has(what: &str, found: impl Into<String>) -> Finding {
        Finding {
            what: what.to_owned(),
            verdict: Verdict::Has,
            found: found.into(),
            cost: None,
            remedy: None,
        }
    }

    fn lacks(
        what: &str,
        found: impl Into<String>,
        cost: impl Into<String>,
        remedy: &str,
    ) -> Finding {
        Finding {
            verdict: Verdict::Lacks,
            cost: Some(cost.into()),
            remedy: Some(remedy.to_owned()),
            ..Finding::has(what, found)
        }
    }

    fn fails(
        what: &str,
        found: impl Into<String>,
        cost: impl Into<String>,
        remedy: &str,
    ) -> Finding {
        Finding {
            verdict: Verdict::Fails,
            ..Finding::lacks(what, found, cost, remedy)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:5}  {}: {}",
            self.verdict.as_str(),
            self.what,
            self.found
        )?;
        for (word, text) in [("cost", &self.cost), ("remedy", &self.remedy)] {
            if let Some(text) = text {
                writeln!(f, "       {word}: {text}")?;
            }
        }
        Ok(())
    }
}

/// What nothing works without.
const NO_GUEST: &str = "no guest can be served";

/// What the host has, and what it costs these boards.
pub fn of_host(host: &Host, boards: &[Usable]) -> Vec<Finding> {
    let linux = format!("{}, pages of {} KiB", host.linux, host.page / 1024);
    let mut findings = vec![Finding::has("Linux", linux)];
    let kvm = match &host.kvm {
        Ok(kvm) => kvm,
        Err(why) => {
            findings.push(no_kvm(why));
            return findings;
        }
    };
    let cannot = |lack: Lack| {
        let boards = boards.iter().map(|usable| &usable.board);
        let boards = boards.filter(|board| lack::of(board, host, kvm) == Some(lack));
        let names: Vec<_> = boards.map(|board| board.name.as_str()).collect();
        (!names.is_empty()).then(|| format!("these boards cannot run: {}", names.join(", ")))
    };
    findings.push(Finding::has("KVM", "/dev/kvm can be used"));
    findings.push(filter(kvm));
    for lack in lack::ALL {
        let (what, found) = (lack.what(), lack.found(host, kvm));
        findings.push(match cannot(lack) {
            None => Finding::has(what, found),
            Some(cost) => Finding::lacks(what, found, cost, lack.remedy()),
        });
    }
    findings.push(engine(kvm));
    findings.extend(s2fwb(kvm));
    findings.push(stolen_time(kvm));
    findings
}

fn no_kvm(why: &NoKvm) -> Finding {
    let fails = |found: &str, remedy: &str| Finding::fails("KVM", found, NO_GUEST, remedy);
    match why {
        NoKvm::Absent => fails(
            "there is no /dev/kvm",
            "the host's firmware has to start Linux at EL2, and Linux has to be built with KVM; a cloud \
             gives that by its bare-metal machines",
        ),
        NoKvm::Forbidden(group) => fails(
            "this user may not use /dev/kvm",
            &format!("whoever runs the host can add you to the group {group}; then log in again"),
        ),
        NoKvm::Refused(why) => fails(
            why,
            "whoever runs the host can tell why, by the kernel's log",
        ),
    }
}

fn filter(kvm: &Kvm) -> Finding {
    let what = "SMCCC filter";
    match &kvm.filter {
        Ok(()) => Finding::has(what, "a guest's calls can come to its blob"),
        Err(why) => Finding::fails(what, why, NO_GUEST, "boot Linux 6.4 or later on the host"),
    }
}

fn engine(kvm: &Kvm) -> Finding {
    let what = "kernel engine";
    match kvm.kernel_engine {
        true => Finding::has(what, "KVM carries calls by itself"),
        false => Finding::lacks(
            what,
            "this kernel has none; the library carries calls",
            "a call takes about three times as long, and KVM answers the Arm architecture's calls",
            "none is needed; a host of your own can have a kernel with the patches of host-shim/kernel",
        ),
    }
}

fn s2fwb(kvm: &Kvm) -> Option<Finding> {
    let what = "FEAT_S2FWB";
    Some(match kvm.s2fwb? {
        true => Finding::has(what, "what a guest writes past its caches, a blob sees"),
        false => Finding::lacks(
            what,
            "this CPU has none",
            "each start of a CPU unmaps the guest's memory, which comes back page by page; memory that a \
             guest shares with a blob must be cached by both",
            "the CPU's: those of Arm v8.4 and later have it",
        ),
    })
}

fn stolen_time(kvm: &Kvm) -> Finding {
    let what = "stolen time";
    match kvm.stolen_time {
        true => Finding::has(what, "KVM keeps it for each vCPU"),
        false => Finding::lacks(
            what,
            "KVM keeps none",
            "a guest does not see the time in which its CPUs had to wait",
            "the host's kernel has to be built with scheduler statistics",
        ),
    }
}

/// The boards that are installed, and what is wrong with others.
pub fn of_boards(boards: &[Usable], faults: &[String]) -> Finding {
    let what = "boards";
    let found = format!("{} with their blobs", boards.len());
    match (boards, faults) {
        ([], []) => Finding::lacks(
            what,
            "none",
            "each board and blob has to be given by its path",
            &boards::none(),
        ),
        (_, []) => Finding::has(what, found),
        (_, faults) => Finding::lacks(
            what,
            found,
            faults.join("; "),
            "install the package anew, all of it of one version",
        ),
    }
}

/// The library for other VMMs.
pub fn of_library(library: Result<PathBuf, NotInstalled>) -> Finding {
    let what = "library for other VMMs";
    match library {
        Ok(path) => Finding::has(what, path.display().to_string()),
        Err(why) => Finding::lacks(
            what,
            "it is not there",
            "`fakemon attach` needs it",
            &why.to_string(),
        ),
    }
}

/// Whether a board can run here.
pub fn of_board(host: &Host, board: &Board) -> Finding {
    let what = format!("board {}", board.name);
    let Ok(kvm) = &host.kvm else {
        return Finding::fails(&what, "there is no KVM for it", NO_GUEST, "see KVM, above");
    };
    match lack::of(board, host, kvm) {
        None => Finding::has(&what, "can run"),
        Some(lack) => Finding::fails(
            &what,
            format!("{}: {}", lack.what(), lack.found(host, kvm)),
            lack.need(board),
            lack.remedy(),
        ),
    }
}

#[cfg(test)]
mod tests;
