// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The replay program: a "kernel" that makes the calls of the table after it and powers off.

#![cfg_attr(target_os = "none", no_std, no_main)]
#![deny(clippy::undocumented_unsafe_blocks)]

#[cfg(target_os = "none")]
mod bare;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("this runs as a guest; boot it with `cargo xtask run --board NAME`");
    std::process::exit(2);
}
