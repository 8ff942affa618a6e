// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `test hosts`: the board virt on kinds of host that the other tests do not have, once each: other
//! processors, a GICv2 beside VHE, and more vCPUs than anything else runs.
//!
//! They are run by name: what differs between these hosts is KVM's affair, and so hardly ever breaks here.

use anyhow::Result;
use fakemon_host::{Engine, Policy};

use super::Test;
use super::verdict::{self, CONSOLE};
use crate::machine::Cpu;
use crate::run::Run;
use crate::summary::{Place, Summary};
use crate::workspace;

/// Instead of a filter.
pub(super) const NAME: &str = "hosts";
/// The board that boots.
const BOARD: &str = "virt";
/// A board with a 32-bit kernel that takes a GICv3.
const NARROW: &str = "artpec6";

/// A kind of host, and how many vCPUs the guest has there, if not as many as its board.
struct Kind {
    cpu: Cpu,
    gic: u8,
    vcpus: Option<u32>,
}

const fn kind(cpu: Cpu, gic: u8, vcpus: Option<u32>) -> Kind {
    Kind { cpu, gic, vcpus }
}

const KINDS: [Kind; 7] = [
    // nVHE with a GICv3.
    kind(Cpu::CortexA72, 3, None),
    // VHE without FEAT_S2FWB.
    kind(Cpu::NeoverseN1, 3, None),
    // No AArch32 at EL1.
    kind(Cpu::NeoverseV1, 3, None),
    // No AArch32 at all.
    kind(Cpu::A64fx, 3, None),
    kind(Cpu::Max, 2, None),
    kind(Cpu::Max, 3, Some(64)),
    // As many as there are redistributors for.
    kind(Cpu::Max, 3, Some(123)),
];

/// Boots virt on each, and a 32-bit board where there is nothing for it.
pub(super) fn run(test: &Test, engine: Engine, summary: &mut Summary) -> Result<()> {
    for kind in &KINDS {
        boots(test, kind, engine, summary)?;
    }
    refuses(test, engine, summary)
}

fn boots(test: &Test, kind: &Kind, engine: Engine, summary: &mut Summary) -> Result<()> {
    // To switch each of so many CPUs off and on takes the emulated host minutes.
    let words = match kind.vcpus {
        Some(_) => "fakemon.checks=nproc quiet",
        None => "quiet",
    };
    let (cpu, gic) = (kind.cpu, kind.gic);
    let run = Run::of_host(BOARD, Policy::Blob, engine, words).on_machine(cpu, gic, kind.vcpus);
    let vcpus = kind
        .vcpus
        .map_or(String::new(), |n| format!("_with_{n}_vcpus"));
    let name = format!("{BOARD}_boots_on_{}_gicv{gic}{vcpus}", cpu.name());
    let check = |code, printed: &str| match printed.contains(", 0 failed") {
        true if code == 0 => None,
        _ => Some(format!("fakemon ended with {code}")),
    };
    judge(test, run, &name, engine, summary, check)
}

/// A host without 32-bit EL1 says so.
fn refuses(test: &Test, engine: Engine, summary: &mut Summary) -> Result<()> {
    let run = Run::of_host(NARROW, Policy::Blob, engine, "quiet");
    let run = run.on_machine(Cpu::A64fx, 3, Some(1));
    let name = format!("{NARROW}_is_refused_on_a64fx");
    let check = |code, _: &str| (code != 3).then(|| format!("fakemon ended with {code}, not 3"));
    judge(test, run, &name, engine, summary, check)
}

/// Runs one, and counts it.
fn judge(
    test: &Test,
    run: Run,
    name: &str,
    engine: Engine,
    summary: &mut Summary,
    objection: impl Fn(i32, &str) -> Option<String>,
) -> Result<()> {
    let place = Place {
        name: NAME.to_owned(),
        engine: Some(engine),
        kernel: None,
    };
    let run = run.on(test.host_kernel.clone(), test.newest);
    let board = workspace::board(run.board())?;
    let ended = run.boot(&board, CONSOLE)?;
    let objection = objection(ended.report.code(), &ended.printed);
    verdict::tell(&place, name, &ended.printed, objection, summary);
    Ok(())
}
