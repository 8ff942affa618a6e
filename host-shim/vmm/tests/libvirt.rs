// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The example for libvirt says what the library for other VMMs understands, with the paths of a package.

use std::fs;
use std::path::Path;

use fakemon::attach::variables;
use fakemon_host::Hvc;
use fakemon_launch::assets;
use roxmltree::Document;

/// Where the Debian package puts what the archive has.
const ROOT: &str = "/usr";

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The variables of the example, in their order.
fn environment() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("examples/libvirt.xml")).expect("the example");
    let document = Document::parse(&text).expect("well-formed");
    let namespace = Some("http://libvirt.org/schemas/domain/qemu/1.0");
    let variables = document
        .descendants()
        .filter(|node| node.tag_name().namespace() == namespace && node.tag_name().name() == "env");
    let attribute = |node: &roxmltree::Node, name| node.attribute(name).expect(name).to_owned();
    variables
        .map(|node| (attribute(&node, "name"), attribute(&node, "value")))
        .collect()
}

#[test]
fn the_example_names_variables_that_the_library_reads() {
    let environment = environment();
    let source = root().join("host-shim/preload/src/variables.rs");
    let source = fs::read_to_string(source).expect("the library's variables");
    let own = environment
        .iter()
        .filter(|(name, _)| name.starts_with("FAKEMON_"));
    assert!(own.clone().count() > 0);
    for (name, _) in own {
        assert!(source.contains(&format!("\"{name}\"")), "{name}");
    }
}

#[test]
fn the_examples_paths_are_those_of_a_package() {
    let environment = environment();
    let get = |name: &str| {
        let found = environment.iter().find(|(own, _)| own == name);
        found.unwrap_or_else(|| panic!("no {name}")).1.as_str()
    };
    assert_eq!(get("LD_PRELOAD"), format!("{ROOT}/{}", assets::PRELOAD));
    assert_eq!(
        get(variables::BLOB),
        format!("{ROOT}/{}", assets::blob("virt"))
    );
    assert_eq!(
        get(variables::BOARD),
        format!("{ROOT}/{}", assets::board_dir("virt"))
    );
    assert!(get(variables::HVC).parse::<Hvc>().is_ok());
}
