// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `fakemon`: parses the command line, runs the guest, starts another VMM or changes its device tree, prints
//! how it ended.

use std::process::ExitCode;

use clap::Parser;
use fakemon::attach::attach;
use fakemon::boards::boards;
use fakemon::check::check;
use fakemon::cli::{Cli, Command};
use fakemon::merge::merge;
use fakemon::run::{Ending, run};
use fakemon::say;

fn main() -> ExitCode {
    let ending = match Cli::parse().command {
        Command::Run(args) => run(&args),
        Command::Attach(args) => attach(&args),
        Command::Dt(args) => merge(&args),
        Command::Boards(args) => boards(&args),
        Command::Check(args) => check(&args),
    };
    match &ending {
        Ending::Off => {}
        Ending::Guest(why) | Ending::Usage(why) | Ending::Host(why) => say!("{why}"),
        Ending::Signal(number) => say!("ended by signal {number}"),
    }
    say::last_words();
    ending.code().into()
}
