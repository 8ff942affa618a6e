// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `dist`: what users install, as an archive and as a Debian package: the same bytes from every checkout of
//! a commit, on whatever machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use fakemon_launch::assets;

use crate::cache::{Check, files_below, remove_dir, sha256};
use crate::debian::unpack;
use crate::machine::Stage;
use crate::progress::Progress;
use crate::supplies::Supplies;
use crate::test::ATTACHED;
use crate::{attach, guest, workspace};

mod again;
mod contents;
mod crates;
mod deb;
mod glibc;
mod notices;
mod pages;
mod programs;
mod release;
mod sbom;
mod tree;

use release::Release;

/// Debian's name of the architecture.
const ARCH: &str = "arm64";

/// Make the package of fakemon, its library, all blobs and boards, for arm64 Linux: a .tar.xz and a .deb.
///
/// The archive unpacks anywhere, and `apt install ./fakemon_VERSION_arm64.deb` takes the other. Both have
/// the same files: `fakemon`, which is static, the library of `fakemon attach`, blobs and descriptions of
/// all boards, manual pages, completions, documents, licences, and an SBOM (CycloneDX), which is beside
/// them, too.
///
/// Times in them are the commit's, or those of $SOURCE_DATE_EPOCH, in seconds since 1970. $DEBFULLNAME and
/// $DEBEMAIL say who maintains the Debian package.
///
/// Exit codes: 0 made (and the same twice), 1 not the same twice, 2 usage, 3 anything else.
#[derive(Debug, Args)]
pub(crate) struct Dist {
    /// Where to put it [default: dist/packages in the target directory].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Make it a second time, from a copy of this checkout in another place, and compare. That builds
    /// everything, xtask too, from nothing.
    #[arg(long)]
    check: bool,
}

impl Dist {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let (release, supplies) = (Release::of_checkout()?, Supplies::open(Check::Quick)?);
        let out = match &self.out {
            Some(out) => std::path::absolute(out)?,
            None => packages(),
        };
        let made = make(&release, &supplies, &out)?;
        for path in &made {
            let size = fs::metadata(path)?.len();
            println!("{}  {size} bytes  sha256 {}", path.display(), sha256(path)?);
        }
        if !self.check {
            return Ok(ExitCode::SUCCESS);
        }
        let differences = again::differences(&release, &made)?;
        for name in &differences {
            println!("{name} is NOT the same when it is made again");
        }
        Ok(if differences.is_empty() {
            println!("all are the same when they are made again, in another place");
            ExitCode::SUCCESS
        } else {
            ExitCode::from(1)
        })
    }
}

/// Puts the Debian package on the stage, unpacked, and what guests need besides.
pub(crate) fn add_assets(stage: &mut Stage, supplies: &Supplies) -> Result<()> {
    let out = packages();
    let made = make(&Release::of_checkout()?, supplies, &out)?;
    let package = made
        .iter()
        .find(|path| path.extension() == Some("deb".as_ref()));
    let root = out.join("unpacked");
    remove_dir(&root)?;
    unpack(package.context("there is no Debian package")?, &root)?;
    for file in files_below(&root)? {
        let name = file.strip_prefix(&root)?.display().to_string();
        stage.add(&format!("{}/{name}", assets::PACKAGE), file);
    }
    let (board, kernel) = attach::add_vmm(stage, supplies)?;
    let initrd = guest::initramfs(supplies, &board, &kernel)?;
    stage.add(&assets::initrd(ATTACHED), initrd);
    Ok(())
}

/// Where packages are made if nobody says otherwise.
fn packages() -> PathBuf {
    workspace::target().join("dist/packages")
}

/// Makes all files in the directory `out`.
fn make(release: &Release, supplies: &Supplies, out: &Path) -> Result<Vec<PathBuf>> {
    // What cannot be written is known before what takes minutes.
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let programs = programs::build(supplies)?;
    let crates = crates::shipped()?;
    let sbom = sbom::json(release, &crates)?;
    let tree = contents::tree(&programs, &crates, &sbom)?;

    let progress = Progress::start("packing");
    let archive = format!("fakemon-{}-{ARCH}", release.version);
    let debian = format!("fakemon_{}_{ARCH}.deb", release.version);
    let files = [
        (
            format!("{archive}.tar.xz"),
            tree::xz(&tree.tar(&archive, release.time)?)?,
        ),
        (debian, deb::package(release, tree, &programs.needs)?),
        (format!("{archive}.cdx.json"), sbom),
    ];
    progress.finish();
    let mut made = Vec::new();
    for (name, content) in files {
        let path = out.join(name);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        made.push(path);
    }
    Ok(made)
}
