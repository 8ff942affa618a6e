// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The Debian package (deb(5)): an ar archive of a format's number and two tar archives. It is written here,
//! as no two versions of dpkg-deb write the same bytes.

use anyhow::Result;
use ar::{Builder, Header};
use md5::{Digest, Md5};

use super::glibc::Needs;
use super::release::Release;
use super::tree::{Tree, gzip, xz};
use crate::cache::hexadecimal;

/// What lintian reports and is meant to be so.
const OVERRIDES: &str = "\
# It is to run on every arm64 Linux, also on one with another C library.
fakemon: statically-linked-binary [usr/bin/fakemon]
# Blobs run without an operating system; fault reports name their functions by their symbols.
fakemon: statically-linked-binary [usr/lib/fakemon/blobs/*.elf]
fakemon: unstripped-binary-or-object [usr/lib/fakemon/blobs/*.elf]
";

/// The package with the files of `tree` below /usr.
pub(super) fn package(release: &Release, mut tree: Tree, needs: &Needs) -> Result<Vec<u8>> {
    let changelog = gzip(changelog(release)?.as_bytes())?;
    tree.add("share/doc/fakemon/changelog.gz", changelog);
    tree.add("share/doc/fakemon/copyright", copyright(release.year()?));
    tree.add("share/lintian/overrides/fakemon", OVERRIDES);

    let mut control = Tree::default();
    control.add("control", self::control(release, &tree, needs));
    control.add("md5sums", sums(&tree));
    let members = [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.xz", xz(&control.tar(".", release.time)?)?),
        ("data.tar.xz", xz(&tree.tar("./usr", release.time)?)?),
    ];
    let mut archive = Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = Header::new(name.into(), content.len() as u64);
        header.set_mtime(release.time);
        header.set_mode(0o100_644);
        archive.append(&header, content.as_slice())?;
    }
    Ok(archive.into_inner()?)
}

fn control(release: &Release, tree: &Tree, needs: &Needs) -> String {
    let size: u64 = tree.files().map(|(_, content)| content.len() as u64).sum();
    format!(
        "Package: fakemon\n\
         Version: {version}\n\
         Architecture: {arch}\n\
         Maintainer: {maintainer}\n\
         Installed-Size: {size}\n\
         Depends: libc6 (>= {libc}), libgcc-s1 (>= {gcc})\n\
         Suggests: qemu-system-arm\n\
         Section: utils\n\
         Priority: optional\n\
         Description: secure firmware for KVM guests on Arm\n \
         Guest kernels written for a board call that board's secure firmware with\n \
         SMC. Under KVM on Arm there is no secure world, and the call fails. Fake\n \
         Monitor gives the guest the firmware that it calls: a small blob per board\n \
         runs at EL1 of a second, tiny VM beside the guest's.\n \
         .\n \
         This package has the program fakemon, which boots a guest on a board, or\n \
         gives the guest of another VMM a board's firmware; the library that it\n \
         loads into those; and the blobs and descriptions of all boards.\n",
        version = release.version,
        arch = super::ARCH,
        maintainer = release.maintainer,
        size = size.div_ceil(1024),
        libc = needs.libc,
        gcc = needs.gcc,
    )
}

/// What `dpkg --verify` compares.
fn sums(tree: &Tree) -> String {
    let line = |(path, content): (&str, &[u8])| {
        let sum = hexadecimal(&Md5::digest(content));
        format!("{sum}  usr/{path}\n")
    };
    tree.files().map(line).collect()
}

fn changelog(release: &Release) -> Result<String> {
    Ok(format!(
        "fakemon ({}) unstable; urgency=medium\n\n  \
         * CHANGELOG.md has what is new.\n\n \
         -- {}  {}\n",
        release.version,
        release.maintainer,
        release.mail_date()?
    ))
}

/// Whose it is and under which licences, in the words of Debian's format of copyright files.
fn copyright(year: i32) -> String {
    let mit = include_str!("../../../LICENSE-MIT");
    // An empty line has a dot there.
    let text = mit.lines().map(|line| match line.trim() {
        "" => " .\n".to_owned(),
        line => format!(" {line}\n"),
    });
    format!(
        "Upstream-Name: fakemon\n\
         Comment: THIRD-PARTY.txt in this directory has what the programs are built of\n \
         besides, and the licences of that.\n\n\
         Files: *\n\
         Copyright: {year} The Fake Monitor developers\n\
         License: Apache-2.0 or Expat\n\n\
         License: Apache-2.0\n \
         On Debian systems the full text is in /usr/share/common-licenses/Apache-2.0.\n\n\
         License: Expat\n{}",
        text.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::dist::release::tests::release;

    fn needs() -> Needs {
        Needs {
            libc: "2.34".to_owned(),
            gcc: "3.0".to_owned(),
        }
    }

    fn tree() -> Tree {
        let mut tree = Tree::default();
        tree.add_program("bin/fakemon", "a program");
        tree
    }

    #[test]
    fn it_has_the_members_that_dpkg_wants_in_their_order() {
        let bytes = package(&release(), tree(), &needs()).expect("a package");
        let mut archive = ar::Archive::new(bytes.as_slice());
        let mut names = Vec::new();
        while let Some(entry) = archive.next_entry() {
            let mut entry = entry.expect("an entry");
            let header = entry.header();
            assert_eq!((header.mtime(), header.uid(), header.gid()), (86_400, 0, 0));
            names.push(String::from_utf8_lossy(header.identifier()).into_owned());
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("its content");
            if names.len() == 1 {
                assert_eq!(content, b"2.0\n");
            }
        }
        assert_eq!(names, ["debian-binary", "control.tar.xz", "data.tar.xz"]);
        let again = package(&release(), tree(), &needs()).expect("a package");
        assert_eq!(bytes, again);
    }

    #[test]
    fn control_says_what_is_needed_and_sums_what_is_there() {
        let control = control(&release(), &tree(), &needs());
        for line in [
            "Version: 1.2.3",
            "Architecture: arm64",
            "Depends: libc6 (>= 2.34), libgcc-s1 (>= 3.0)",
            "Installed-Size: 1",
        ] {
            assert!(control.lines().any(|there| there == line), "{control}");
        }
        for line in control
            .lines()
            .skip_while(|line| !line.starts_with("Description"))
        {
            assert!(line.len() <= 80 && !line.trim().is_empty(), "{line:?}");
        }
        assert_eq!(
            sums(&tree()),
            "163c30dc92b5c4383178cbd84f9efe1b  usr/bin/fakemon\n"
        );
    }

    #[test]
    fn a_copyright_file_has_no_empty_line_within_a_licence() {
        let text = copyright(2026);
        let licence = text.split("License: Expat\n").last().expect("the text");
        assert!(
            licence.lines().all(|line| line.starts_with(' ')),
            "{licence}"
        );
        assert!(licence.contains("WITHOUT WARRANTY"), "{licence}");
    }
}
