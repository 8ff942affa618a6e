// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Kernels that are built here from Debian's source packages: the host VM's, with the patches of
//! host-shim/kernel, and those of guests whose drivers no packaged kernel has.
//!
//! The result is kept in the cache under everything that it was made from: the source package, the
//! configuration, each patch in the order of their names, and the compiler.
//!
//! The source is the one of `debian.lock`. If that has left the archive, or if the newest is asked
//! for, it is the newest, if the patches apply to that. If there is none that they apply to, nobody
//! here can do anything about it, and what needs the kernel is left out of the tests: [`NoSource`].

use std::fmt;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use fakemon_manifest::{Arch, Board, Demo};

use crate::cache::{Check, remove_dir};
use crate::debian::{Choice, Missing, Packages, Want, check_space, unpack};
use crate::progress::Progress;
use crate::scratch::Scratch;
use crate::{inputs, workspace};

mod recipe;
mod series;

use recipe::Recipe;
use series::Series;

/// A kernel that is built here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnKernel {
    /// Its name in the cache.
    name: String,
    /// What messages call it.
    title: String,
    /// The package with its source.
    source: Want,
    arch: Arch,
    /// What `make allnoconfig` is to switch on, one file after the other.
    configs: Vec<PathBuf>,
    /// Whether the patches of host-shim/kernel are part of it.
    patched: bool,
}

impl OwnKernel {
    /// The host VM's, with KVM and little else.
    pub(crate) fn of_host_vm() -> OwnKernel {
        OwnKernel {
            name: "own-kernel".to_owned(),
            title: "the host VM's kernel".to_owned(),
            source: inputs::kernel_source(inputs::LINUX),
            arch: Arch::Arm64,
            configs: vec![config("kvm-host.config")],
            patched: true,
        }
    }

    /// The same with pages of 64 KiB.
    pub(crate) fn of_host_vm_with_64k() -> OwnKernel {
        let of_host_vm = OwnKernel::of_host_vm();
        OwnKernel {
            name: format!("{}-64k", of_host_vm.name),
            title: format!("{} with pages of 64 KiB", of_host_vm.title),
            configs: vec![config("kvm-host.config"), config("pages-64k.config")],
            ..of_host_vm
        }
    }

    /// The one that a guest of `board` boots in a demonstration.
    pub(crate) fn of_demo(board: &Board, demo: &Demo) -> OwnKernel {
        OwnKernel {
            name: format!("guest-kernels/{}-{}", board.name, demo.name),
            title: format!("a kernel for the demonstration {}", demo.name),
            source: inputs::kernel_source(&demo.kernel.source),
            arch: board.guest.arch,
            configs: vec![workspace::board_dir(&board.name).join(&demo.kernel.config)],
            patched: false,
        }
    }

    fn series(&self) -> Result<Series> {
        if self.patched {
            return Series::of_workspace();
        }
        Ok(Series::default())
    }
}

/// A file of the host VM's kernels.
fn config(name: &str) -> PathBuf {
    workspace::root().join("host-shim/kernel").join(name)
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
pub(crate) struct OutOfReach;

impl fmt::Display for OutOfReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("out of reach")
    }
}

/// The image of `kernel`, built if it is not here.
pub(crate) fn build(packages: &Packages, kernel: &OwnKernel, check: Check) -> Result<PathBuf> {
    let recipe = Recipe::new(kernel)?;
    let (cache, name) = (packages.cache(), kernel.name.as_str());
    let find = |choice: &Choice| -> Result<Option<PathBuf>> {
        let key = recipe.key(&choice.identity())?;
        let found = cache.find(name, &key, check)?;
        Ok(found.map(|dir| dir.join(recipe.image())))
    };
    let choice = packages.choose(&kernel.source).map_err(no_source)?;
    if let Some(image) = find(&choice)? {
        return Ok(image);
    }
    let (choice, package) = source(packages, kernel, &choice)?;
    if let Some(image) = find(&choice)? {
        return Ok(image);
    }
    // A build takes minutes; another run that builds something else waits, as it would only be slower.
    let _guard = cache.lock("kernel-build", "building a kernel")?;
    let key = recipe.key(&choice.identity())?;
    let dir = cache.component(name, &key, check, |dir| {
        check_space(dir, recipe::space())?;
        let unpacked = dir.join("package");
        unpack(&package, &unpacked)?;
        let archive = unpacked.join(format!("usr/src/{}.tar.xz", kernel.source.package));
        recipe.build(&archive, dir)?;
        remove_dir(&unpacked)
    })?;
    Ok(dir.join(recipe.image()))
}

/// What the archive has not any more is nobody's fault here.
fn no_source(error: anyhow::Error) -> anyhow::Error {
    match error.is::<Missing>() {
        true => NoSource(format!("{error:#}")).into(),
        false => error,
    }
}

/// The source to build, which the patches apply to: `choice`, or what there is in its place.
fn source(packages: &Packages, kernel: &OwnKernel, choice: &Choice) -> Result<(Choice, PathBuf)> {
    let want = &kernel.source;
    let (found, files) = packages.fetch(want).map_err(no_source)?;
    let package = |files: Vec<PathBuf>| {
        let first = files.into_iter().next();
        first.context("a source is one package")
    };
    let package_found = package(files)?;
    let locked = packages.locked(want);
    // The checkout answers for the locked one; what is wrong there shows in the build.
    if locked == Some(&found) || !kernel.patched {
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
