// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The project depends on nothing that deny.toml does not allow.
//!
//! cargo-deny knows more, security advisories above all. This holds licences and sources with every
//! change, for the price of one call of cargo.

use serde::Deserialize;
use spdx::Expression;

use crate::{cargo, workspace};

/// What is read of deny.toml.
#[derive(Deserialize)]
struct Deny {
    graph: Graph,
    licenses: Licenses,
}

#[derive(Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
    exceptions: Vec<Exception>,
}

/// What one package may have besides.
#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

impl Licenses {
    /// What the package called `name` may have.
    fn allowed(&self, name: &str) -> Vec<String> {
        let exceptions = self.exceptions.iter().filter(|known| known.name == name);
        let exceptions = exceptions.flat_map(|exception| &exception.allow);
        self.allow.iter().chain(exceptions).cloned().collect()
    }
}

/// What is read of `cargo metadata`.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    /// None for a package of this checkout.
    source: Option<String>,
    license: Option<String>,
}

impl Package {
    /// What is wrong with it, if anything is.
    fn fault(&self, allow: &[String]) -> Option<String> {
        let from_registry = |source: &String| source.starts_with("registry+");
        if !self.source.as_ref().is_none_or(from_registry) {
            return Some(format!("{}: is from {:?}", self.name, self.source));
        }
        let license = self.license.as_deref().unwrap_or_default();
        let allowed =
            Expression::parse_mode(license, spdx::ParseMode::LAX).is_ok_and(|expression| {
                expression.evaluate(|requirement| allow.contains(&requirement.to_string()))
            });
        (!allowed).then(|| format!("{}: {license:?} is not allowed", self.name))
    }
}

fn deny() -> Deny {
    let text = std::fs::read_to_string(workspace::root().join("deny.toml")).expect("deny.toml");
    toml::from_str(&text).expect("deny.toml has what is read of it")
}

#[test]
fn licences_and_sources_of_all_packages_are_allowed() {
    let deny = deny();
    let mut command = cargo::cargo(&["metadata", "--format-version=1", "--locked"]);
    for target in &deny.graph.targets {
        command.args(["--filter-platform", target]);
    }
    let output = command.output().expect("cargo starts");
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{messages}");
    let metadata: Metadata = serde_json::from_slice(&output.stdout).expect("cargo's JSON");
    assert!(
        metadata
            .packages
            .iter()
            .any(|package| package.name == "kvm-ioctls")
    );
    let packages = metadata.packages.iter();
    let faults: Vec<_> = packages
        .filter_map(|package| package.fault(&deny.licenses.allowed(&package.name)))
        .collect();
    assert!(faults.is_empty(), "see deny.toml: {faults:#?}");
}

#[test]
fn an_exception_is_one_package_s() {
    let licenses: Licenses = toml::from_str(
        r#"allow = ["MIT"]
           exceptions = [{ crate = "x", allow = ["MPL-2.0"] }]"#,
    )
    .expect("good");
    assert_eq!(licenses.allowed("x"), ["MIT", "MPL-2.0"]);
    assert_eq!(licenses.allowed("y"), ["MIT"]);
}

#[test]
fn what_is_not_allowed_is_named() {
    let allow = ["Apache-2.0".to_owned(), "MIT".to_owned()];
    let package = |source: &str, license: &str| Package {
        name: "x".to_owned(),
        source: (!source.is_empty()).then(|| source.to_owned()),
        license: (!license.is_empty()).then(|| license.to_owned()),
    };
    let registry = "registry+https://registry.example/index";
    for license in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-2.0-only OR MIT",
        "MIT AND Apache-2.0",
    ] {
        assert_eq!(package(registry, license).fault(&allow), None, "{license}");
    }
    for (source, license) in [
        (registry, ""),
        (registry, "GPL-2.0-only"),
        (registry, "MIT AND GPL-2.0-only"),
        ("git+https://example.com/x", "MIT"),
        ("", "GPL-2.0-only"),
    ] {
        assert!(
            package(source, license).fault(&allow).is_some(),
            "{license}"
        );
    }
}
