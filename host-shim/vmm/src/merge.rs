// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `fakemon dt`: puts what a board has into the device tree of another VMM.

use fakemon_manifest::Board;

use crate::cli::DtArgs;
use crate::dt;
use crate::input;
use crate::installed::Installed;
use crate::run::Ending;

/// Writes the changed tree.
pub fn merge(args: &DtArgs) -> Ending {
    match try_merge(args) {
        Ok(()) => Ending::Off,
        Err(why) => Ending::Usage(why),
    }
}

fn try_merge(args: &DtArgs) -> Result<(), String> {
    let installed = Installed::of_this_program();
    let dir = installed.and_then(|installed| installed.board(&args.board));
    let dir = dir.map_err(|error| error.to_string())?;
    let board = Board::load(&dir).map_err(|error| error.to_string())?;
    let tree = input::device_tree(&args.dtb).map_err(|error| error.to_string())?;
    let bytes = dt::with_board(tree, &board).map_err(|error| error.to_string())?;
    std::fs::write(&args.out, bytes)
        .map_err(|error| format!("cannot write {}: {error}", args.out.display()))
}
