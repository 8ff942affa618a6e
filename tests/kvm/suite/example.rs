// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The examples for embedders, `minimal` and `hotplug` in `host-shim/examples`, and
//! `host-shim/capi/examples/minimal.c`, do what they say with the blob of board virt; and no function for C
//! crashes by what C can get wrong.

use std::process::Command;

use fakemon_launch::assets::{C_EXAMPLE, C_REFUSALS, C_SKIP, EXAMPLE, HOTPLUG_EXAMPLE, blob};
use fakemon_tests::{assets, trials_with_assets};
use libtest_mimic::{Completion, Trial};

/// Runs a program with the blob of board virt, and returns what it prints.
fn run(program: &str) -> String {
    let assets = assets::dir().expect("assets");
    let output = Command::new(assets.join(program))
        .arg(assets.join(blob("virt")))
        .output()
        .expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}: {out}{err}", output.status);
    out
}

fn the_minimal_vmm_gets_an_answer_from_the_virt_blob() {
    assert_eq!(run(EXAMPLE), "PSCI version 1.1\n");
}

fn a_vmm_with_threads_and_a_manager_plugs_a_cpu_in_that_the_blob_starts() {
    let expected = "CPU 1 runs as number 1\n\
                    CPU 1 is off\n\
                    CPU 2 is plugged in\n\
                    CPU 2 runs as number 2\n\
                    CPU 2 is off\n\
                    CPU 0 has switched the machine off\n";
    assert_eq!(run(HOTPLUG_EXAMPLE), expected);
}

fn the_minimal_vmm_in_c_gets_the_same_answer() {
    assert_eq!(run(C_EXAMPLE), "PSCI version 1.1\n");
}

fn functions_for_c_refuse_what_c_can_get_wrong() {
    let out = run(C_REFUSALS);
    assert!(out.ends_with(" checks, 0 failed\n"), "{out}");
}

/// A test of a program in C, which is skipped where there was no compiler for it.
fn in_c(name: &str, test: fn()) -> Trial {
    Trial::ignorable_test(name, move || {
        let Some(assets) = assets::dir() else {
            return Ok(Completion::ignored_with(assets::missing()));
        };
        if let Ok(reason) = std::fs::read_to_string(assets.join(C_SKIP)) {
            return Ok(Completion::ignored_with(reason));
        }
        test();
        Ok(Completion::Completed)
    })
}

pub(crate) fn tests() -> Vec<Trial> {
    let mut tests = trials_with_assets![
        the_minimal_vmm_gets_an_answer_from_the_virt_blob,
        a_vmm_with_threads_and_a_manager_plugs_a_cpu_in_that_the_blob_starts,
    ];
    tests.push(in_c(
        "the_minimal_vmm_in_c_gets_the_same_answer",
        the_minimal_vmm_in_c_gets_the_same_answer,
    ));
    tests.push(in_c(
        "functions_for_c_refuse_what_c_can_get_wrong",
        functions_for_c_refuse_what_c_can_get_wrong,
    ));
    tests
}
