// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Debian's kernel in Debian's QEMU, with its firmware calls served by virt's blob.

use std::collections::BTreeMap;
use std::path::Path;

use fakemon_launch::log;
use fakemon_manifest::Pattern;
use fakemon_tests::watched::Watched;
use serde_json::Value;

use crate::Test;
use crate::qemu::{BOARD, Qemu};

/// What the guest is to do: both CPUs come up, go off and on, and random numbers come from firmware.
const WORDS: &str = "fakemon.checks=nproc,hotplug,entropy,board fakemon.cpus=2 quiet";
/// What it shows however its calls are answered.
const COMES_UP: [&str; 2] = [r"check: nproc ok \(2\)", r"checks: \d ok, 0 failed"];
/// What only the blob gives it: a system that can be suspended.
const DEEP: &str = r"check: sleep ok \(.*\bdeep\b.*\)";
const NOT_DEEP: &str = r"check: sleep ok \(s2idle\)";

pub(crate) fn tests() -> Vec<(&'static str, Test)> {
    vec![
        ("qemus_hvc_is_served_as_smc", hvc_as_smc),
        ("a_device_tree_says_smc_in_each_life", device_tree_says_smc),
        ("the_environment_alone_is_enough", by_environment),
        ("without_attach_kvm_answers", without),
        ("refused_calls_are_seen_to_be", denied),
    ]
}

/// The guest is told HVC, and the blob knows SMC alone.
fn hvc_as_smc(qemu: &Qemu) -> Result<(), String> {
    let trace = std::env::temp_dir().join("attach-hvc.jsonl");
    let trace_option = trace.display().to_string();
    let options = ["--board", BOARD, "--trace", &trace_option];
    let console = ends_well(Watched::start(&mut qemu.attached(&options, WORDS))?)?;
    shows(
        &console,
        &[
            r"check: method ok \(hvc\)",
            DEEP,
            r"check: entropy ok \(smccc_trng ",
        ],
    )?;
    let calls = calls(&trace)?;
    // Both CPUs come up once, and one goes off and comes back.
    for (name, least) in [
        ("PSCI_VERSION", 1),
        ("PSCI_CPU_ON", 2),
        ("PSCI_CPU_OFF", 1),
        ("PSCI_SYSTEM_OFF", 1),
        ("TRNG_RND", 1),
    ] {
        let count = calls.get(name).copied().unwrap_or(0);
        if count < least {
            return Err(format!(
                "{name} was served {count} times, not {least}: {calls:?}"
            ));
        }
    }
    Ok(())
}

/// The tree is changed in the guest's memory, which QEMU fills again at each reset.
fn device_tree_says_smc(qemu: &Qemu) -> Result<(), String> {
    let words = "fakemon.checks=nproc,board fakemon.cpus=2 fakemon.reboot quiet";
    let mut command = qemu.attached(&["--board", BOARD, "--dt", "smc"], words);
    let mut guest = Watched::start(&mut command)?;
    guest.wait_for(3, r"check: sleep ok \(.*\bdeep\b.*\)")?;
    let console = guest.console();
    for pattern in [r"check: method ok \(smc\)", r"check: nproc ok \(2\)"] {
        let count = log::compile(pattern)?.find_iter(&console).count();
        if count != 3 {
            return Err(format!(
                "/{pattern}/ came {count} times in 3 lives:\n{console}"
            ));
        }
    }
    Ok(())
}

/// A VMM that something else starts, such as libvirt.
fn by_environment(qemu: &Qemu) -> Result<(), String> {
    let console = ends_well(Watched::start(&mut qemu.preloaded(WORDS))?)?;
    shows(&console, &[r"check: method ok \(hvc\)", DEEP])
}

/// The same command without attach.
fn without(qemu: &Qemu) -> Result<(), String> {
    let console = ends_well(Watched::start(&mut qemu.alone(WORDS))?)?;
    shows(&console, &[r"check: method ok \(hvc\)", NOT_DEEP])
}

/// The same with every call refused: only its filter tells this from KVM's.
fn denied(qemu: &Qemu) -> Result<(), String> {
    let options = ["--board", BOARD, "--policy", "deny"];
    // Its kernel may not come far enough to show afterwards what it has said.
    let words = WORDS.trim_end_matches(" quiet");
    let mut guest = Watched::start(&mut qemu.attached(&options, words))?;
    let seen = [
        "psci: PSCIv65535",
        "psci: failed to boot CPU1",
        "1 node, 1 CPU",
    ];
    let counter = qemu.board.guest.counter.iter();
    let counter: Vec<&Pattern> = counter
        .filter(|pattern| {
            seen.iter()
                .any(|seen| pattern.text.replace('\\', "").contains(seen))
        })
        .collect();
    if counter.len() != seen.len() {
        return Err(format!(
            "the board's counter-proof is another by now: {counter:?}"
        ));
    }
    counter
        .iter()
        .try_for_each(|pattern| guest.wait_for(1, &pattern.text))
}

/// Waits for the guest's end by itself, with all checks passed, and returns its console.
fn ends_well(mut guest: Watched) -> Result<String, String> {
    let code = guest.wait()?;
    let console = guest.console();
    if code != Some(0) {
        return Err(format!(
            "QEMU ended with {code:?}; the console was:\n{console}"
        ));
    }
    shows(&console, &COMES_UP)?;
    Ok(console)
}

pub(crate) fn shows(console: &str, patterns: &[&str]) -> Result<(), String> {
    for pattern in patterns {
        if !log::compile(pattern)?.is_match(console) {
            return Err(format!(
                "the log does not show /{pattern}/; it was:\n{console}"
            ));
        }
    }
    Ok(())
}

/// How often each function of a trace was called, by its name.
fn calls(trace: &Path) -> Result<BTreeMap<String, u32>, String> {
    let text = std::fs::read_to_string(trace).map_err(|error| format!("no trace: {error}"))?;
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        let call: Value = serde_json::from_str(line).map_err(|error| format!("{line}: {error}"))?;
        let name = call["name"].as_str().unwrap_or_default().to_owned();
        *counts.entry(name).or_default() += 1;
    }
    Ok(counts)
}
