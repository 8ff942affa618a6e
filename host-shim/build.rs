// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Names the target that has KVM as this library uses it: `cfg(kvm)` is an Arm Linux of 64 bits. The package
//! `preload` is built with this very file.

use std::env;

fn main() {
    // Nothing but the target decides, for which cargo runs this anew.
    println!("cargo::rerun-if-env-changed=CARGO_CFG_TARGET_OS");
    println!("cargo::rustc-check-cfg=cfg(kvm)");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_ARCH", "aarch64") && is("CARGO_CFG_TARGET_OS", "linux") {
        println!("cargo::rustc-cfg=kvm");
    }
}
