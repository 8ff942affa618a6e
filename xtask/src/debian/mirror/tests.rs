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

fn choose(files: &[(bool, &str)]) -> Option<Mirror> {
    Mirror::choose(files.iter().copied())
}

#[test]
fn the_archives_of_an_image_are_found() {
    let mirror = choose(&[(true, IMAGE)]).expect("found");
    let stanza = |uri: &str, suites: &str| {
        format!(
            "Types: deb\nURIs: http://mirror.example/{uri}\nSuites: {suites}\nComponents: main\n\
             Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
        )
    };
    assert_eq!(
        mirror.to_deb822(Release::Trixie),
        stanza("debian", "trixie trixie-updates")
            + "\n"
            + &stanza("debian-security", "trixie-security")
    );
    assert_eq!(
        mirror.to_deb822(Release::TrixieBackports),
        stanza("debian", "trixie-backports")
    );
}

#[test]
fn an_address_tells_its_archive() {
    let mirror = choose(&[(true, IMAGE)]).expect("found");
    let place = |uri: &'static str| mirror.place(uri);
    assert_eq!(
        place("http://mirror.example/debian/pool/a.deb"),
        Some((Archive::Main, "pool/a.deb"))
    );
    assert_eq!(
        place("http://mirror.example/debian-security/pool/a.deb"),
        Some((Archive::Security, "pool/a.deb"))
    );
    assert_eq!(place("http://other.example/debian/pool/a.deb"), None);
    // Some mirrors have one archive below the other.
    let nested = IMAGE.replace("debian-security", "debian/security");
    let mirror = choose(&[(true, &nested)]).expect("found");
    assert_eq!(
        mirror.place("http://mirror.example/debian/security/pool/a.deb"),
        Some((Archive::Security, "pool/a.deb"))
    );
}

#[test]
fn one_line_sources_are_understood() {
    let text = "\
# deb http://old.example/debian bookworm main
deb-src http://src.example/debian bookworm main
deb cdrom:[Debian GNU/Linux 12]/ bookworm main
deb http://security.example/ bookworm-security main
deb\t[arch=amd64 signed-by=/k.gpg] http://mirror.example/debian/ bookworm main contrib # note
";
    let mirror = choose(&[(false, text)]).expect("found");
    assert_eq!(mirror.main.uri, "http://mirror.example/debian/");
    assert_eq!(mirror.main.signed_by, "/k.gpg");
    let security = mirror.uri(Archive::Security);
    assert_eq!(security.as_deref(), Some("http://security.example/"));
}

#[test]
fn an_entry_without_a_key_relies_on_the_trusted_keys() {
    let mirror = choose(&[(false, "deb http://mirror.example/debian trixie main")]).expect("found");
    let text = mirror.to_deb822(Release::Trixie);
    assert!(
        !text.contains("Signed-By") && !text.contains("security"),
        "{text}"
    );
}

#[test]
fn third_parties_that_use_debian_suite_names_lose_against_debian() {
    let other = "deb [signed-by=/k.gpg] http://tools.example/apt bookworm main";
    let mirror = choose(&[(false, other), (true, IMAGE)]).expect("found");
    assert_eq!(mirror.main.uri, "http://mirror.example/debian");
}

#[test]
fn a_list_of_mirrors_is_taken_as_it_is() {
    let text = "Types: deb deb-src\nURIs: mirror+file:///etc/apt/mirrors/debian.list\n\
                Suites: trixie trixie-updates\nComponents: main\n";
    let mirror = choose(&[(true, text)]).expect("found");
    assert_eq!(
        mirror.main.uri,
        "mirror+file:///etc/apt/mirrors/debian.list"
    );
}

#[test]
fn an_embedded_key_keeps_its_lines() {
    let text = "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie\n\
                Components: main\nSigned-By:\n -----BEGIN-----\n .\n key\n -----END-----\n";
    let mirror = choose(&[(true, text)]).expect("found");
    assert!(
        mirror
            .to_deb822(Release::Trixie)
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
