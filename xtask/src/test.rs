// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `test`: runs every test, on this machine and where KVM is, and adds up the results.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use fakemon_host::Engine;
use fakemon_launch::env;

use crate::engine::Engines;
use crate::inputs::GuestKernel;
use crate::machine::Cpu;
use crate::summary::Summary;
use crate::supplies::HostKernel;
use crate::usage::Usage;
use crate::{setup, this_machine, workspace};

mod attach;
mod demos;
mod hosts;
mod package;
mod places;
mod programs;
mod verdict;

pub(crate) use attach::{ATTACH, ATTACHED, PAGED};
pub(crate) use package::PACKAGE;
pub(crate) use programs::{BARE_METAL, BOOTS};

/// Instead of a filter: the boots of all boards.
const BOARDS: &str = "boards";

/// Runs with one engine what somebody has named.
type Named<'a> = Box<dyn Fn(&Test, Engine, &mut Summary) -> Result<()> + 'a>;

/// Run all tests: the host's own, and those that need KVM on every kind of host VM.
///
/// Those that need KVM run with each engine that is asked for; for the kernel engine host VMs boot
/// the kernel of `cargo xtask kernel` unless another is named.
///
/// `test boards` boots every board, with its blob and without, and nothing else; `--boards` some. A
/// table of the boots comes at the end, and the last line is the sum: `N passed, N failed, N skipped`. Exit code
/// 1 if any test failed.
///
/// `test package` makes the Debian package, unpacks it in the host VM, and uses it as somebody would who has
/// installed it: a member of KVM's group who is not root. It runs nothing else.
///
/// `test attach` has Debian's QEMU run guests with `fakemon attach`, and without, and runs nothing else.
///
/// `test NAME`, where NAME is a demonstration of a board's (`nmi`), takes that for a test, with the blob
/// and without, and runs nothing else. Its kernel is built if it is not in the cache.
///
/// `test hosts` boots the board virt on other kinds of host, once each: other processors, a GICv2 with
/// VHE, and with 64 and 123 vCPUs; it takes a while.
///
/// Lines `drift: BOARD: CALL` name calls that a kernel made more than the board's golden.trace has,
/// and that cannot matter: a function that the board does not serve, or a query.
#[derive(Debug, Default, Args)]
pub(crate) struct Test {
    /// Only tests whose name contains this; `boards` for the boots of all boards, `hosts` for other kinds
    /// of host, `attach` for other VMMs, `package` for the Debian package, or the name of a demonstration.
    filter: Option<String>,
    /// Only on a host VM with this processor.
    #[arg(long, value_enum)]
    cpu: Option<Cpu>,
    /// Kernel of the host VMs: a file, `own` for the one of `cargo xtask kernel`, `64k` for that one
    /// with pages of 64 KiB, or `16k` for Debian's with pages of 16 KiB [default: Debian's with 4 KiB,
    /// and `own` for the kernel engine].
    #[arg(long, value_name = "FILE|own|16k|64k", env = env::HOST_KERNEL)]
    host_kernel: Option<HostKernel>,
    /// Who carries calls between guests and blobs [default: userspace; on an Arm machine with KVM
    /// what its kernel has].
    #[arg(long, value_enum)]
    engine: Option<Engines>,
    /// The guests' kernel: 6.12, 7.3, 6.1, 16k, rt or cloud of Debian's, an exact version of Debian
    /// 13's such as 6.12.107, a file, or a directory with vmlinuz, dtbs/ and modules/ [default: 6.12].
    #[arg(long, value_name = "NAME|PATH")]
    kernel: Option<GuestKernel>,
    /// Boot only these boards, with commas between their names.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    boards: Vec<String>,
    /// Take the newest packages rather than those of debian.lock.
    #[arg(long)]
    newest: bool,
    /// Leave out the second processor and the boots of real kernels.
    #[arg(long)]
    quick: bool,
    /// Take drift for a failure.
    #[arg(long)]
    strict: bool,
    #[arg(skip)]
    short: bool,
}

impl Test {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let mut summary = Summary::default();
        self.run_into(&mut summary)?;
        summary.print(&workspace::boards()?);
        Ok(if summary.failed() == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(1)
        })
    }

    /// All tests with these engines.
    pub(crate) fn all(engine: Option<Engines>) -> Test {
        Test {
            engine,
            ..Test::default()
        }
    }

    /// With shorter storms of calls, if `short`, and all boots.
    pub(crate) fn short(self, short: bool) -> Test {
        Test { short, ..self }
    }

    /// What runs on a host with this kernel.
    pub(crate) fn on(host_kernel: HostKernel) -> Test {
        Test {
            host_kernel: Some(host_kernel),
            ..Test::default()
        }
    }

    /// The boots of some boards with another kernel of Debian's.
    pub(crate) fn boots(boards: &[&str], kernel: GuestKernel) -> Test {
        Test {
            boards: boards.iter().copied().map(str::to_owned).collect(),
            kernel: Some(kernel),
            ..Test::default()
        }
    }

    /// Runs the tests and adds their results to `summary`.
    pub(crate) fn run_into(&self, summary: &mut Summary) -> Result<()> {
        setup::rust_targets()?;
        for name in &self.boards {
            workspace::board(name)?;
        }
        let cpus = self.cpus()?;
        let engines = self.ready_engines(summary)?;
        if let Some(run) = self.named()? {
            return engines
                .into_iter()
                .try_for_each(|engine| run(self, engine, summary));
        }
        let all_boards = self.filter.as_deref() == Some(BOARDS);
        let boards_only = all_boards || !self.boards.is_empty();
        let filter = if all_boards {
            &[]
        } else {
            self.filter.as_slice()
        };
        if !boards_only {
            self.run_on_host(filter, summary)?;
        }
        for engine in engines {
            for &cpu in &cpus {
                if !boards_only {
                    self.run_in_kvm(BARE_METAL, cpu, engine, filter, summary)?;
                }
                self.run_in_kvm(BOOTS, cpu, engine, filter, summary)?;
            }
        }
        if self.filter.is_none() && !boards_only {
            demos::skip(summary)?;
        }
        Ok(())
    }

    /// What runs in place of everything, if the filter names such.
    fn named(&self) -> Result<Option<Named<'_>>> {
        Ok(match self.filter.as_deref() {
            Some(hosts::NAME) if this_machine::is_native()? => bail!(Usage(
                "`test hosts` is for machines that emulate hosts: this one is an Arm host itself"
                    .to_owned()
            )),
            Some(hosts::NAME) => Some(Box::new(hosts::run)),
            Some(ATTACH) => Some(Box::new(Test::run_attach)),
            Some(PACKAGE) => Some(Box::new(Test::run_package)),
            Some(name) if demos::is_one(name)? => {
                let run = |test: &Test, engine, summary: &mut Summary| {
                    demos::run(test, Some(name), engine, summary)
                };
                Some(Box::new(run))
            }
            _ => None,
        })
    }

    /// Runs all demonstrations, or leaves them out if they are not `wanted`.
    pub(crate) fn run_demos(
        &self,
        wanted: bool,
        engine: Engine,
        summary: &mut Summary,
    ) -> Result<()> {
        match wanted {
            true => demos::run(self, None, engine, summary),
            false => demos::skip(summary),
        }
    }
}
