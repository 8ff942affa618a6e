// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command line: what `fakemon` accepts and how its `--help` reads.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use fakemon_host::{Engine, Hvc, OnFault, Policy};
use fakemon_manifest::Size;

/// What `run --help` says after the options. Each paragraph is one line: clap breaks it where the terminal
/// ends.
const AFTER_RUN: &str = "\
The guest's console is this terminal; on a tty Ctrl-A x ends the guest. What fakemon itself says goes to \
standard error, each line after \"fakemon: \".

Exit status: 0 the guest powered off, 1 the guest failed or panicked, 2 wrong usage or input, 3 the host \
or the blob failed.";

/// What `--help` says after the subcommands.
const AFTER_HELP: &str = "\
Boards, their blobs, and the library for other VMMs are looked for in the directories of $FAKEMON_PATH, \
which it lists as PATH does, and then in ../lib/fakemon and ../share/fakemon from where this program is.";

/// Boots a kernel under KVM with a blob as its secure firmware.
#[derive(Debug, Parser)]
#[command(name = "fakemon", version, max_term_width = 80, after_help = AFTER_HELP)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a guest on a board.
    Run(RunArgs),
    /// Give the guest of another VMM a board's firmware.
    Attach(AttachArgs),
    /// Put what a board has into another VMM's device tree.
    Dt(DtArgs),
    /// List the boards that are installed.
    Boards(BoardsArgs),
    /// Tell what this host can do for guests with a blob, and what each lack
    /// costs.
    Check(CheckArgs),
}

/// What `attach --help` says after the options.
const AFTER_ATTACH: &str = "\
The VMM is started in place of this program, so its terminal, signals and exit status are its own. \
docs/attach.md says which VMMs this works with, and how to do without this program, by environment \
variables alone.

Exit status, if the VMM is not started: 2 wrong usage or input, 3 the host, the VMM or the blob cannot do \
this.";

/// The ways to say who serves. clap's own line would be too long.
const ATTACH_USAGE: &str = "fakemon attach [OPTIONS] --board <NAME> -- <VMM>...
       fakemon attach [OPTIONS] --blob <FILE> -- <VMM>...
       fakemon attach [OPTIONS] --policy <POLICY> -- <VMM>...";

/// Arguments of `fakemon attach`.
#[derive(Args, Clone, Debug)]
#[command(after_help = AFTER_ATTACH, override_usage = ATTACH_USAGE)]
#[command(group = ArgGroup::new("who").args(["board", "blob", "policy"]).multiple(true).required(true))]
pub struct AttachArgs {
    /// The board whose blob serves the guest, of those that are installed
    /// (`fakemon boards` lists them)
    #[arg(long, value_name = "NAME")]
    pub board: Option<String>,
    /// A blob; again for further blobs that serve other calls
    #[arg(long, value_name = "FILE", conflicts_with = "board")]
    pub blob: Vec<PathBuf>,
    /// What calls by HVC are for the blob: smc, as if they were made by SMC, or
    /// note, what its note says [default: smc for a blob that does not serve HVC]
    #[arg(long, value_enum)]
    pub hvc: Option<Hvc>,
    /// Have the VMM's device tree say smc where it says hvc
    #[arg(long, value_enum)]
    pub dt: Option<DeviceTreeMethod>,
    /// Serve the pages of the board's description, which the VMM lacks
    #[arg(long, requires = "board", conflicts_with = "blob")]
    pub pages: bool,
    /// Who carries calls to the blob and back
    #[arg(long, value_enum, default_value_t)]
    pub engine: Engine,
    /// Who answers the guest's firmware calls
    #[arg(long, value_enum, default_value_t)]
    pub policy: Policy,
    /// Write each call to FILE as a JSON line
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// CPU time that a blob may use in one call; if it uses none, as in WFI, it
    /// has ten times that and at least 30 s
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub watchdog: u32,
    /// Room for this many CPUs, if the VMM makes more while the guest runs
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=512))]
    pub max_cpus: u32,
    /// The library that is loaded into the VMM [default: the one that is
    /// installed beside this program]
    #[arg(long, value_name = "FILE")]
    pub library: Option<PathBuf>,
    /// The VMM and its arguments, after --
    #[arg(last = true, required = true, value_name = "VMM")]
    pub vmm: Vec<OsString>,
}

/// By which instruction a device tree says that firmware is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeviceTreeMethod {
    /// SMC.
    Smc,
}

/// Arguments of `fakemon dt`.
#[derive(Args, Clone, Debug)]
pub struct DtArgs {
    /// The board, of those whose description is installed beside this program
    #[arg(long, value_name = "NAME")]
    pub board: String,
    /// The VMM's device tree, such as QEMU's -machine dumpdtb=FILE writes
    #[arg(value_name = "DTB")]
    pub dtb: PathBuf,
    /// Where the changed one goes
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
}

/// Arguments of `fakemon run`.
#[derive(Args, Clone, Debug)]
#[command(after_help = AFTER_RUN)]
#[command(group = ArgGroup::new("which").args(["name", "board"]).required(true))]
pub struct RunArgs {
    /// A board that is installed (`fakemon boards` lists them)
    #[arg(value_name = "BOARD")]
    pub name: Option<String>,
    /// Another board: its directory, which holds board.toml
    #[arg(long, value_name = "DIR")]
    pub board: Option<PathBuf>,
    /// Kernel: arm64 Image (also gzip) or 32-bit zImage
    #[arg(long, value_name = "FILE")]
    pub kernel: PathBuf,
    /// The board's blob, if it is not the installed one; again for further blobs
    /// that serve other calls, each in a VM of its own
    #[arg(long, value_name = "FILE")]
    pub blob: Vec<PathBuf>,
    /// Initial RAM disk
    #[arg(long, value_name = "FILE")]
    pub initrd: Option<PathBuf>,
    /// Device tree to start from, which some boards need [default: a generated
    /// one]
    #[arg(long, value_name = "FILE")]
    pub dtb: Option<PathBuf>,
    /// More words for the kernel's command line
    #[arg(
        long,
        value_name = "WORDS",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    pub append: String,
    /// Number of CPUs [default: the board's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=512))]
    pub smp: Option<u32>,
    /// Memory, such as 512M or 2G [default: the board's]
    #[arg(long, value_name = "SIZE")]
    pub mem: Option<Size>,
    /// Who answers the guest's SMC calls
    #[arg(long, value_enum, default_value_t)]
    pub smc: Policy,
    /// Who carries calls to the blob and back
    #[arg(long, value_enum, default_value_t)]
    pub engine: Engine,
    /// What a fault of the blob means for the guest
    #[arg(long, value_enum, default_value_t)]
    pub on_fault: OnFault,
    /// CPU time that a blob may use in one call; if it uses none, as in WFI, it
    /// has ten times that and at least 30 s
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub watchdog: u32,
    /// Print each call, or write them to FILE as JSON lines
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    pub trace: Option<Option<PathBuf>>,
    /// GIC version [default: the first of the board's that KVM has]
    #[arg(long, value_name = "2|3", value_parser = clap::value_parser!(u32).range(2..=3))]
    pub gic: Option<u32>,
    /// Keep CPU n of the guest on CPU n of the host, as an emulated host needs
    /// it for 32-bit guests
    #[arg(long)]
    pub pin: bool,
    /// End when the guest resets instead of booting it again
    #[arg(long)]
    pub no_reboot: bool,
}

/// Arguments of `fakemon boards`.
#[derive(Args, Clone, Debug)]
#[command(after_help = AFTER_BOARDS)]
pub struct BoardsArgs {
    /// Print an array of {name, description, families, arch, kernel, dtb, board,
    /// blob}
    #[arg(long)]
    pub json: bool,
}

/// What `boards --help` says after the options.
const AFTER_BOARDS: &str = "\
Exit status: 0 all can be used, 2 none is installed, 3 a board's description or blob is missing or damaged.";

/// Arguments of `fakemon check`.
#[derive(Args, Clone, Debug)]
#[command(after_help = AFTER_CHECK)]
pub struct CheckArgs {
    /// Tell as well whether these boards can run here
    #[arg(value_name = "BOARD")]
    pub boards: Vec<String>,
    /// Print an array of {what, verdict, found, cost, remedy}
    #[arg(long)]
    pub json: bool,
}

/// What `check --help` says after the options.
const AFTER_CHECK: &str = "\
Each line says what there is (ok), what is missing and costs something (lacks), or what makes it impossible \
(FAILS); the lines after it, what a lack costs, and who can do what about it.

Exit status: 0 guests, and each BOARD, can be served here, 2 wrong usage, 3 they cannot.";

/// The least that a blob has that sleeps.
const WALL: Duration = Duration::from_secs(30);

impl RunArgs {
    /// The blob's limit of CPU time within one call.
    pub fn watchdog(&self) -> Duration {
        Duration::from_millis(self.watchdog.into())
    }

    /// How long a blob may stay within one call that uses no CPU time.
    pub fn watchdog_wall(&self) -> Duration {
        (self.watchdog() * 10).max(WALL)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(words: &str) -> RunArgs {
        let cli = Cli::try_parse_from(words.split(' ')).expect("valid");
        let Command::Run(args) = cli.command else {
            panic!("{cli:?} is no run");
        };
        args
    }

    #[test]
    fn the_help_fits_80_columns() {
        let mut command = Cli::command();
        command.build();
        let mut texts = vec![command.render_long_help().to_string()];
        for sub in command.get_subcommands_mut() {
            texts.push(sub.render_help().to_string());
            texts.push(sub.render_long_help().to_string());
        }
        for line in texts.iter().flat_map(|text| text.lines()) {
            assert!(line.chars().count() <= 80, "{line:?}");
        }
    }

    #[test]
    fn what_comes_after_the_options_is_broken_by_clap_alone() {
        let mut command = Cli::command();
        command.build();
        let commands = std::iter::once(&command).chain(command.get_subcommands());
        let texts: Vec<String> = commands
            .filter_map(|command| Some(command.get_after_help()?.to_string()))
            .collect();
        assert!(texts.len() > 4, "{texts:?}");
        for paragraph in texts.iter().flat_map(|text| text.split("\n\n")) {
            assert!(!paragraph.contains('\n'), "{paragraph:?}");
        }
    }

    #[test]
    fn who_serves_can_be_said_in_each_way_that_is_named() {
        let error = |words: &str| {
            let error = Cli::try_parse_from(words.split(' ')).expect_err("nobody serves");
            error.to_string()
        };
        let attach = error("fakemon attach -- qemu");
        assert!(
            attach.contains("--board <NAME>") && attach.contains("--blob <FILE>"),
            "{attach}"
        );
        let run = error("fakemon run --kernel k");
        assert!(
            run.contains("BOARD") && run.contains("--board <DIR>"),
            "{run}"
        );
        assert_eq!(
            parse("fakemon run virt --kernel k").name.as_deref(),
            Some("virt")
        );
        let both = "fakemon run virt --board b --kernel k";
        assert!(Cli::try_parse_from(both.split(' ')).is_err());
    }

    #[test]
    fn a_vmm_has_its_own_options() {
        let words = "fakemon attach --board virt --dt smc -- qemu --engine x -- y";
        let cli = Cli::try_parse_from(words.split(' ')).expect("valid");
        let Command::Attach(args) = cli.command else {
            panic!("{cli:?} is no attach");
        };
        assert_eq!(args.dt, Some(DeviceTreeMethod::Smc));
        assert_eq!(args.vmm, ["qemu", "--engine", "x", "--", "y"]);
        for wrong in [
            "fakemon attach -- qemu",
            "fakemon attach --board virt",
            "fakemon attach --board virt --blob f -- qemu",
            "fakemon attach --blob f --pages -- qemu",
        ] {
            assert!(Cli::try_parse_from(wrong.split(' ')).is_err(), "{wrong}");
        }
        // Without a blob, nobody serves.
        let words = "fakemon attach --policy deny -- qemu";
        assert!(Cli::try_parse_from(words.split(' ')).is_ok());
    }

    #[test]
    fn a_trace_goes_to_a_file_only_when_one_is_named() {
        let base = "fakemon run --board b --kernel k";
        assert_eq!(parse(base).trace, None);
        assert_eq!(parse(&format!("{base} --trace --smp 2")).trace, Some(None));
        assert_eq!(
            parse(&format!("{base} --trace=x.jsonl")).trace,
            Some(Some("x.jsonl".into()))
        );
    }

    #[test]
    fn an_appended_word_may_start_with_a_hyphen() {
        let line = [
            "fakemon",
            "run",
            "--board",
            "b",
            "--kernel",
            "k",
            "--append",
            "-- one two",
        ];
        let cli = Cli::try_parse_from(line).expect("valid");
        let Command::Run(args) = cli.command else {
            panic!("{cli:?} is no run");
        };
        assert_eq!(args.append, "-- one two");
        assert_eq!(args.watchdog(), Duration::from_secs(1));
        assert_eq!(args.watchdog_wall(), WALL);
    }
}
