// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What VMMs do, one thing at a time, by a VMM of ioctls alone (`vmm/`).

use std::process::Command;

use fakemon_launch::assets;

use crate::probe::{self, Kind};
use crate::qemu::Qemu;
use crate::{SKIPPED, Test};

/// The exit status of a scenario that this host has not what it takes for.
const NOT_HERE: i32 = 77;

/// Which blob serves.
enum Blob {
    /// The board's.
    Board,
    /// The one that does as it is told.
    Probe(Kind),
}

use Blob::{Board, Probe};

/// A scenario: its name, the blob, a variable, and what must be said on standard error if something is.
struct Scenario {
    name: &'static str,
    blob: Blob,
    variable: Option<(&'static str, &'static str)>,
    says: Option<&'static str>,
}

macro_rules! scenarios {
    ($($test:ident: $name:literal, $blob:expr, [$($variable:literal = $value:literal)?], $says:expr;)+) => {
        pub(crate) fn tests() -> Vec<(&'static str, Test)> {
            vec![$((stringify!($test), $test)),+]
        }
        $(fn $test(qemu: &Qemu) -> Result<(), String> {
            #[allow(unused_mut, unused_assignments, reason = "some have a variable")]
            let mut variable = None;
            $(variable = Some(($variable, $value));)?
            run(qemu, &Scenario { name: $name, blob: $blob, variable, says: $says })
        })+
    };
}

scenarios! {
    smc_and_hvc_are_answered: "answers", Board, [], None;
    nobody_answers_a_call_that_is_denied: "denied", Board, ["FAKEMON_POLICY" = "deny"], None;
    an_interruption_is_told: "interrupted", Board, [], None;
    descriptors_are_followed: "descriptors", Board, [], None;
    several_vms_are_served: "several", Board, [], None;
    a_reset_begins_another_life: "lives", Board, [], None;
    memory_comes_and_goes: "slots", Board, [], None;
    a_late_cpu_is_served_if_there_is_room: "late_with_room", Board, ["FAKEMON_MAX_CPUS" = "2"], None;
    a_late_cpu_without_room_cannot_run: "late_without_room", Board, [], Some("--max-cpus 2");
    no_half_start_is_seen: "starts", Board, [], None;
    threads_that_block_signals_are_served: "masked", Board, [], None;
    what_the_blob_remembers_goes_along: "remembered", Probe(Kind::Blind), [], Some("saved with another blob");
    the_boards_blob_goes_along: "listed", Board, [], None;
    the_blob_is_entered_at_a_time: "timers", Probe(Kind::Blind), [], None;
    a_watchdog_resets_the_guest: "unfed", Probe(Kind::Blind), [], Some("watchdog run out");
    the_blob_is_entered_on_another_cpu: "others", Probe(Kind::Blind), [], None;
    a_blob_that_fails_is_an_internal_error: "faulty", Probe(Kind::Blind), [], Some("CPU 0 cannot go on: ");
    a_blob_that_hangs_is_an_internal_error: "hangs", Probe(Kind::Blind), ["FAKEMON_WATCHDOG" = "1000"],
        Some("CPU 0 cannot go on: ");
    a_vcpu_changes_threads: "moved", Probe(Kind::Blind), [], None;
    secure_accesses_are_on_the_vmms_bus: "bus", Probe(Kind::Blind), [], None;
    memory_is_plugged_in_and_out: "plugged", Probe(Kind::Writer), [], None;
    a_guest_of_32_bits_is_served: "narrow", Probe(Kind::Blind), [], None;
    a_guest_of_another_width_cannot_run: "wide", Probe(Kind::Narrow), [], Some("does not serve AArch64");
    pages_that_the_blob_writes_are_logged: "dirty", Probe(Kind::Writer), [], Some("dirty ring");
    a_suspended_guest_is_woken: "suspended", Board, [], None;
    a_vmm_suspends_by_itself: "suspends", Board, [], None;
    a_debugger_steps_over_a_call: "debugged", Board, [], None;
}

fn run(qemu: &Qemu, scenario: &Scenario) -> Result<(), String> {
    let mut command = Command::new(qemu.path(assets::VMM_IN_C));
    qemu.preload(command.arg(scenario.name));
    if let Probe(kind) = &scenario.blob {
        command.env("FAKEMON_BLOB", probe::write(kind)?);
    }
    command.envs(scenario.variable);
    let output = command.output().map_err(|error| error.to_string())?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let is_said = match scenario.says {
        Some(words) => errors.contains(words),
        None => errors.is_empty(),
    };
    if output.status.success() && is_said {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(NOT_HERE) {
        return Err(format!("{SKIPPED}{}", text.trim()));
    }
    Err(format!(
        "{:?}, to say {:?}: {}{errors}",
        output.status, scenario.says, text,
    ))
}
