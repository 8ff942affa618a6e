// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The example for embedders, `host-shim/examples/minimal.rs`, does what it says with the blob of
//! board virt.

use std::process::Command;

use fakemon_launch::assets::{EXAMPLE, blob};
use fakemon_tests::{assets, trials_with_assets};
use libtest_mimic::Trial;

fn the_minimal_vmm_gets_an_answer_from_the_virt_blob() {
    let assets = assets::dir().expect("assets");
    let output = Command::new(assets.join(EXAMPLE))
        .arg(assets.join(blob("virt")))
        .output()
        .expect("the example runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}: {err}", output.status);
    assert_eq!(out, "PSCI version 1.1\n", "{err}");
}

pub(crate) fn tests() -> Vec<Trial> {
    trials_with_assets![the_minimal_vmm_gets_an_answer_from_the_virt_blob]
}
