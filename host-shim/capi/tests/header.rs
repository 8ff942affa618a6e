// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The header in the repository is what cbindgen makes of the sources.

use std::path::Path;

use fakemon_launch::env::WRITE_HEADER;

#[test]
fn the_header_is_what_the_sources_say() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let bindings = cbindgen::generate(package).expect("cbindgen reads the sources");
    let mut made = Vec::new();
    bindings.write(&mut made);
    let made = String::from_utf8(made).expect("text");
    let path = package.join("include/fakemon.h");
    if std::env::var_os(WRITE_HEADER).is_some() {
        std::fs::write(&path, &made).expect("the header can be written");
    }
    let header = std::fs::read_to_string(&path).expect("the header");
    assert!(
        header == made,
        "include/fakemon.h is not what cbindgen makes of the sources: \
         `{WRITE_HEADER}=1 cargo test --package fakemon-c --test header` writes it anew"
    );
}
