// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Everything that is not built here: QEMU, kernels and busybox, from the cache or fetched into it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use fakemon_manifest::{Arch, Board};
use xshell::{Shell, cmd};

use crate::apt::{self, Apt};
use crate::cache::{Cache, Check, files_below, remove_dir};
use crate::engine::Engine;
use crate::kernel::{self, Recipe, Turn};
use crate::machine::qemu::Qemu;
use crate::progress::Progress;
use crate::{modules, workspace};

/// The kernel of the host VM: small, with KVM and the virtio console built in.
const HOST_KERNEL: &str = "linux-image-cloud-arm64";
/// The source of the host VM's own kernel.
const KERNEL_SOURCE: &str = "linux-source-6.12";
/// Names the variable that chooses the host VM's kernel.
pub(crate) const HOST_KERNEL_VARIABLE: &str = "FAKEMON_HOST_KERNEL";
/// In place of a file: the kernel that `cargo xtask kernel` builds.
const OWN: &str = "own";
/// That kernel in the cache.
const OWN_KERNEL: &str = "own-kernel";

/// Finds things, and fetches what is missing.
#[derive(Debug)]
pub(crate) struct Supplies {
    cache: Cache,
    apt: Option<Apt>,
    check: Check,
    host_kernel: Option<OsString>,
}

/// A guest kernel's files.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    dir: PathBuf,
}

impl Kernel {
    /// The kernel itself.
    pub(crate) fn image(&self) -> PathBuf {
        self.dir.join("vmlinuz")
    }

    /// Its device tree of this name.
    pub(crate) fn dtb(&self, name: &str) -> PathBuf {
        self.dir.join("dtbs").join(name)
    }

    /// Its modules.
    pub(crate) fn modules(&self) -> PathBuf {
        self.dir.join("modules")
    }
}

impl Supplies {
    /// Opens the cache and keeps other runs out of it.
    pub(crate) fn open(check: Check) -> Result<Supplies> {
        Ok(Supplies {
            cache: Cache::open()?,
            apt: None,
            check,
            host_kernel: std::env::var_os(HOST_KERNEL_VARIABLE),
        })
    }

    /// Has host VMs boot the kernel `choice`: a file, or `own`; the environment's choice otherwise.
    /// If nobody chooses and `engine` is KVM itself, it is our own, as no distribution's has that.
    pub(crate) fn choose_host_kernel(
        &mut self,
        choice: Option<&str>,
        engine: Option<Engine>,
    ) -> Result<()> {
        if let Some(choice) = choice {
            self.host_kernel = Some(chosen_host_kernel(choice)?);
        } else if engine == Some(Engine::Kernel) {
            self.host_kernel.get_or_insert_with(|| OWN.into());
        }
        Ok(())
    }

    /// Where the cache is.
    pub(crate) fn dir(&self) -> &Path {
        self.cache.dir()
    }

    /// A QEMU that emulates an Arm machine with EL2.
    pub(crate) fn qemu(&mut self) -> Result<Qemu> {
        if let Some(qemu) = Qemu::of_machine()? {
            return Ok(qemu);
        }
        let arch = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => bail!("there is no QEMU package for {other}: set FAKEMON_QEMU to one"),
        };
        let wish = format!("qemu-system-arm:{arch}");
        let root = self.component("qemu", &wish, |apt, dir| {
            let packages = apt.download_closure("qemu-system-arm", arch)?;
            let progress = Progress::start("unpacking QEMU");
            for package in packages {
                unpack(&package, dir)?;
            }
            for unused in ["doc", "man", "locale"] {
                remove_dir(&dir.join("usr/share").join(unused))?;
            }
            progress.finish();
            Ok(())
        })?;
        Qemu::of_root(&root).with_context(|| format!("remove {}", root.display()))
    }

    /// The host VM's kernel.
    pub(crate) fn host_kernel(&mut self) -> Result<PathBuf> {
        match self.host_kernel.clone() {
            Some(choice) if choice == OWN => self.own_kernel(),
            Some(path) => existing(HOST_KERNEL_VARIABLE, path.into()),
            None => {
                let wishes = Wishes::default();
                Ok(self.kernel(HOST_KERNEL, "arm64", &wishes)?.image())
            }
        }
    }

    /// The kernel that is built here, with KVM and little else.
    pub(crate) fn own_kernel(&mut self) -> Result<PathBuf> {
        let recipe = Recipe::of_workspace()?;
        let source = self.component("kernel-source", KERNEL_SOURCE, |apt, dir| {
            let unpacked = dir.join("unpacked");
            for package in apt.download(KERNEL_SOURCE, "all")? {
                // Its name ends in the version, which names what is built from it.
                let name = package.file_stem().unwrap_or_default();
                fs::write(dir.join("version"), name.as_encoded_bytes())?;
                unpack(&package, &unpacked)?;
            }
            let archive = format!("usr/src/{KERNEL_SOURCE}.tar.xz");
            fs::rename(unpacked.join(archive), dir.join("source.tar.xz"))?;
            remove_dir(&unpacked)
        })?;
        let wish = recipe.wish(&fs::read_to_string(source.join("version"))?)?;
        if let Some(dir) = self.cache.find(OWN_KERNEL, &wish, self.check)? {
            return Ok(dir.join("Image"));
        }
        // A build takes minutes, in which others may use the cache, but not build the same.
        let turn = self.cache.while_open(Turn::take)?;
        if let Some(dir) = self.cache.find(OWN_KERNEL, &wish, self.check)? {
            return Ok(dir.join("Image"));
        }
        let archive = source.join("source.tar.xz");
        self.cache.while_open(|cache| {
            apt::check_space(cache, kernel::space())?;
            recipe.build(&archive, turn.dir())
        })?;
        let dir = self
            .cache
            .store(OWN_KERNEL, &wish, |dir| turn.move_to(dir))?;
        Ok(dir.join("Image"))
    }

    /// The kernel of a board's guest, with the device trees and modules that all boards want of
    /// this package.
    pub(crate) fn guest_kernel(&mut self, board: &Board) -> Result<Kernel> {
        let package = &board.guest.kernel;
        if let Some(kernels) = given("FAKEMON_KERNELS")? {
            let dir = kernels.join(package);
            ensure!(
                dir.join("vmlinuz").is_file(),
                "{} has no vmlinuz",
                dir.display()
            );
            return Ok(Kernel { dir });
        }
        let mut wishes = Wishes::default();
        for board in workspace::boards()? {
            if board.guest.kernel == *package {
                wishes.dtbs.extend(board.guest.dtb);
                wishes.modules.extend(board.guest.modules);
            }
        }
        self.kernel(package, board.guest.arch.as_str(), &wishes)
    }

    /// A statically linked busybox.
    pub(crate) fn busybox(&mut self, arch: Arch) -> Result<PathBuf> {
        let arch = arch.as_str();
        if let Some(busybox) = given(&format!("FAKEMON_BUSYBOX_{}", arch.to_uppercase()))? {
            return Ok(busybox);
        }
        let name = format!("busybox/{arch}");
        let dir = self.component(&name, &format!("busybox-static:{arch}"), |apt, dir| {
            let unpacked = dir.join("unpacked");
            for package in apt.download("busybox-static", arch)? {
                unpack(&package, &unpacked)?;
            }
            fs::rename(unpacked.join("usr/bin/busybox"), dir.join("busybox"))?;
            remove_dir(&unpacked)
        })?;
        Ok(dir.join("busybox"))
    }

    fn kernel(&mut self, package: &str, arch: &str, wishes: &Wishes) -> Result<Kernel> {
        let name = format!("kernels/{package}");
        let wish = format!("{package}:{arch} {wishes:?}");
        let dir = self.component(&name, &wish, |apt, dir| {
            let image = apt.resolve_kernel(package, arch)?;
            let packages = apt.download(&image, arch)?;
            let progress = Progress::start(&format!("unpacking {image}"));
            let unpacked = dir.join("unpacked");
            for package in packages {
                unpack(&package, &unpacked)?;
            }
            wishes.take(&unpacked, dir)?;
            remove_dir(&unpacked)?;
            progress.finish();
            Ok(())
        })?;
        Ok(Kernel { dir })
    }

    /// A component of the cache, made by `fill` if it is missing or damaged.
    fn component(
        &mut self,
        name: &str,
        wish: &str,
        fill: impl FnOnce(&Apt, &Path) -> Result<()>,
    ) -> Result<PathBuf> {
        if let Some(dir) = self.cache.find(name, wish, self.check)? {
            return Ok(dir);
        }
        let apt = match self.apt.take() {
            Some(apt) => apt,
            None => Apt::open(&self.cache.dir().join("apt"))?,
        };
        let stored = self.cache.store(name, wish, |dir| fill(&apt, dir))?;
        apt.clean()?;
        self.apt = Some(apt);
        Ok(stored)
    }
}

/// What is wanted of a kernel package besides the kernel.
#[derive(Debug, Default)]
struct Wishes {
    dtbs: BTreeSet<String>,
    modules: BTreeSet<String>,
}

impl Wishes {
    /// Takes the wanted files out of an unpacked package: `vmlinuz`, `dtbs/` and `modules/`.
    fn take(&self, package: &Path, to: &Path) -> Result<()> {
        let files = files_below(package)?;
        let image = files.iter().find(|file| {
            file.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-"))
        });
        let image = image.context("the kernel package has no vmlinuz")?;
        fs::copy(image, to.join("vmlinuz"))?;
        for name in &self.dtbs {
            let dtb = files
                .iter()
                .find(|file| file.ends_with(name))
                .with_context(|| {
                    format!("the kernel package has no {name}: correct `dtb` in board.toml")
                })?;
            let to = to.join("dtbs").join(name);
            fs::create_dir_all(to.parent().unwrap_or(&to))?;
            fs::copy(dtb, to)?;
        }
        let names: Vec<_> = self.modules.iter().cloned().collect();
        fs::create_dir(to.join("modules"))?;
        for module in modules::load(package, &names)? {
            fs::write(
                to.join("modules").join(format!("{}.ko", module.name)),
                module.content,
            )?;
        }
        Ok(())
    }
}

/// The user's choice of a host kernel as the variable takes it in any directory.
pub(crate) fn chosen_host_kernel(choice: &str) -> Result<OsString> {
    Ok(match choice {
        OWN => choice.into(),
        path => existing("--host-kernel", std::path::absolute(path)?)?.into(),
    })
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

fn unpack(package: &Path, to: &Path) -> Result<()> {
    let sh = Shell::new()?;
    fs::create_dir_all(to)?;
    cmd!(sh, "dpkg-deb --extract {package} {to}")
        .quiet()
        .run()
        .with_context(|| {
            format!(
                "cannot unpack {} (is there room in {}?)",
                package.display(),
                to.display()
            )
        })
}
