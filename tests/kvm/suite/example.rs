// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The example for embedders, `host-shim/examples/minimal.rs`, does what it says with the blob of
//! board virt.

use std::path::Path;
use std::process::Command;

use libtest_mimic::{Completion, Failed, Trial};

fn the_minimal_vmm_gets_an_answer_from_the_virt_blob() -> Result<Completion, Failed> {
    // The runner of xtask brings the programs and blobs to where the tests run.
    let Some(assets) = std::env::var_os("FAKEMON_ASSETS") else {
        return Ok(Completion::ignored_with(
            "FAKEMON_ASSETS is not set: run this by cargo xtask test",
        ));
    };
    let assets = Path::new(&assets);
    let output = Command::new(assets.join("bin/minimal"))
        .arg(assets.join("blobs/virt.elf"))
        .output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}: {err}", output.status);
    assert_eq!(out, "PSCI version 1.1\n", "{err}");
    Ok(Completion::Completed)
}

pub(crate) fn tests() -> Vec<Trial> {
    vec![Trial::ignorable_test(
        "the_minimal_vmm_gets_an_answer_from_the_virt_blob",
        the_minimal_vmm_gets_an_answer_from_the_virt_blob,
    )]
}
