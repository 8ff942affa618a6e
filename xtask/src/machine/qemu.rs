// SPDX-License-Identifier: Apache-2.0 OR MIT
//! QEMU: which one, and the arguments that make a host VM.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::{Cpu, Machine};
use fakemon_hostvm::PORT;
use fakemon_launch::env;

/// The oldest QEMU that is known to work: the one of Debian 12.
const OLDEST: (u32, u32) = (7, 2);
/// The program's name.
const NAME: &str = "qemu-system-aarch64";
/// What Linux and PID 1 of the host VM need themselves.
const OWN_MEMORY: u64 = 512 << 20;

/// A QEMU that can be started.
#[derive(Clone, Debug)]
pub(crate) struct Qemu {
    program: PathBuf,
    arguments: Vec<OsString>,
}

/// The files of one host VM.
#[derive(Debug)]
pub(crate) struct Files<'a> {
    /// The kernel, in.
    pub(crate) kernel: &'a Path,
    /// The initramfs, in.
    pub(crate) initramfs: &'a Path,
    /// What the kernel says, out.
    pub(crate) log: &'a Path,
    /// PID 1's archive, out.
    pub(crate) report: &'a Path,
}

impl Qemu {
    /// The QEMU that the user named in `FAKEMON_QEMU`, else one in the path if it is new enough.
    pub(crate) fn of_machine() -> Result<Option<Qemu>> {
        let plain = |program: PathBuf| Qemu {
            program,
            arguments: Vec::new(),
        };
        if let Some(program) = std::env::var_os(env::QEMU) {
            let qemu = plain(program.into());
            let version = qemu
                .version()
                .with_context(|| format!("{} does not name a QEMU that starts", env::QEMU))?;
            ensure!(
                version >= OLDEST,
                "{} is version {version:?}: {OLDEST:?} is needed",
                env::QEMU
            );
            return Ok(Some(qemu));
        }
        let qemu = plain(NAME.into());
        Ok(qemu
            .version()
            .is_ok_and(|version| version >= OLDEST)
            .then_some(qemu))
    }

    /// The QEMU in a private root, started by the C library's own loader and with nothing of the
    /// machine's.
    pub(crate) fn of_root(root: &Path) -> Result<Qemu> {
        let (loader, libraries) = match std::env::consts::ARCH {
            "x86_64" => ("usr/lib64/ld-linux-x86-64.so.2", "usr/lib/x86_64-linux-gnu"),
            "aarch64" => ("usr/lib/ld-linux-aarch64.so.1", "usr/lib/aarch64-linux-gnu"),
            other => bail!(
                "there is no QEMU package for {other}: set {} to one",
                env::QEMU
            ),
        };
        let arguments = [
            "--library-path".into(),
            root.join(libraries).into(),
            root.join("usr/bin").join(NAME).into(),
            "-L".into(),
            root.join("usr/share/qemu").into(),
        ];
        let qemu = Qemu {
            program: root.join(loader),
            arguments: arguments.into(),
        };
        qemu.version()
            .context("the QEMU in the cache does not start")?;
        Ok(qemu)
    }

    fn version(&self) -> Result<(u32, u32)> {
        let output = self.command().arg("--version").output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        parse_version(&text).with_context(|| format!("{} tells no version", self.program.display()))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command
    }

    /// The command of a host VM: the job's console on QEMU's standard streams, everything else in
    /// files.
    pub(crate) fn host_vm(&self, machine: Machine, initramfs_size: u64, files: &Files) -> Command {
        // The initramfs is in memory twice while the kernel unpacks it.
        let memory = (OWN_MEMORY + machine.memory + 2 * initramfs_size).div_ceil(1 << 20);
        let cpu = match machine.cpu {
            // QEMU's own pointer authentication hash is far quicker than the architected one.
            Cpu::Max => "max,pauth-impdef=on",
            other => other.name(),
        };
        let mut command = self.command();
        // Counting instructions takes a single thread. Where the machine sleeps its clock jumps.
        let accelerator = if machine.icount {
            command.args(["-icount", "shift=0,sleep=off"]);
            "tcg,thread=single"
        } else {
            "tcg,thread=multi"
        };
        command
            .args([
                "-nodefaults",
                "-no-reboot",
                "-display",
                "none",
                "-monitor",
                "none",
            ])
            .args([
                "-machine",
                &format!("virt,virtualization=on,gic-version={}", machine.gic),
            ])
            .args(["-accel", accelerator, "-cpu", cpu])
            .args(["-smp", &machine.cpus.to_string()])
            .args(["-m", &format!("{memory}M")])
            .arg("-kernel")
            .arg(files.kernel)
            .arg("-initrd")
            .arg(files.initramfs)
            .args([
                "-append",
                "quiet mitigations=off kpti=0 panic=-1 console=ttyAMA0",
            ])
            .args(["-serial", &format!("file:{}", escape(files.log))])
            .args(["-device", "virtio-serial-pci"])
            .args([
                "-chardev",
                "stdio,id=console,signal=off",
                "-device",
                "virtconsole,chardev=console",
            ])
            .args(["-chardev", "file,id=errors,path=/dev/stderr,append=on"])
            .args(["-device", "virtconsole,chardev=errors"])
            .args([
                "-chardev",
                &format!("file,id=report,path={}", escape(files.report)),
            ])
            .args([
                "-device",
                &format!("virtserialport,chardev=report,name={PORT}"),
            ]);
        command
    }
}

/// A path as QEMU's options take it: a comma is doubled.
fn escape(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let version = text.split_once("version ")?.1;
    let mut numbers = version.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_qemu_prints_them() {
        let debian = "QEMU emulator version 7.2.17 (Debian 1:7.2+dfsg-7+deb12u13)\nCopyright";
        assert_eq!(parse_version(debian), Some((7, 2)));
        assert_eq!(parse_version("QEMU emulator version 10.0.2"), Some((10, 0)));
        assert_eq!(parse_version("something else"), None);
    }

    #[test]
    fn a_comma_in_a_path_does_not_end_the_option() {
        assert_eq!(escape(Path::new("/a,b/c")), "/a,,b/c");
    }
}
