// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What host VMs and guests are made of: QEMU, kernels and busybox, from the cache or fetched into
//! it, or from the paths that the user gives.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use fakemon_host::Engine;
use fakemon_launch::env;
use fakemon_manifest::{Arch, Board, Demo, TestKind};

use crate::cache::{Cache, Check, files_below, remove_dir};
use crate::debian::{Choice, Missing, Packages, Want, unpack};
use crate::inputs::{self, GuestKernel};
use crate::lacks::Lacks;
use crate::machine::Cpu;
use crate::machine::hostvm::HostFiles;
use crate::machine::qemu::Qemu;
use crate::own_kernel::OwnKernel;
use crate::progress::Progress;
use crate::{own_kernel, this_machine, workspace};

mod guest_kernel;
mod host_kernel;
mod vmm;

pub(crate) use guest_kernel::Kernel;
use guest_kernel::{Parts, given_kernel};
pub(crate) use host_kernel::HostKernel;
pub(crate) use vmm::Vmm;

/// Finds things, and fetches what is missing.
#[derive(Debug)]
pub(crate) struct Supplies {
    packages: Packages,
    check: Check,
    /// What somebody has chosen.
    host_kernel: Option<HostKernel>,
    guest_kernel: GuestKernel,
}

impl Supplies {
    /// Opens the cache. The environment chooses as the options of a verb would.
    pub(crate) fn open(check: Check) -> Result<Supplies> {
        let newest = env::is_on(env::NEWEST);
        Ok(Supplies {
            packages: Packages::new(Cache::open()?, newest)?,
            check,
            host_kernel: chosen(env::HOST_KERNEL)?,
            guest_kernel: chosen(env::KERNEL)?.unwrap_or_default(),
        })
    }

    /// Takes the newest packages whatever debian.lock says.
    pub(crate) fn take_newest(&mut self) {
        self.packages.take_newest();
    }

    /// Has guests run the kernel `choice` instead of Debian 13's.
    pub(crate) fn choose_guest_kernel(&mut self, choice: &GuestKernel) {
        self.guest_kernel = choice.clone();
    }

    /// Tells whether guests run the kernel that their boards are made for.
    pub(crate) fn is_default_kernel(&self) -> bool {
        self.guest_kernel == GuestKernel::default()
    }

    /// Refuses the guests' kernel on a processor that it cannot run on.
    pub(crate) fn fits(&self, arch: Arch, cpu: Cpu) -> Result<()> {
        let pages_16k = self.guest_kernel == GuestKernel::Named("16k") && arch == Arch::Arm64;
        if pages_16k && !cpu.has_pages_of_16k() {
            let reason = "has no pages of 16 KiB (ID_AA64MMFR0_EL1.TGran16)";
            return Err(Lacks(format!("{} {reason}", cpu.name())).into());
        }
        Ok(())
    }

    /// Has host VMs with the processor `cpu` boot the kernel `choice`; the environment's choice otherwise.
    /// If nobody chooses and `engine` is KVM itself, it is our own, as no distribution's has that.
    pub(crate) fn choose_host_kernel(
        &mut self,
        choice: Option<&HostKernel>,
        engine: Engine,
        cpu: Cpu,
    ) -> Result<()> {
        if let Some(choice) = choice {
            self.host_kernel = Some(choice.clone());
        } else if engine == Engine::Kernel {
            self.host_kernel.get_or_insert(HostKernel::Own);
        }
        let kernel = self.host_kernel.as_ref();
        kernel.map_or(Ok(()), |kernel| kernel.check(cpu))
    }

    /// Tells whether host VMs with this processor can have the kernel that has been chosen.
    pub(crate) fn host_kernel_runs_on(&self, cpu: Cpu) -> bool {
        let kernel = self.host_kernel.as_ref();
        kernel.is_none_or(|kernel| kernel.runs_on(cpu))
    }

    /// The packages that all this comes from.
    pub(crate) fn packages(&self) -> &Packages {
        &self.packages
    }

    /// Where the cache is.
    pub(crate) fn dir(&self) -> &Path {
        self.packages.cache().dir()
    }

    /// What a host VM is made of, where programs need one.
    pub(crate) fn host_files(&self) -> Result<Option<HostFiles>> {
        if this_machine::is_native()? {
            return Ok(None);
        }
        Ok(Some(HostFiles {
            kernel: self.host_kernel()?,
            qemu: self.qemu()?,
        }))
    }

    /// A QEMU that emulates an Arm machine with EL2.
    fn qemu(&self) -> Result<Qemu> {
        if let Some(qemu) = Qemu::of_machine()? {
            return Ok(qemu);
        }
        let arch = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => bail!(
                "there is no QEMU package for {other}: set {} to one",
                env::QEMU
            ),
        };
        let (root, _) = self.component("qemu", &inputs::qemu(arch), "", |dir| {
            for unused in ["doc", "man", "locale"] {
                remove_dir(&dir.join("usr/share").join(unused))?;
            }
            Ok(())
        })?;
        Qemu::of_root(&root).with_context(|| format!("remove {}", root.display()))
    }

    /// Debian's QEMU as a VMM on Arm, and what goes with it.
    pub(crate) fn vmm(&self) -> Result<Vmm> {
        let want = inputs::qemu("arm64");
        let (dir, _) = self.component("vmm", &want, Vmm::PARTS, Vmm::take)?;
        Ok(Vmm::in_dir(dir))
    }

    /// The host VM's kernel.
    pub(crate) fn host_kernel(&self) -> Result<PathBuf> {
        let build = |kernel: OwnKernel| own_kernel::build(&self.packages, &kernel, self.check);
        let debian = |want: Want| -> Result<PathBuf> {
            let choice = self.packages.choose(&want)?;
            Ok(self.kernel(choice, Some(&want), &Parts::default())?.image())
        };
        match self.host_kernel.clone().unwrap_or_default() {
            HostKernel::Own => build(OwnKernel::of_host_vm()),
            HostKernel::Pages64k => build(OwnKernel::of_host_vm_with_64k()),
            HostKernel::Debian => debian(inputs::host_kernel()),
            HostKernel::Pages16k => debian(inputs::host_kernel_16k()),
            HostKernel::File(path) => Ok(path),
        }
    }

    /// The kernel of a board's guest, with the device trees and modules that all boards want of
    /// this package.
    pub(crate) fn guest_kernel(&self, board: &Board) -> Result<Kernel> {
        let package = &board.guest.kernel;
        if let GuestKernel::Files(path) = &self.guest_kernel {
            if path.is_dir() {
                return given_kernel(path.clone(), package);
            }
            let mut kernel = self.debian_kernel(board, inputs::LINUX)?;
            kernel.image.clone_from(path);
            return Ok(kernel);
        }
        if let Some(kernels) = given(env::KERNELS)? {
            let dir = match &self.guest_kernel {
                GuestKernel::Named(inputs::LINUX) => package.clone(),
                other => format!("{package}-{other}"),
            };
            return given_kernel(kernels.join(dir), package);
        }
        match &self.guest_kernel {
            GuestKernel::Exact(linux) => {
                let want = inputs::kernel_want(board, inputs::LINUX).map_err(Lacks)?;
                let choice = self.packages.choose_version(linux, &want)?;
                self.kernel(choice, None, &Parts::of_boards(inputs::LINUX, &want)?)
            }
            GuestKernel::Named(name) => self.debian_kernel(board, name),
            GuestKernel::Files(_) => unreachable!("handled above"),
        }
    }

    /// The kernel of a demonstration.
    pub(crate) fn demo_kernel(&self, board: &Board, demo: &Demo) -> Result<PathBuf> {
        own_kernel::build(&self.packages, &OwnKernel::of_demo(board, demo), self.check)
    }

    /// A statically linked busybox.
    pub(crate) fn busybox(&self, arch: Arch) -> Result<PathBuf> {
        let variable = format!("{}{}", env::BUSYBOX, arch.as_str().to_uppercase());
        if let Some(busybox) = given(&variable)? {
            return Ok(busybox);
        }
        let name = format!("busybox-{}", arch.as_str());
        let (dir, _) = self.component(&name, &inputs::busybox(arch), "", |dir| {
            fs::rename(dir.join("usr/bin/busybox"), dir.join("busybox"))?;
            remove_dir(&dir.join("usr"))
        })?;
        Ok(dir.join("busybox"))
    }

    /// The device trees of the kernels that boards are made for, a directory for each package; none if
    /// the user gives kernels that are no packages.
    pub(crate) fn device_trees(&self) -> Result<Vec<PathBuf>> {
        if given("FAKEMON_KERNELS")?.is_some() {
            return Ok(Vec::new());
        }
        let boards = workspace::boards()?;
        let debians = boards.iter().filter(|board| board.test == TestKind::Driver);
        let wants = debians.map(|board| inputs::kernel_want(board, inputs::LINUX).map_err(Lacks));
        let wants: BTreeSet<Want> = wants.collect::<Result<_, _>>()?;
        let take = |dir: &Path| {
            let files = files_below(dir)?;
            for file in files
                .iter()
                .filter(|file| file.extension() != Some("dtb".as_ref()))
            {
                fs::remove_file(file)?;
            }
            Ok(())
        };
        let trees = |want| Ok(self.component("device-trees", want, "", take)?.0);
        wants.iter().map(trees).collect()
    }

    fn debian_kernel(&self, board: &Board, name: &str) -> Result<Kernel> {
        let want = inputs::kernel_want(board, name).map_err(Lacks)?;
        let choice = match self.packages.choose(&want) {
            Err(error) if error.is::<Missing>() => return Err(Lacks(format!("{error:#}")).into()),
            chosen => chosen?,
        };
        self.kernel(choice, Some(&want), &Parts::of_boards(name, &want)?)
    }

    /// A kernel of Debian's, for a want or exactly.
    fn kernel(&self, choice: Choice, want: Option<&Want>, parts: &Parts) -> Result<Kernel> {
        let take = |dir: &Path| {
            let unpacked = dir.join("unpacked");
            fs::create_dir(&unpacked)?;
            for entry in fs::read_dir(dir)? {
                let path = entry?.path();
                if path != unpacked {
                    fs::rename(&path, unpacked.join(path.file_name().unwrap_or_default()))?;
                }
            }
            parts.take(&unpacked, dir)?;
            remove_dir(&unpacked)
        };
        let (dir, choice) = self.made_of("kernels", choice, want, &format!("{parts:?}"), take)?;
        Ok(Kernel::in_dir(dir, &choice.label()))
    }

    /// A component of the cache that is made of a package by unpacking it, `finish`ed by taking
    /// away what is not needed.
    fn component(
        &self,
        name: &str,
        want: &Want,
        parts: &str,
        finish: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<(PathBuf, Choice)> {
        let choice = self.packages.choose(want)?;
        self.made_of(name, choice, Some(want), parts, finish)
    }

    fn made_of(
        &self,
        name: &str,
        choice: Choice,
        want: Option<&Want>,
        parts: &str,
        finish: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<(PathBuf, Choice)> {
        let cache = self.packages.cache();
        let name_and_key = |choice: &Choice| {
            let name = format!("{name}/{}", choice.label());
            (name, format!("{} {parts}", choice.identity()))
        };
        let (path, key) = name_and_key(&choice);
        if let Some(dir) = cache.find(&path, &key, self.check)? {
            return Ok((dir, choice));
        }
        let (choice, files) = match want {
            Some(want) => self.packages.fetch(want)?,
            None => {
                let files = self.packages.fetch_choice(&choice)?;
                (choice, files)
            }
        };
        let (path, key) = name_and_key(&choice);
        let dir = cache.component(&path, &key, self.check, |dir| {
            let progress = Progress::start(&format!("unpacking {choice}"));
            for file in &files {
                unpack(file, dir)?;
            }
            finish(dir)?;
            progress.finish();
            Ok(())
        })?;
        Ok((dir, choice))
    }
}

/// What the user chose by an environment variable.
fn chosen<T: FromStr<Err = String>>(variable: &'static str) -> Result<Option<T>> {
    let name = std::env::var(variable).ok();
    let choice = name.map(|name| name.parse()).transpose();
    choice.map_err(anyhow::Error::msg).context(variable)
}

/// A path that the user gave by an environment variable.
fn given(variable: &str) -> Result<Option<PathBuf>> {
    std::env::var_os(variable)
        .map(|path| existing(variable, path.into()))
        .transpose()
}

fn existing(who: &str, path: PathBuf) -> Result<PathBuf> {
    ensure!(
        path.exists(),
        "{who} names {}, which does not exist",
        path.display()
    );
    Ok(path)
}
