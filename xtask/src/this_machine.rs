// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What this machine can do: run programs that need KVM by itself, and with which engine.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

use anyhow::{Context, Result, bail};
use fakemon_host::Engine;

/// KVM_CHECK_EXTENSION (Documentation/virt/kvm/api.rst, 4.4).
const KVM_CHECK_EXTENSION: nix::libc::Ioctl = 0xae03;

/// Tells whether programs run on this machine itself.
pub(crate) fn is_native() -> Result<bool> {
    if !cfg!(all(target_arch = "aarch64", target_os = "linux")) || !Path::new("/dev/kvm").exists() {
        return Ok(false);
    }
    match File::options().read(true).write(true).open("/dev/kvm") {
        Ok(_) => Ok(true),
        Err(error) => {
            bail!("cannot open /dev/kvm ({error}): add yourself to its group, usually kvm")
        }
    }
}

/// The engine that `auto` is here, if programs run on it and not in a host VM.
pub(crate) fn engine() -> Result<Option<Engine>> {
    if !is_native()? {
        return Ok(None);
    }
    let kvm = File::options().read(true).write(true).open("/dev/kvm");
    let kvm = kvm.context("cannot open /dev/kvm")?;
    // SAFETY: this ioctl takes a number and touches no memory of ours.
    let answer =
        unsafe { nix::libc::ioctl(kvm.as_raw_fd(), KVM_CHECK_EXTENSION, Engine::CAPABILITY) };
    Ok(Some(match answer {
        1.. => Engine::Kernel,
        _ => Engine::Userspace,
    }))
}
