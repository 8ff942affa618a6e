// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Links the program for bare metal by its own script.

fn main() {
    println!("cargo::rerun-if-changed=replay.ld");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "none") {
        let dir = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo::rustc-link-arg-bins=-T{dir}/replay.ld");
        println!("cargo::rustc-link-arg-bins=--build-id=none");
    }
}
