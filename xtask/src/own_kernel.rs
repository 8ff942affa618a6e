// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The host VM's own kernel: built from Debian's source package with the patches of
//! host-shim/kernel.
//!
//! The result is kept in the cache under everything that it was made from: the source package, the
//! configuration, each patch in the order of their names, and the compiler.
//!
//! The source is the one of `debian.lock`. If that has left the archive, or if the newest is asked
//! for, it is the newest, if the patches apply to that. If there is none that they apply to, nobody
//! here can do anything about it, and tests of the kernel engine are left out: [`NoSource`].

use std::fmt;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::cache::{Check, remove_dir};
use crate::debian::{Choice, Packages, check_space, unpack};
use crate::inputs;
use crate::progress::Progress;
use crate::scratch::Scratch;

mod recipe;
mod series;

use recipe::Recipe;
use series::Series;

/// Its name in the cache.
const OWN_KERNEL: &str = "own-kernel";

/// There is no source that the patches apply to.
#[derive(Debug)]
pub(crate) struct NoSource(String);

impl fmt::Display for NoSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoSource {}

/// A source that the archive lists could not be had.
#[derive(Debug)]
pub(crate) struct OutOfReach;

impl fmt::Display for OutOfReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("out of reach")
    }
}

/// The kernel that is built here, with KVM and little else.
pub(crate) fn build(packages: &Packages, check: Check) -> Result<PathBuf> {
    let recipe = Recipe::of_workspace()?;
    let cache = packages.cache();
    let want = inputs::kernel_source();
    let find = |choice: &Choice| -> Result<Option<PathBuf>> {
        let key = recipe.key(&choice.identity())?;
        let found = cache.find(OWN_KERNEL, &key, check)?;
        Ok(found.map(|dir| dir.join("Image")))
    };
    let choice = packages.choose(&want)?;
    if let Some(image) = find(&choice)? {
        return Ok(image);
    }
    let (choice, package) = source(packages, &choice)?;
    if let Some(image) = find(&choice)? {
        return Ok(image);
    }
    // A build takes minutes; another run that builds something else waits, as it would only be slower.
    let _guard = cache.lock("kernel-build", "building the host VM's kernel")?;
    let key = recipe.key(&choice.identity())?;
    let dir = cache.component(OWN_KERNEL, &key, check, |dir| {
        check_space(dir, recipe::space())?;
        let unpacked = dir.join("package");
        unpack(&package, &unpacked)?;
        let archive = unpacked.join(format!("usr/src/{}.tar.xz", want.package));
        recipe.build(&archive, dir)?;
        remove_dir(&unpacked)
    })?;
    Ok(dir.join("Image"))
}

/// The source to build, which the patches apply to: `choice`, or what there is in its place.
fn source(packages: &Packages, choice: &Choice) -> Result<(Choice, PathBuf)> {
    let want = inputs::kernel_source();
    let (found, files) = packages.fetch(&want)?;
    let package = |files: Vec<PathBuf>| {
        let first = files.into_iter().next();
        first.context("a source is one package")
    };
    let package_found = package(files)?;
    let locked = packages.locked(&want);
    // The checkout answers for the locked one; what is wrong there shows in the build.
    if locked == Some(&found) {
        return Ok((found, package_found));
    }
    let Err(misfit) = try_series(packages, &found) else {
        return Ok((found, package_found));
    };
    let misfit = format!("the patches do not apply to the newest source, {found} ({misfit:#})");
    let Some(locked) = locked.filter(|locked| *locked != choice) else {
        let gone = format!("{choice} of debian.lock has left the archive");
        return Err(NoSource(format!("{gone}, and {misfit}")).into());
    };
    match packages.fetch_choice(locked) {
        Ok(files) => {
            eprintln!("{misfit}: taking {locked}");
            Ok((locked.clone(), package(files)?))
        }
        Err(error) => Err(NoSource(format!("{misfit}, and {error:#}")).into()),
    }
}

/// Applies the patches to the files of a source that they touch.
pub(crate) fn try_series(packages: &Packages, choice: &Choice) -> Result<()> {
    let series = Series::of_workspace()?;
    let touched = series.touched()?;
    let key = format!("{} {touched:?}", choice.identity());
    let name = format!("source-files/{}", choice.label());
    let files = packages
        .cache()
        .component(&name, &key, Check::Quick, |dir| {
            let package = packages.fetch_choice(choice).context(OutOfReach)?;
            let package = package.first().context("a source is one package")?;
            let progress =
                Progress::start(&format!("unpacking what the patches touch of {choice}"));
            series::extract(&touched, package, dir)?;
            progress.finish();
            Ok(())
        })?;
    // The patches change the files, and the cache is to keep them.
    let tree = Scratch::new(packages.cache().dir())?;
    for name in touched {
        let (from, to) = (files.join(&name), tree.path().join(&name));
        if from.is_file() {
            fs::create_dir_all(to.parent().unwrap_or(&to))?;
            fs::copy(from, to)?;
        }
    }
    series.apply(tree.path())
}
