// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Source files as Debian's installers, images and third parties write them.

use super::*;

const IMAGE: &str = "\
Types: deb
# a comment inside the stanza
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
";

fn choose(files: &[(bool, &str)]) -> Option<Archive> {
    Archive::choose(files.iter().copied())
}

#[test]
fn the_main_archive_of_an_image_is_found() {
    assert_eq!(
        choose(&[(true, IMAGE)]).expect("found").to_deb822(),
        "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie\nComponents: main\n\
         Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    );
}

#[test]
fn one_line_sources_are_understood() {
    let text = "\
# deb http://old.example/debian bookworm main
deb-src http://src.example/debian bookworm main
deb cdrom:[Debian GNU/Linux 12]/ bookworm main
deb http://mirror.example/debian-security bookworm-security main
deb\t[arch=amd64 signed-by=/k.gpg] http://mirror.example/debian/ bookworm main contrib # note
";
    let archive = choose(&[(false, text)]).expect("found");
    assert_eq!(archive.uri, "http://mirror.example/debian/");
    assert_eq!(archive.signed_by, "/k.gpg");
}

#[test]
fn an_entry_without_a_key_relies_on_the_trusted_keys() {
    let archive =
        choose(&[(false, "deb http://mirror.example/debian trixie main")]).expect("found");
    assert!(!archive.to_deb822().contains("Signed-By"));
}

#[test]
fn third_parties_that_use_debian_suite_names_lose_against_debian() {
    let other = "deb [signed-by=/k.gpg] http://tools.example/apt bookworm main";
    let archive = choose(&[(false, other), (true, IMAGE)]).expect("found");
    assert_eq!(archive.uri, "http://mirror.example/debian");
}

#[test]
fn a_list_of_mirrors_is_taken_as_it_is() {
    let text = "Types: deb deb-src\nURIs: mirror+file:///etc/apt/mirrors/debian.list\n\
                Suites: trixie trixie-updates\nComponents: main\n";
    let archive = choose(&[(true, text)]).expect("found");
    assert_eq!(archive.uri, "mirror+file:///etc/apt/mirrors/debian.list");
}

#[test]
fn an_embedded_key_keeps_its_lines() {
    let text = "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie\n\
                Components: main\nSigned-By:\n -----BEGIN-----\n .\n key\n -----END-----\n";
    let archive = choose(&[(true, text)]).expect("found");
    assert!(
        archive
            .to_deb822()
            .ends_with("Signed-By: \n -----BEGIN-----\n .\n key\n -----END-----\n")
    );
}

#[test]
fn a_machine_without_a_debian_archive_has_none() {
    let disabled = format!(
        "Enabled: no\n{}",
        IMAGE.split_once("\n\n").expect("two stanzas").0
    );
    assert_eq!(choose(&[(true, &disabled)]), None);
    assert_eq!(
        choose(&[(false, "deb http://other.example/ubuntu noble main")]),
        None
    );
    assert_eq!(
        choose(&[(true, "nonsense"), (false, "deb"), (false, "deb [x")]),
        None
    );
}
