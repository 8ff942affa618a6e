// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Puts `blob.ld` on the linker's search path of every board that depends on this crate.

fn main() {
    println!("cargo::rerun-if-changed=blob.ld");
    if let Ok(dir) = std::env::var("CARGO_MANIFEST_DIR") {
        println!("cargo::rustc-link-search={dir}");
    }
}
