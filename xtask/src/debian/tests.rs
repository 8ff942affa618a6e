// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A whole archive, as small as it can be, on this machine: what is locked is taken while it has it,
//! and the newest once it is gone.

use std::fs;
use std::process::Command;

use super::*;
use crate::cache::{remove_dir, sha256};

/// An archive in a directory, and a cache beside it.
struct Place {
    dir: PathBuf,
}

impl Place {
    fn new(name: &str) -> Place {
        let dir = std::env::temp_dir().join(format!("fakemon-{name}-{}", std::process::id()));
        remove_dir(&dir).expect("removable");
        fs::create_dir_all(dir.join("debian/pool/main/t")).expect("a directory");
        Place { dir }
    }

    /// Publishes these versions of the package `tool`, and no others.
    fn publish(&self, versions: &[&str]) {
        let archive = self.dir.join("debian");
        let pool = archive.join("pool/main/t");
        remove_dir(&pool).expect("removable");
        fs::create_dir_all(&pool).expect("a directory");
        let mut list = String::new();
        for version in versions {
            let path = format!("pool/main/t/tool_{version}_all.deb");
            fs::write(archive.join(&path), format!("tool {version}")).expect("a file");
            let (size, hash) = describe(&archive.join(&path));
            list.push_str(&format!(
                "Package: tool\nVersion: {version}\nArchitecture: all\nMaintainer: T <t@t.example>\n\
                 Filename: {path}\nSize: {size}\nSHA256: {hash}\nDescription: a tool\n\n"
            ));
        }
        for suite in ["trixie", "trixie-updates"] {
            let dir = archive.join("dists").join(suite);
            fs::create_dir_all(dir.join("main/binary-arm64")).expect("a directory");
            let packages = dir.join("main/binary-arm64/Packages");
            fs::write(&packages, &list).expect("a file");
            let (size, hash) = describe(&packages);
            let release = format!(
                "Suite: {suite}\nCodename: {suite}\nComponents: main\nArchitectures: arm64\n\
                 Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n {hash} {size} main/binary-arm64/Packages\n"
            );
            fs::write(dir.join("Release"), release).expect("a file");
        }
        // The lists of before are not these.
        remove_dir(&self.dir.join("cache/apt")).expect("removable");
    }

    fn packages(&self, lock: Lock, newest: bool) -> Packages {
        let sources = self.dir.join("etc/sources.list.d");
        fs::create_dir_all(&sources).expect("a directory");
        let archive = self.dir.join("debian");
        fs::write(
            sources.join("debian.sources"),
            format!(
                "Types: deb\nURIs: file:{}\nSuites: trixie\nComponents: main\nTrusted: yes\n",
                archive.display()
            ),
        )
        .expect("a file");
        Packages {
            cache: Cache::open_in(self.dir.join("cache")).expect("opens"),
            lock,
            mirror: Some(Mirror::of_machine(&self.dir.join("etc")).expect("an archive")),
            newest,
        }
    }

    /// A lock file's content after `setup --update`.
    fn lock(&self) -> Lock {
        let mut packages = self.packages(Lock::default(), true);
        packages.update(&want()).expect("the archive has it");
        packages.lock
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn describe(file: &Path) -> (u64, String) {
    let size = fs::metadata(file).expect("a file").len();
    (size, sha256(file).expect("readable"))
}

fn want() -> Want {
    Want::alone("tool", "all")
}

/// What is fetched: its version, and what is in the file.
fn fetched(packages: &Packages) -> (String, String) {
    let (choice, paths) = packages.fetch(&want()).expect("fetched");
    let content = fs::read_to_string(&paths[0]).expect("a file");
    (choice.version, content)
}

fn tool(version: &str) -> (String, String) {
    (version.to_owned(), format!("tool {version}"))
}

/// Says on a machine without apt, where nothing is fetched, that this was not tested.
fn has_apt() -> bool {
    let found = Command::new("apt-get").arg("--version").output().is_ok();
    if !found {
        eprintln!("not tested: there is no apt on this machine");
    }
    found
}

#[test]
fn the_locked_version_is_taken_while_the_archive_has_it() {
    if !has_apt() {
        return;
    }
    let place = Place::new("locked");
    place.publish(&["1.0"]);
    let lock = place.lock();
    place.publish(&["1.0", "1.1"]);
    assert_eq!(fetched(&place.packages(lock, false)), tool("1.0"));
    assert_eq!(fetched(&place.packages(place.lock(), false)), tool("1.1"));
}

#[test]
fn the_newest_version_is_taken_once_the_locked_one_is_gone_or_on_demand() {
    if !has_apt() {
        return;
    }
    let place = Place::new("gone");
    place.publish(&["1.0"]);
    let lock = place.lock();
    place.publish(&["1.1", "1.2"]);
    assert_eq!(fetched(&place.packages(lock.clone(), false)), tool("1.2"));
    place.publish(&["1.0", "1.3"]);
    assert_eq!(fetched(&place.packages(lock.clone(), true)), tool("1.3"));
    // What is here already needs no archive.
    let packages = place.packages(lock, false);
    assert_eq!(fetched(&packages), tool("1.0"));
    remove_dir(&place.dir.join("debian")).expect("removable");
    assert_eq!(fetched(&packages), tool("1.0"));
}

#[test]
fn another_file_under_the_locked_name_is_not_taken() {
    if !has_apt() {
        return;
    }
    let place = Place::new("hash");
    place.publish(&["1.0"]);
    let lock = place.lock();
    place.publish(&["1.0"]);
    let path = place.dir.join("debian/pool/main/t/tool_1.0_all.deb");
    fs::write(path, "evil 1.0").expect("a file");
    let packages = place.packages(lock, false);
    let choice = packages.choose(&want()).expect("locked");
    let error = packages.fetch_choice(&choice).expect_err("the wrong hash");
    assert!(
        format!("{error:#}").contains("cannot fetch tool 1.0"),
        "{error:#}"
    );
}

#[test]
fn a_package_that_no_archive_has_is_told_by_its_name() {
    if !has_apt() {
        return;
    }
    let place = Place::new("none");
    place.publish(&["1.0"]);
    let packages = place.packages(Lock::default(), false);
    let error = packages
        .fetch(&Want::alone("tol", "all"))
        .expect_err("no such package");
    assert!(format!("{error:#}").contains("trixie/tol:all"), "{error:#}");
}
