// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `fakemon`: parses the command line, runs the guest, prints how it ended.

use std::process::ExitCode;

use clap::Parser;
use fakemon::cli::{Cli, Command};
use fakemon::run::{Ending, run};
use fakemon::say;

fn main() -> ExitCode {
    let Command::Run(args) = Cli::parse().command;
    let ending = run(&args);
    match &ending {
        Ending::Off => {}
        Ending::Guest(why) | Ending::Usage(why) | Ending::Host(why) => say!("{why}"),
        Ending::Signal(number) => say!("ended by signal {number}"),
    }
    say::last_words();
    ending.code().into()
}
