// SPDX-License-Identifier: Apache-2.0 OR MIT
//! No module of a crate needs, by whatever way, one that needs it: what can be read from bottom to
//! top can be understood, tested and moved piece by piece.
//!
//! Modules here are those of a crate's root, each with all that is below it. Tests may use what they
//! like.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use regex_lite::Regex;

use crate::cache::files_below;
use crate::workspace;

/// The crates that are looked at, by the directories of their sources.
const CRATES: [&str; 13] = [
    "blob/abi/src",
    "blob/el1/src",
    "blob/firmware/src",
    "blob/manifest/src",
    "host-shim/capi/src",
    "host-shim/devices/src",
    "host-shim/preload/src",
    "host-shim/src",
    "host-shim/vmm/src",
    "tests/src",
    "xtask/hostvm/src",
    "xtask/launch/src",
    "xtask/src",
];

/// What each module needs.
type Needs = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_crate_has_modules_that_need_each_other() {
    let circles = CRATES.map(|dir| circle(&of_crate(&workspace::root().join(dir))));
    assert!(
        circles.iter().all(Option::is_none),
        "{CRATES:?}: {circles:?}"
    );
}

#[test]
fn a_circle_is_found_and_named() {
    let needs = |pairs: &[(&str, &[&str])]| -> Needs {
        let set = |names: &[&str]| names.iter().copied().map(str::to_owned).collect();
        let pairs = pairs.iter();
        pairs
            .map(|(name, of)| ((*name).to_owned(), set(of)))
            .collect()
    };
    let line = needs(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])]);
    assert_eq!(circle(&line), None);
    let ring = needs(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])]);
    assert_eq!(circle(&ring), Some("b -> c -> b".to_owned()));
}

#[test]
fn what_a_file_names_of_its_crate_is_read_from_its_text() {
    let text = "//! [`crate::blob`]\nuse crate::cache::{Cache, Check};\nuse crate::{cargo, debian::Choice};\n\
                fn f() { crate::setup::run() }\n#[cfg(test)]\nmod tests { use crate::run::Run; }\n";
    let names: Vec<String> = named(text).into_iter().collect();
    assert_eq!(names, ["cache", "cargo", "debian", "setup"]);
}

/// Reads the sources of a crate.
fn of_crate(dir: &Path) -> Needs {
    let mut needs = Needs::new();
    let mut root = String::new();
    for path in files_below(dir).expect("the crate's sources") {
        let name = path.strip_prefix(dir).expect("below it").with_extension("");
        let first = name.iter().next().unwrap_or_default().to_string_lossy();
        let text = fs::read_to_string(&path).expect("text");
        if first == "lib" || first == "main" {
            root.push_str(&text);
        } else if !name.ends_with("tests") && !name.iter().any(|part| part == "tests") {
            needs
                .entry(first.into_owned())
                .or_default()
                .extend(named(&text));
        }
    }
    // Things that the root gives out under its own name are their modules'.
    let given = Regex::new(r"(?m)^(?:pub(?:\(crate\))? )?use (\w+)::\{?([\w, \n]+)").expect("good");
    let mut homes = BTreeMap::new();
    for found in given.captures_iter(&root) {
        let names = found[2].split(',').map(|name| name.trim().to_owned());
        homes.extend(names.map(|name| (name, found[1].to_owned())));
    }
    let modules: BTreeSet<String> = needs.keys().cloned().collect();
    for (module, all) in &mut needs {
        let home = |name: &String| homes.get(name).unwrap_or(name).clone();
        *all = all.iter().map(home).collect();
        all.retain(|name| name != module && modules.contains(name));
    }
    needs
}

/// What a source names of its crate's root, up to its tests and without its comments.
fn named(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim().starts_with("//"));
    let code = &lines.fold(String::new(), |code, line| code + line + "\n");
    let one = Regex::new(r"\bcrate::(\w+)").expect("good");
    let list = Regex::new(r"\bcrate::\{([^;]*)\};").expect("good");
    let mut names: BTreeSet<String> = one
        .captures_iter(code)
        .map(|found| found[1].to_owned())
        .collect();
    let inner = Regex::new(r"::\{[^}]*\}|::\w+").expect("good");
    for found in list.captures_iter(code) {
        let plain = inner.replace_all(&found[1], "");
        let plain = inner.replace_all(&plain, "").into_owned();
        names.extend(plain.split(',').map(|name| name.trim().to_owned()));
    }
    names.remove("");
    names
}

/// The first circle, as `a -> b -> a`.
fn circle(needs: &Needs) -> Option<String> {
    fn walk<'a>(
        needs: &'a Needs,
        name: &'a str,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<String> {
        let before = way.iter().position(|known| *known == name);
        way.push(name);
        if let Some(at) = before {
            return Some(way[at..].join(" -> "));
        }
        if done.insert(name) {
            for next in needs.get(name).into_iter().flatten() {
                if let Some(found) = walk(needs, next, way, done) {
                    return Some(found);
                }
            }
        }
        way.pop();
        None
    }
    let mut done = BTreeSet::new();
    let mut names = needs.keys();
    names.find_map(|name| walk(needs, name, &mut Vec::new(), &mut done))
}
