// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a package consists of, for programs to read: an SBOM in CycloneDX 1.5.

use anyhow::{Context, Result, anyhow, ensure};
use cyclonedx_bom::external_models::uri::Purl;
use cyclonedx_bom::models::bom::{Bom, SpecVersion};
use cyclonedx_bom::models::component::{Classification, Component, Components};
use cyclonedx_bom::models::dependency::{Dependencies, Dependency};
use cyclonedx_bom::models::license::{LicenseChoice, Licenses};
use cyclonedx_bom::models::metadata::Metadata;
use cyclonedx_bom::prelude::{DateTime, SpdxExpression, Validate};

use super::crates::{Crate, Crates};
use super::release::Release;
use crate::cargo;

/// The whole package.
const PACKAGE: &str = "fakemon-package";
/// The standard library, which every program has.
const STANDARD: &str = "rust-std";

/// The SBOM of these crates.
pub(super) fn json(release: &Release, crates: &Crates) -> Result<Vec<u8>> {
    let compiler = cargo::rustc(&["--version"])?;
    let compiler = compiler.split(' ').nth(1).unwrap_or_default();
    let bom = bom(release, crates, compiler)?;
    let checked = bom.validate_version(SpecVersion::V1_5);
    ensure!(checked.passed(), "the SBOM is not valid: {checked:?}");
    let mut json = Vec::new();
    bom.output_as_json_v1_5(&mut json)?;
    json.push(b'\n');
    Ok(json)
}

fn bom(release: &Release, crates: &Crates, compiler: &str) -> Result<Bom> {
    let mut components = vec![component(
        STANDARD,
        STANDARD,
        compiler,
        "MIT OR Apache-2.0",
    )?];
    let mut dependencies = Vec::new();
    for (key, known) in crates {
        components.push(of_crate(key, known)?);
        dependencies.push(Dependency {
            dependency_ref: key.clone(),
            dependencies: known.needs.iter().cloned().collect(),
        });
    }
    // What nothing else needs is what users run.
    let is_root = |key: &&String| crates.values().all(|known| !known.needs.contains(*key));
    let roots = crates.keys().filter(is_root).cloned();
    dependencies.push(Dependency {
        dependency_ref: PACKAGE.to_owned(),
        dependencies: roots.chain([STANDARD.to_owned()]).collect(),
    });
    let mut package = component(PACKAGE, "fakemon", &release.version, "Apache-2.0 OR MIT")?;
    package.component_type = Classification::Application;
    let time = DateTime::try_from(release.internet_date()?);
    Ok(Bom {
        spec_version: SpecVersion::V1_5,
        // It would be another one each time.
        serial_number: None,
        metadata: Some(Metadata {
            timestamp: Some(time.context("no date")?),
            component: Some(package),
            ..Metadata::default()
        }),
        components: Some(Components(components)),
        dependencies: Some(Dependencies(dependencies)),
        ..Bom::default()
    })
}

fn of_crate(key: &str, known: &Crate) -> Result<Component> {
    let mut component = component(key, &known.name, &known.version, &known.licence)?;
    if known.is_foreign {
        let purl = Purl::new("cargo", &known.name, &known.version);
        component.purl = Some(purl.map_err(|error| anyhow!("{key}: {error}"))?);
    }
    Ok(component)
}

fn component(key: &str, name: &str, version: &str, licence: &str) -> Result<Component> {
    let mut component =
        Component::new(Classification::Library, name, version, Some(key.to_owned()));
    // Some write `MIT/Apache-2.0`.
    let licence = SpdxExpression::parse_lax(licence.to_owned());
    let licence = licence.map_err(|error| anyhow!("{key}: {error}"))?;
    component.licenses = Some(Licenses(vec![LicenseChoice::Expression(licence)]));
    Ok(component)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::dist::crates::tests::example;
    use crate::dist::release::tests::release;

    #[test]
    fn it_names_all_crates_and_who_needs_whom_and_is_the_same_each_time() {
        let crates = Crates::from([example("a", &["b"]), example("b", &[])]);
        let json = json(&release(), &crates).expect("an SBOM");
        let value: Value = serde_json::from_slice(&json).expect("JSON");
        assert_eq!(
            (&value["bomFormat"], &value["specVersion"]),
            (&"CycloneDX".into(), &"1.5".into())
        );
        assert_eq!(value["metadata"]["timestamp"], "1970-01-02T00:00:00Z");
        let components = value["components"].as_array().expect("components");
        let names: Vec<_> = components.iter().map(|there| &there["name"]).collect();
        assert_eq!(names, ["rust-std", "a", "b"]);
        assert_eq!(components[1]["purl"], "pkg:cargo/a@1.0.0");
        let package = value["dependencies"].as_array().and_then(|all| all.last());
        let needs = &package.expect("the package")["dependsOn"];
        assert_eq!(*needs, serde_json::json!(["a@1.0.0", "rust-std"]));
        assert_eq!(super::json(&release(), &crates).expect("an SBOM"), json);
    }
}
