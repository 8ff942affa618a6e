// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Turns `board.toml` into the blob's note and the functions' constants, and links the blob.

fn main() {
    fakemon_manifest::build_script::run();
}
