// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command line: what `fakemon` accepts and how its `--help` reads.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use fakemon_host::{Engine, OnFault, Policy};
use fakemon_manifest::Size;

/// What `--help` says after the options; clap does not wrap it.
const AFTER_HELP: &str = "\
The guest's console is this terminal; on a tty Ctrl-A x ends the guest. What
fakemon itself says goes to standard error, each line after \"fakemon: \".

Exit status: 0 the guest powered off, 1 the guest failed or panicked,
2 wrong usage or input, 3 the host or the blob failed.";

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
}

/// Arguments of `fakemon run`.
#[derive(Args, Clone, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct RunArgs {
    /// The board's directory, which holds board.toml
    #[arg(long, value_name = "DIR")]
    pub board: PathBuf,
    /// Kernel: arm64 Image (also gzip) or 32-bit zImage
    #[arg(long, value_name = "FILE")]
    pub kernel: PathBuf,
    /// The board's blob, needed with --smc blob; again for further blobs that
    /// serve other calls, each in a VM of its own
    #[arg(long, value_name = "FILE")]
    pub blob: Vec<PathBuf>,
    /// Initial RAM disk
    #[arg(long, value_name = "FILE")]
    pub initrd: Option<PathBuf>,
    /// Device tree to start from [default: a generated one]
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
        let Command::Run(args) = Cli::try_parse_from(words.split(' '))
            .expect("valid")
            .command;
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
        let Command::Run(args) = Cli::try_parse_from(line).expect("valid").command;
        assert_eq!(args.append, "-- one two");
        assert_eq!(args.watchdog(), Duration::from_secs(1));
        assert_eq!(args.watchdog_wall(), WALL);
    }
}
