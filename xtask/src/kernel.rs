// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `kernel`: builds the host VM's own kernel from Debian's source package, or tells to which sources
//! its patches apply.
//!
//! The result is kept in the cache under everything that it was made from: the source package, the
//! configuration, each patch of host-shim/kernel in the order of their names, and the compiler.
//!
//! The source is the one of `debian.lock`. If that has left the archive, or with `--newest`, it is
//! the newest, if the patches apply to that. If there is none that they apply to, nobody here can do
//! anything about it, and tests of the kernel engine are left out: [`NoSource`].

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::cache::{Check, remove_dir};
use crate::debian::{Choice, check_space};
use crate::inputs;
use crate::machine::scratch::Scratch;
use crate::progress::Progress;
use crate::supplies::{Supplies, unpack};

mod recipe;
mod series;

use recipe::Recipe;
use series::Series;

/// Exit code for [`NoSource`].
pub(crate) const NO_SOURCE: u8 = 4;
/// That kernel in the cache.
const OWN_KERNEL: &str = "own-kernel";

/// Build the host VM's own kernel, small and with the patches of host-shim/kernel.
///
/// Prints the path of the image. `run`, `test` and `bench` use it with `--host-kernel own` and, as no
/// distribution's kernel has the patches, with `--engine kernel`; everything else with
/// FAKEMON_HOST_KERNEL=own. The second time it comes from the cache. Exit code 4 if the archive has no
/// source that the patches apply to.
#[derive(Debug, Args)]
pub(crate) struct Kernel {
    /// Build nothing: apply the patches to every source within reach, and say what does not fit.
    /// Exit code 1 if they do not apply to one.
    #[arg(long)]
    check: bool,
    /// Take the newest source rather than that of debian.lock.
    #[arg(long, conflicts_with = "check")]
    newest: bool,
}

impl Kernel {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let mut supplies = Supplies::open(Check::Quick)?;
        if self.check {
            return check(&supplies);
        }
        if self.newest {
            supplies.take_newest();
        }
        println!("{}", own_kernel(&supplies)?.display());
        Ok(ExitCode::SUCCESS)
    }
}

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
struct OutOfReach;

impl fmt::Display for OutOfReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("out of reach")
    }
}

/// The kernel that is built here, with KVM and little else.
pub(crate) fn own_kernel(supplies: &Supplies) -> Result<PathBuf> {
    let recipe = Recipe::of_workspace()?;
    let packages = supplies.packages();
    let cache = packages.cache();
    let want = inputs::kernel_source();
    let find = |choice: &Choice| -> Result<Option<PathBuf>> {
        let wish = recipe.wish(&choice.identity())?;
        let found = cache.find(OWN_KERNEL, &wish, supplies.check())?;
        Ok(found.map(|dir| dir.join("Image")))
    };
    let choice = packages.choose(&want)?;
    if let Some(image) = find(&choice)? {
        return Ok(image);
    }
    let (choice, package) = source(supplies, &choice)?;
    if let Some(image) = find(&choice)? {
        return Ok(image);
    }
    // A build takes minutes; another run that builds something else waits, as it would only be slower.
    let _guard = cache.lock("kernel-build", "building the host VM's kernel")?;
    let wish = recipe.wish(&choice.identity())?;
    let dir = cache.component(OWN_KERNEL, &wish, supplies.check(), |dir| {
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
fn source(supplies: &Supplies, choice: &Choice) -> Result<(Choice, PathBuf)> {
    let packages = supplies.packages();
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
    let Err(misfit) = try_series(supplies, &found) else {
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
fn try_series(supplies: &Supplies, choice: &Choice) -> Result<()> {
    let series = Series::of_workspace()?;
    let touched = series.touched()?;
    let wish = format!("{} {touched:?}", choice.identity());
    let packages = supplies.packages();
    let name = format!("source-files/{}", choice.label());
    let files = packages
        .cache()
        .component(&name, &wish, Check::Quick, |dir| {
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

/// Tells of every source in the archive whether the patches apply to it.
fn check(supplies: &Supplies) -> Result<ExitCode> {
    let packages = supplies.packages();
    let want = inputs::kernel_source();
    let mut choices: Vec<Choice> = packages.locked(&want).cloned().into_iter().collect();
    let apt = packages.lists(&want)?;
    for version in apt.versions(&want.package)? {
        if choices.iter().all(|known| known.version != version) {
            choices.push(apt.alone(&want.package, Some(&version))?);
        }
    }
    drop(apt);
    let (mut misfits, locked) = (0, packages.locked(&want).cloned());
    for choice in &choices {
        let mark = if Some(choice) == locked.as_ref() {
            " (locked)"
        } else {
            ""
        };
        match try_series(supplies, choice) {
            Ok(()) => println!("{choice}{mark}: applies"),
            Err(error) if error.is::<OutOfReach>() => println!("{choice}{mark}: {error:#}"),
            Err(misfit) => {
                misfits += 1;
                println!("{choice}{mark}: does not apply: {misfit:#}");
            }
        }
        // Only the locked one is built; each of the others is large, and its few files are kept.
        if mark.is_empty() {
            packages.forget(choice)?;
        }
    }
    Ok(ExitCode::from(u8::from(misfits > 0)))
}
