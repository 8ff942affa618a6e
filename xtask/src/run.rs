// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `run`: boots a board's kernel as a KVM guest with its blob.

mod size;

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use fakemon_host::{Engine, Policy};
use fakemon_hostvm::Job;
use fakemon_launch::{HostVm, Launch, assets};
use fakemon_manifest::{Board, Demo, Size, TestKind, memory};

use crate::cache::Check;
use crate::inputs::GuestKernel;
use crate::machine::{Cpu, Ended, Machine, Printed, Stage, host_cpus};
use crate::supplies::{HostKernel, Supplies};
use crate::usage::Usage;
use crate::{blob, cargo, demo, guest, replay, setup, this_machine, workspace};

/// How long a guest with the default initramfs may take: a hang is ended, and a busy machine is not.
const TIMEOUT: u64 = 1800;
/// The same for a demonstration that is a test: its kernel may wait for a CPU that never answers, and
/// counts what it executes meanwhile.
const BUSY_TIMEOUT: u64 = 7200;

/// Boot a board's kernel as a KVM guest whose firmware is the board's blob.
///
/// Without options this is Debian's own arm64 kernel on the board virt; its initramfs shows what
/// works and powers off. A board that no kernel is built for replays the calls of one instead. Natively on arm64 Linux with /dev/kvm, elsewhere in an emulated host.
///
/// With --demo the guest boots a kernel that is built for what is to be shown, which takes some minutes
/// the first time. The last line says whether it was shown; so does the exit code, 0 or 1.
///
/// Exit codes: 0 guest powered off, 1 guest failed, 2 usage, 3 host or blob error.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The board to be (`cargo xtask boards` lists them).
    #[arg(long, value_name = "NAME", default_value = "virt")]
    board: String,
    /// A blob to serve the board instead of its own; again for further blobs that serve other calls,
    /// each in a monitor VM of its own.
    #[arg(long, value_name = "FILE")]
    blob: Vec<PathBuf>,
    /// Number of CPUs; the board's by default.
    #[arg(long, value_name = "N")]
    smp: Option<u32>,
    /// Size of RAM such as 512M or 1G; the board's by default.
    #[arg(long, value_name = "SIZE")]
    mem: Option<Size>,
    /// The guest's kernel: 6.12, 7.3, 6.1, 16k, rt or cloud of Debian's, an exact version of Debian
    /// 13's such as 6.12.107, a file, or a directory with vmlinuz, dtbs/ and modules/ [default: 6.12].
    #[arg(long, value_name = "NAME|PATH")]
    kernel: Option<GuestKernel>,
    /// Take the newest packages rather than those of debian.lock.
    #[arg(long)]
    newest: bool,
    /// Initramfs instead of the one that checks what works.
    #[arg(long, value_name = "FILE")]
    initrd: Option<PathBuf>,
    /// More words for the kernel's command line.
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    append: Option<String>,
    /// Device tree instead of the board's.
    #[arg(long, value_name = "FILE")]
    dtb: Option<PathBuf>,
    /// Processor of the emulated host.
    #[arg(long, value_enum, default_value = "max")]
    cpu: Cpu,
    /// Kernel of the emulated host: a file, `own` for the one of `cargo xtask kernel`, `64k` for that
    /// one with pages of 64 KiB, or `16k` for Debian's with pages of 16 KiB [default: Debian's with
    /// 4 KiB, and `own` with --engine kernel].
    #[arg(long, value_name = "FILE|own|16k|64k")]
    host_kernel: Option<HostKernel>,
    /// Who carries calls between the guest and the blob.
    #[arg(long, value_enum, default_value_t)]
    engine: Engine,
    /// Print every call to the blob, or write them to FILE as JSON lines.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    trace: Option<Option<PathBuf>>,
    /// Start a shell in the guest; Ctrl-A x ends it.
    #[arg(long, conflicts_with = "initrd")]
    shell: bool,
    /// Show what the board does with a kernel of its own, `nmi` for virt: SDEI as an NMI, which shows
    /// where a CPU hangs that has its interrupts off, and stops it. A wrong name lists the board's.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["kernel", "initrd", "dtb", "shell"])]
    demo: Option<String>,
    /// Who answers the guest's SMCs.
    #[arg(long, value_enum, default_value_t)]
    smc: Policy,
    /// Kill a guest that runs longer; 0 is never [default: 1800, and 0 with --shell or --initrd].
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    #[arg(skip)]
    gic: Option<u8>,
}

impl Run {
    /// A boot of `board` on one CPU, with everything but these at its default.
    pub(crate) fn uniprocessor(board: &str, smc: Policy, engine: Engine, append: &str) -> Run {
        Run {
            board: board.to_owned(),
            blob: Vec::new(),
            smp: Some(1),
            mem: None,
            kernel: None,
            newest: false,
            initrd: None,
            append: Some(append.to_owned()),
            dtb: None,
            cpu: Cpu::Max,
            host_kernel: None,
            engine,
            trace: None,
            shell: false,
            demo: None,
            smc,
            timeout: None,
            gic: None,
        }
    }

    /// A demonstration of `board` as a test, with everything but these at its default.
    pub(crate) fn demo(board: &Board, demo: &Demo, smc: Policy, cpu: Cpu, engine: Engine) -> Run {
        Run {
            append: None,
            demo: Some(demo.name.clone()),
            cpu,
            ..Run::of_host(&board.name, smc, engine, "")
        }
    }

    /// A boot of `board` as a test of its host, with everything but these at its default.
    pub(crate) fn of_host(board: &str, smc: Policy, engine: Engine, append: &str) -> Run {
        Run {
            smp: None,
            timeout: Some(BUSY_TIMEOUT),
            ..Run::uniprocessor(board, smc, engine, append)
        }
    }

    /// The same on a host VM with this processor and interrupt controller, and with so many vCPUs.
    pub(crate) fn on_machine(self, cpu: Cpu, gic: u8, vcpus: Option<u32>) -> Run {
        Run {
            cpu,
            gic: Some(gic),
            smp: vcpus,
            ..self
        }
    }

    /// The board's name.
    pub(crate) fn board(&self) -> &str {
        &self.board
    }

    /// The same on a host VM with this kernel, and perhaps with the newest packages.
    pub(crate) fn on(self, host_kernel: Option<HostKernel>, newest: bool) -> Run {
        Run {
            host_kernel,
            newest,
            ..self
        }
    }

    pub(crate) fn run(&self) -> Result<ExitCode> {
        let board = workspace::board(&self.board)?;
        let demo = self.demo.as_deref();
        let demo = demo.map(|name| demo::find(&board, name)).transpose()?;
        if !self.blob.is_empty() && self.smc != Policy::Blob {
            let message = "no blob answers with --smc other than blob; leave --blob or --smc out";
            return Err(Usage(message.to_owned()).into());
        }
        let files = self.initrd.iter().chain(&self.dtb).chain(&self.blob);
        for file in files {
            if !file.is_file() {
                return Err(Usage(format!("there is no file {}", file.display())).into());
            }
        }
        let is_debians = |kernel: &GuestKernel| kernel.image().is_none();
        if board.test == TestKind::Replay && self.kernel.as_ref().is_some_and(is_debians) {
            let message = format!(
                "board {} replays calls and boots none of Debian's kernels; leave --kernel out, or give an image",
                board.name
            );
            return Err(Usage(message).into());
        }
        if self.shell && board.test == TestKind::Replay {
            let message = format!(
                "board {} replays calls and has no shell; leave --shell out",
                board.name
            );
            return Err(Usage(message).into());
        }
        let gic = (!this_machine::is_native()?).then(|| preferred_gic(&board));
        size::check(&board, self.smp, self.mem, gic, memory::of_this_machine())?;
        let printed = Printed {
            shown: true,
            kept: demo.is_some(),
        };
        let ended = self.boot(&board, printed)?;
        let code = u8::try_from(ended.report.code()).unwrap_or(3);
        let Some(demo) = demo.filter(|_| code < 2) else {
            return Ok(ExitCode::from(code));
        };
        // A guest that has shown all may well have failed: a panic is what some are about.
        let (name, description) = (&demo.name, &demo.description);
        Ok(match demo::objection(demo, &ended.printed)? {
            None => {
                println!("demo {name}: shown: {description}");
                ExitCode::SUCCESS
            }
            Some(why) => {
                println!("demo {name}: NOT shown: {why}");
                ExitCode::from(1)
            }
        })
    }

    /// Boots the guest, and waits for its end.
    pub(crate) fn boot(&self, board: &Board, printed: Printed) -> Result<Ended> {
        setup::rust_targets()?;
        let mut supplies = Supplies::open(Check::Quick)?;
        self.choose(&mut supplies)?;
        supplies.choose_host_kernel(self.host_kernel.as_ref(), self.engine, self.cpu)?;
        let mut stage = Stage::new(&workspace::target())?;
        let (machine, job) = self.job(board, &supplies, &mut stage)?;
        stage.run_and_listen(job, machine, supplies.host_files()?.as_ref(), printed)
    }

    /// The guest as a job, with its files on the stage.
    pub(crate) fn job(
        &self,
        board: &Board,
        supplies: &Supplies,
        stage: &mut Stage,
    ) -> Result<(Machine, Job)> {
        let vmm = stage.add(assets::FAKEMON, cargo::build_vmm()?);
        let dir = workspace::board_dir(&board.name);
        let dir = stage.add_dir(&assets::board_dir(&board.name), &dir)?;
        let mut launch = Launch::new(board, dir, self.smc);
        launch.engine = self.engine;
        if self.smc == Policy::Blob {
            for (number, path) in self.blobs(board)?.into_iter().enumerate() {
                // Two of a user's can have the same name.
                let file = path.file_name().unwrap_or_default().to_string_lossy();
                let staged = stage.add(&format!("blob/{number}/{file}"), path.clone());
                launch.files.push(("--blob", staged));
            }
        }
        for (option, path) in self.files(board, supplies)? {
            // The file's own name stays, for messages about it.
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            let staged = format!("{}/{file}", option.trim_start_matches('-'));
            launch
                .files
                .push((option, stage.add(&staged, path.clone())));
        }
        let gic = self.gic.unwrap_or_else(|| preferred_gic(board));
        launch.host_vm = (!stage.is_native()).then_some(HostVm { gic });
        launch.cpus = self.smp.unwrap_or(launch.cpus);
        launch.memory = self.mem.unwrap_or(launch.memory);
        let shell = self.shell.then(|| "fakemon.shell".to_owned());
        let script = self
            .demo
            .as_ref()
            .map(|_| "fakemon.checks=board".to_owned());
        let words = [shell, script, self.append.clone()];
        launch.words = words.into_iter().flatten().collect();
        let mut argv = vec![vmm];
        argv.extend(launch.arguments());
        match &self.trace {
            Some(Some(file)) => argv.push(format!("--trace={}", stage.output(file)?)),
            Some(None) => argv.push("--trace".to_owned()),
            None => {}
        }

        let input = self.shell || self.initrd.is_some();
        let seconds = self.timeout.unwrap_or(if input { 0 } else { TIMEOUT });
        let timeout = (seconds > 0).then(|| Duration::from_secs(seconds));
        let machine = Machine {
            cpu: self.cpu,
            gic,
            cpus: host_cpus(board.guest.arch, launch.cpus),
            memory: launch.memory.0,
            timeout,
            icount: false,
        };
        let job = Job {
            argv,
            env: environment(),
            cwd: "/".to_owned(),
            input,
            returns: Vec::new(),
        };
        Ok((machine, job))
    }

    /// Tells `supplies` which packages are wanted.
    fn choose(&self, supplies: &mut Supplies) -> Result<()> {
        if self.newest {
            supplies.take_newest();
        }
        if let Some(kernel) = &self.kernel {
            supplies.choose_guest_kernel(kernel);
        }
        Ok(())
    }

    /// The blobs that answer: the user's, or the board's own.
    fn blobs(&self, board: &Board) -> Result<Vec<PathBuf>> {
        if !self.blob.is_empty() {
            return Ok(self.blob.clone());
        }
        let built = blob::build(std::slice::from_ref(&board.name))?;
        Ok(built.into_iter().map(|built| built.path).collect())
    }

    /// Kernel, initramfs and device tree, by the option that takes them.
    fn files(&self, board: &Board, supplies: &Supplies) -> Result<Vec<(&'static str, PathBuf)>> {
        if let Some(name) = &self.demo {
            return demo::files(supplies, board, demo::find(board, name)?);
        }
        let mut files = Vec::new();
        let own = |path: &Option<PathBuf>| path.as_deref().map(Path::to_owned);
        let image = self.kernel.as_ref().and_then(GuestKernel::image);
        let image = image.map(Path::to_owned);
        if board.test == TestKind::Replay && image.is_none() {
            let guest = replay::guest(&replay::program()?, board)?;
            files.push(("--kernel", guest));
            files.extend(own(&self.initrd).map(|initrd| ("--initrd", initrd)));
            files.extend(own(&self.dtb).map(|dtb| ("--dtb", dtb)));
            return Ok(files);
        }
        let wants_dtb = board.guest.dtb.is_some() && self.dtb.is_none();
        // An image and an initramfs of the user's own need nothing of Debian's.
        let kernel = match (&image, &self.initrd) {
            (Some(_), Some(_)) if !wants_dtb => None,
            _ => Some(supplies.guest_kernel(board)?),
        };
        if let Some(image) = image.or_else(|| Some(kernel.as_ref()?.image())) {
            files.push(("--kernel", image));
        }
        if let Some(initrd) = own(&self.initrd) {
            files.push(("--initrd", initrd));
        } else if let Some(kernel) = &kernel {
            files.push(("--initrd", guest::initramfs(supplies, board, kernel)?));
        }
        let dtb = match (&self.dtb, &board.guest.dtb, &kernel) {
            (Some(dtb), _, _) => Some(dtb.clone()),
            (None, Some(name), Some(kernel)) => Some(kernel.dtb(name)?),
            _ => None,
        };
        files.extend(dtb.map(|dtb| ("--dtb", dtb)));
        Ok(files)
    }
}

/// The version of the interrupt controller that the board's guest has in a host VM.
fn preferred_gic(board: &Board) -> u8 {
    board.machine.gic.versions.first().copied().unwrap_or(3)
}

/// The part of the user's environment that programs in the host VM see.
pub(crate) fn environment() -> BTreeMap<String, String> {
    let mut environment: BTreeMap<_, _> = ["TERM", "NO_COLOR", "RUST_BACKTRACE"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
        .collect();
    if !std::io::stdout().is_terminal() {
        // The console there is a terminal even when ours is not.
        environment.insert("NO_COLOR".to_owned(), "1".to_owned());
    }
    environment.insert("PATH".to_owned(), "/bin".to_owned());
    environment
}
