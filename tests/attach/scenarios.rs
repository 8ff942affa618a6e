// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What VMMs do, one thing at a time, by a VMM of ioctls alone (`vmm.c`).

use std::process::Command;

use fakemon_launch::assets;

use crate::Test;
use crate::qemu::Qemu;

macro_rules! scenarios {
    ($($name:ident: $scenario:literal, $($variable:literal = $value:literal)?;)+) => {
        pub(crate) fn tests() -> Vec<(&'static str, Test)> {
            vec![$((stringify!($name), $name)),+]
        }
        $(fn $name(qemu: &Qemu) -> Result<(), String> {
            run(qemu, $scenario, &[$(($variable, $value))?])
        })+
    };
}

scenarios! {
    smc_and_hvc_are_answered: "answers",;
    nobody_answers_a_call_that_is_denied: "denied", "FAKEMON_POLICY" = "deny";
    an_interruption_is_told: "interrupted",;
    descriptors_are_followed: "descriptors",;
    several_vms_are_served: "several",;
    a_reset_begins_another_life: "lives",;
    memory_comes_and_goes: "slots",;
    a_late_cpu_is_served_if_there_is_room: "late_with_room", "FAKEMON_MAX_CPUS" = "2";
    a_late_cpu_without_room_cannot_run: "late_without_room",;
    no_half_start_is_seen: "starts",;
    threads_that_block_signals_are_served: "masked",;
}

fn run(qemu: &Qemu, scenario: &str, variables: &[(&str, &str)]) -> Result<(), String> {
    let mut command = Command::new(qemu.path(assets::VMM_IN_C));
    qemu.preload(command.arg(scenario));
    command.envs(variables.iter().copied());
    let output = command.output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{:?}: {}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}
