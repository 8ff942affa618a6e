// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kernel of host VMs, as the user chooses it: by a name, or a file.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Result;

use crate::machine::Cpu;
use crate::usage::Usage;

/// Which kernel host VMs boot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum HostKernel {
    /// Debian's for virtual machines, with pages of 4 KiB.
    #[default]
    Debian,
    /// The one of `cargo xtask kernel`.
    Own,
    /// Debian's with pages of 16 KiB.
    Pages16k,
    /// The one of `cargo xtask kernel` with pages of 64 KiB.
    Pages64k,
    /// An image.
    File(PathBuf),
}

/// Those that have a name for the user.
const NAMES: [(&str, HostKernel); 3] = [
    ("own", HostKernel::Own),
    ("16k", HostKernel::Pages16k),
    ("64k", HostKernel::Pages64k),
];

impl HostKernel {
    /// Tells whether it runs on a processor.
    pub(crate) fn runs_on(&self, cpu: Cpu) -> bool {
        *self != HostKernel::Pages16k || cpu.has_pages_of_16k()
    }

    /// Refuses a processor that it does not run on.
    pub(crate) fn check(&self, cpu: Cpu) -> Result<()> {
        if self.runs_on(cpu) {
            return Ok(());
        }
        let cpu = cpu.name();
        let message = format!("a host VM with --cpu {cpu} cannot boot the kernel {self}");
        Err(Usage(message).into())
    }
}

impl FromStr for HostKernel {
    type Err = String;

    fn from_str(text: &str) -> Result<HostKernel, Self::Err> {
        if let Some((_, kernel)) = NAMES.into_iter().find(|(name, _)| *name == text) {
            return Ok(kernel);
        }
        if let Ok(path) = std::path::absolute(text)
            && path.is_file()
        {
            return Ok(HostKernel::File(path));
        }
        let names = NAMES.map(|(name, _)| name).join(", ");
        Err(format!(
            "there is no file {text}, and the kernels with a name are {names}"
        ))
    }
}

/// What [`HostKernel::from_str`] takes, in any directory.
impl fmt::Display for HostKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostKernel::Debian => f.write_str("Debian's"),
            HostKernel::File(path) => write!(f, "{}", path.display()),
            named => {
                let known = NAMES.into_iter().find(|(_, kernel)| kernel == named);
                f.write_str(known.map_or("", |(name, _)| name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_kernel_is_chosen_by_name_or_path_and_says_its_choice() {
        let here = std::env::current_exe().expect("this program");
        let path = here.to_str().expect("text");
        let choices = [
            ("own", HostKernel::Own),
            ("16k", HostKernel::Pages16k),
            ("64k", HostKernel::Pages64k),
            (path, HostKernel::File(here.clone())),
        ];
        for (text, kernel) in choices {
            assert_eq!(text.parse(), Ok(kernel.clone()));
            assert_eq!(kernel.to_string(), text);
        }
        for wrong in ["4k", "/nowhere", ""] {
            let error = wrong.parse::<HostKernel>().expect_err(wrong);
            assert!(error.contains("own, 16k, 64k"), "{error}");
        }
    }

    #[test]
    fn pages_of_16_kib_need_a_processor_that_has_them() {
        assert!(HostKernel::Pages16k.runs_on(Cpu::Max));
        assert!(!HostKernel::Pages16k.runs_on(Cpu::CortexA57));
        for kernel in [HostKernel::Debian, HostKernel::Pages64k] {
            assert!(kernel.runs_on(Cpu::CortexA57));
        }
    }
}
