// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `fakemon check`: what this host can do for guests with a blob, what each lack costs, and who can do
//! something about it.

use serde_json::{Value, json};

use crate::boards::{self, Usable};
use crate::cli::CheckArgs;
use crate::installed::Installed;
use crate::output;
use crate::run::Ending;

pub mod findings;
pub mod host;

use findings::{Finding, Verdict};
use host::Host;

/// Looks at the host, and prints what there is.
pub fn check(args: &CheckArgs) -> Ending {
    let installed = match Installed::of_this_program() {
        Ok(installed) => installed,
        Err(error) => return Ending::Usage(error.to_string()),
    };
    let (boards, faults) = boards::usable(&installed);
    let wanted = match wanted(&args.boards, &boards) {
        Ok(wanted) => wanted,
        Err(why) => return Ending::Usage(why),
    };
    let host = match Host::look() {
        Ok(host) => host,
        Err(why) => return Ending::Host(why),
    };
    let mut findings = findings::of_host(&host, &boards);
    findings.push(findings::of_boards(&boards, &faults));
    findings.push(findings::of_library(installed.library()));
    findings.extend(
        wanted
            .iter()
            .map(|usable| findings::of_board(&host, &usable.board)),
    );
    let text = match args.json {
        true => format!("{:#}\n", Value::from_iter(findings.iter().map(json))),
        false => findings.iter().map(Finding::to_string).collect(),
    };
    if let Err(error) = output::print(&text) {
        return Ending::Host(format!("cannot write what was found: {error}"));
    }
    let failed: Vec<_> = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Fails)
        .map(|finding| finding.what.as_str())
        .collect();
    match failed.is_empty() {
        true => Ending::Off,
        false => Ending::Host(format!("this host cannot do it: {}", failed.join(", "))),
    }
}

/// The boards that the user has named.
fn wanted<'a>(names: &[String], boards: &'a [Usable]) -> Result<Vec<&'a Usable>, String> {
    let find = |name: &String| {
        let found = boards.iter().find(|usable| usable.board.name == *name);
        found.ok_or_else(|| {
            format!("there is no board {name} that can be used: `fakemon boards` lists them")
        })
    };
    names.iter().map(find).collect()
}

fn json(finding: &Finding) -> Value {
    json!({
        "what": finding.what,
        "verdict": finding.verdict.as_str(),
        "found": finding.found,
        "cost": finding.cost,
        "remedy": finding.remedy,
    })
}
