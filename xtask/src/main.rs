// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The project's own commands: `cargo xtask` without arguments lists them.

use std::process::ExitCode;

use clap::Parser;

use own_kernel::NoSource;
use usage::Usage;

mod archive;
mod attach;
mod bench;
mod blob;
mod boards;
mod c_programs;
mod cache;
mod cargo;
mod ci;
#[cfg(test)]
mod circles;
mod debian;
mod demo;
#[cfg(test)]
mod dependencies;
mod dist;
mod engine;
mod guest;
mod inputs;
mod interrupt;
mod kernel;
mod lacks;
mod machine;
mod modules;
mod names;
mod new_board;
mod own_kernel;
mod progress;
#[cfg(test)]
mod readme;
mod replay;
mod run;
mod runner;
mod scratch;
mod setup;
mod stages;
mod summary;
mod supplies;
mod test;
mod this_machine;
mod usage;
mod workspace;

/// Builds blobs, sets up what is needed, and runs guests and tests.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
#[command(arg_required_else_help = true, subcommand_required = true)]
enum Command {
    Setup(setup::Setup),
    Blob(blob::Blob),
    Boards(boards::Boards),
    Run(run::Run),
    Kernel(kernel::Kernel),
    Test(test::Test),
    Bench(bench::Bench),
    Ci(ci::Ci),
    Dist(dist::Dist),
    NewBoard(new_board::NewBoard),
    #[command(hide = true)]
    Runner(runner::Runner),
}

fn main() -> ExitCode {
    let command = Command::parse();
    let result = interrupt::catch().and_then(|()| match command {
        Command::Setup(verb) => verb.run(),
        Command::Blob(verb) => verb.run(),
        Command::Boards(verb) => verb.run(),
        Command::Run(verb) => verb.run(),
        Command::Kernel(verb) => verb.run(),
        Command::Test(verb) => verb.run(),
        Command::Bench(verb) => verb.run(),
        Command::Ci(verb) => verb.run(),
        Command::Dist(verb) => verb.run(),
        Command::NewBoard(verb) => verb.run(),
        Command::Runner(verb) => verb.run(),
    });
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if error.is::<Usage>() {
                2
            } else if error.is::<NoSource>() {
                kernel::NO_SOURCE
            } else {
                3
            })
        }
    }
}
