// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the project takes from Debian, and the kernels that a guest can have.
//!
//! A board names its kernel by a meta package of Debian's, `linux-image-arm64` say. `--kernel` takes
//! the same board to other kernels of Debian's: an older or newer Linux, other pages, real time.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Result;
use fakemon_manifest::{Arch, Board, TestKind};

use crate::debian::{Extent, Release, Want};
use crate::workspace;

/// The Linux that guests run if nothing is said: that of Debian 13.
pub(crate) const LINUX: &str = "6.12";
/// The kernel of the host VM: small, with KVM and the virtio console built in.
const HOST_KERNEL: &str = "linux-image-cloud-arm64";
/// The same with pages of 16 KiB, which has all of that built in as well.
const KERNEL_16K: &str = "linux-image-arm64-16k";
/// Processors for which Debian has a QEMU to fetch.
const QEMU_HOSTS: [&str; 2] = ["amd64", "arm64"];

/// Kernels of Debian's, by the name that the user gives them.
const KERNELS: [(&str, Release, Flavour); 6] = [
    (LINUX, Release::Trixie, Flavour::Own),
    ("7.3", Release::TrixieBackports, Flavour::Own),
    ("6.1", Release::Bookworm, Flavour::Own),
    ("16k", Release::Trixie, Flavour::Pages16k),
    ("rt", Release::Trixie, Flavour::RealTime),
    ("cloud", Release::Trixie, Flavour::Cloud),
];

/// Which of a release's kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flavour {
    /// The one that the board names.
    Own,
    /// With pages of 16 KiB.
    Pages16k,
    /// PREEMPT_RT.
    RealTime,
    /// Without most drivers.
    Cloud,
}

/// The user's choice of a guest's kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GuestKernel {
    /// One of [`KERNELS`].
    Named(&'static str),
    /// An exact version of Debian 13's, such as 6.12.107.
    Exact(String),
    /// A kernel image, or a directory with `vmlinuz`, `dtbs/` and `modules/`.
    Files(PathBuf),
}

impl GuestKernel {
    /// The image that the user gives, if it is one.
    pub(crate) fn image(&self) -> Option<&Path> {
        match self {
            GuestKernel::Files(path) if path.is_file() => Some(path),
            _ => None,
        }
    }
}

impl Default for GuestKernel {
    fn default() -> GuestKernel {
        GuestKernel::Named(LINUX)
    }
}

impl FromStr for GuestKernel {
    type Err = String;

    fn from_str(text: &str) -> Result<GuestKernel, String> {
        let named = KERNELS.iter().find(|(name, ..)| *name == text);
        if let Some((name, ..)) = named {
            return Ok(GuestKernel::Named(name));
        }
        let path = PathBuf::from(text);
        if path.exists() {
            return std::path::absolute(&path)
                .map(GuestKernel::Files)
                .map_err(|error| error.to_string());
        }
        let numbers: Vec<&str> = text.split('.').collect();
        let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if numbers.len() == 3 && numbers.iter().all(is_number) {
            return Ok(GuestKernel::Exact(text.to_owned()));
        }
        let names = KERNELS.map(|(name, ..)| name).join(", ");
        Err(format!(
            "there is no file {text}, and Debian's kernels are {names}, or a version such as 6.12.107"
        ))
    }
}

impl fmt::Display for GuestKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GuestKernel::Named(name) => f.write_str(name),
            GuestKernel::Exact(version) => f.write_str(version),
            GuestKernel::Files(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The package that `board` boots with a kernel of [`KERNELS`]; why there is none, otherwise.
pub(crate) fn kernel_want(board: &Board, name: &str) -> Result<Want, String> {
    let (_, release, flavour) = KERNELS
        .into_iter()
        .find(|(known, ..)| *known == name)
        .ok_or_else(|| format!("{name} is not a kernel of Debian's"))?;
    let arch = board.guest.arch;
    let package = match (flavour, arch) {
        (Flavour::Own, _) => board.guest.kernel.as_str(),
        (Flavour::Pages16k, Arch::Arm64) => KERNEL_16K,
        (Flavour::RealTime, Arch::Arm64) => "linux-image-rt-arm64",
        (Flavour::RealTime, Arch::Armhf) => "linux-image-rt-armmp",
        (Flavour::Cloud, Arch::Arm64) => HOST_KERNEL,
        (_, Arch::Armhf) => return Err(format!("Debian has no 32-bit {name} kernel")),
    };
    Ok(kernel(package, arch.as_str(), release))
}

/// The host VM's kernel.
pub(crate) fn host_kernel() -> Want {
    kernel(HOST_KERNEL, "arm64", Release::Trixie)
}

/// A kernel of the host VM's with pages of 16 KiB.
pub(crate) fn host_kernel_16k() -> Want {
    kernel(KERNEL_16K, "arm64", Release::Trixie)
}

/// A QEMU that runs on a machine of Debian's architecture `host`.
pub(crate) fn qemu(host: &str) -> Want {
    Want {
        extent: Extent::Closure,
        ..Want::alone("qemu-system-arm", host)
    }
}

/// A statically linked busybox.
pub(crate) fn busybox(arch: Arch) -> Want {
    Want::alone("busybox-static", arch.as_str())
}

/// The source of a kernel that is built here, by its version; of the release that has such a kernel.
pub(crate) fn kernel_source(version: &str) -> Want {
    let known = KERNELS.iter().find(|(name, ..)| *name == version);
    Want {
        release: known.map_or(Release::Trixie, |(_, release, _)| *release),
        ..Want::alone(&format!("linux-source-{version}"), "all")
    }
}

/// Everything that is locked.
pub(crate) fn all() -> Result<Vec<Want>> {
    let mut wants: Vec<Want> = QEMU_HOSTS.map(qemu).into();
    wants.extend([host_kernel(), host_kernel_16k(), kernel_source(LINUX)]);
    wants.extend([Arch::Arm64, Arch::Armhf].map(busybox));
    for board in workspace::boards()? {
        if board.test == TestKind::Replay {
            continue;
        }
        let kernels = KERNELS.iter().map(|(name, ..)| kernel_want(&board, name));
        wants.extend(kernels.flatten());
        let built = board.demos.iter().map(|demo| &demo.kernel);
        wants.extend(built.map(|kernel| kernel_source(&kernel.source)));
    }
    wants.sort();
    wants.dedup();
    Ok(wants)
}

fn kernel(package: &str, arch: &str, release: Release) -> Want {
    Want {
        release,
        package: package.to_owned(),
        arch: arch.to_owned(),
        extent: Extent::Kernel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_chosen_by_name_version_or_path() {
        let parse = |text: &str| text.parse::<GuestKernel>();
        assert_eq!(parse("6.12"), Ok(GuestKernel::default()));
        assert_eq!(parse("16k"), Ok(GuestKernel::Named("16k")));
        assert_eq!(
            parse("6.12.107"),
            Ok(GuestKernel::Exact("6.12.107".to_owned()))
        );
        let here = std::env::current_exe().expect("this program");
        let path = here.to_str().expect("text");
        assert_eq!(parse(path), Ok(GuestKernel::Files(here.clone())));
        for wrong in ["6.13", "6.12.", "6.12.x", "/nowhere", ""] {
            let error = parse(wrong).expect_err(wrong);
            assert!(error.contains("6.12, 7.3"), "{error}");
        }
    }

    #[test]
    fn every_input_is_locked() {
        let lock = crate::debian::Lock::read().expect("debian.lock is valid");
        for want in all().expect("boards are valid") {
            // A kernel that an archive has not for every architecture need not be there.
            let is_default = want.release == Release::Trixie;
            assert!(!is_default || lock.find(&want).is_some(), "{want}");
        }
    }
}
