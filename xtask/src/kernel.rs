// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `kernel`: builds the host VM's own kernel, or tells to which sources its patches apply.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::cache::Check;
use crate::debian::{Choice, Packages};
use crate::inputs;
use crate::own_kernel::{self, OutOfReach, OwnKernel, try_series};
use crate::supplies::Supplies;

/// Exit code for [`own_kernel::NoSource`].
pub(crate) const NO_SOURCE: u8 = 4;

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
            return check(supplies.packages());
        }
        if self.newest {
            supplies.take_newest();
        }
        let kernel =
            own_kernel::build(supplies.packages(), &OwnKernel::of_host_vm(), Check::Quick)?;
        println!("{}", kernel.display());
        Ok(ExitCode::SUCCESS)
    }
}

/// Tells of every source in the archive whether the patches apply to it.
fn check(packages: &Packages) -> Result<ExitCode> {
    let want = inputs::kernel_source(inputs::LINUX);
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
        match try_series(packages, choice) {
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
