// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Names the target that has KVM as this library uses it: `cfg(kvm)` is an Arm Linux of 64 bits.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(kvm)");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_ARCH", "aarch64") && is("CARGO_CFG_TARGET_OS", "linux") {
        println!("cargo::rustc-cfg=kvm");
    }
}
