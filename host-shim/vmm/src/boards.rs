// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `fakemon boards`: lists the boards that are installed.

use std::path::{Path, PathBuf};

use fakemon_manifest::Board;
use serde_json::{Value, json};

use crate::cli::BoardsArgs;
use crate::input;
use crate::installed::{Installed, PATH};
use crate::output::print;
use crate::run::Ending;

/// A board that can be used.
#[derive(Clone, Debug)]
pub struct Usable {
    /// Its description.
    pub board: Board,
    /// The directory of that.
    pub dir: PathBuf,
    /// Its blob.
    pub blob: PathBuf,
}

/// Prints the boards.
pub fn boards(args: &BoardsArgs) -> Ending {
    let installed = match Installed::of_this_program() {
        Ok(installed) => installed,
        Err(error) => return Ending::Usage(error.to_string()),
    };
    let (boards, faults) = usable(&installed);
    if boards.is_empty() && faults.is_empty() {
        return Ending::Usage(none());
    }
    let text = match args.json {
        true => format!("{:#}\n", Value::from_iter(boards.iter().map(json))),
        false => list(&boards),
    };
    if let Err(error) = print(&text) {
        return Ending::Host(format!("cannot write the list: {error}"));
    }
    match faults.is_empty() {
        true => Ending::Off,
        false => Ending::Host(faults.join("\n")),
    }
}

/// The boards that are installed, by name, and what is wrong with those that cannot be used.
pub fn usable(installed: &Installed) -> (Vec<Usable>, Vec<String>) {
    let (mut boards, mut faults) = (Vec::new(), Vec::new());
    for (name, dir) in installed.boards() {
        match load(installed, &name, &dir) {
            Ok((board, blob)) => boards.push(Usable { board, dir, blob }),
            Err(fault) => faults.push(fault),
        }
    }
    (boards, faults)
}

/// That no board is installed, and what to do.
pub fn none() -> String {
    format!("no board is installed beside this program or in ${PATH}: install all of the package")
}

fn load(installed: &Installed, name: &str, dir: &Path) -> Result<(Board, PathBuf), String> {
    let board = Board::load(dir).map_err(|error| error.to_string())?;
    let blob = installed.blob(name).map_err(|error| error.to_string())?;
    input::blob_of(&blob, name).map_err(|error| error.to_string())?;
    Ok((board, blob))
}

/// One line for each board.
fn list(boards: &[Usable]) -> String {
    let families = |usable: &Usable| usable.board.families.join(",");
    let width = |column: &dyn Fn(&Usable) -> usize| boards.iter().map(column).max().unwrap_or(0);
    let name = width(&|usable| usable.board.name.len());
    let family = width(&|usable| families(usable).len());
    let line = |usable: &Usable| {
        let (board, arch) = (&usable.board, usable.board.guest.arch.as_str());
        let (families, description) = (families(usable), &board.description);
        format!(
            "{:name$}  {arch:5}  {families:family$}  {description}\n",
            board.name
        )
    };
    boards.iter().map(line).collect()
}

fn json(usable: &Usable) -> Value {
    let board = &usable.board;
    json!({
        "name": board.name,
        "description": board.description,
        "families": board.families,
        "arch": board.guest.arch.as_str(),
        "kernel": board.guest.kernel,
        "dtb": board.guest.dtb,
        "board": usable.dir,
        "blob": usable.blob,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn installed() -> Usable {
        Usable {
            board: testing::board(""),
            dir: "/s/boards/virt".into(),
            blob: "/l/blobs/virt.elf".into(),
        }
    }

    #[test]
    fn a_line_has_the_board_its_guests_and_its_families() {
        let mut longer = installed();
        longer.board.name = "armada8k".into();
        longer.board.families.push("V14".into());
        assert_eq!(
            list(&[installed(), longer]),
            "virt      arm64  A2      a board\narmada8k  arm64  A2,V14  a board\n"
        );
    }

    #[test]
    fn json_has_what_a_script_needs() {
        let value = json(&installed());
        assert_eq!(value["blob"], "/l/blobs/virt.elf");
        assert_eq!(value["families"], json!(["A2"]));
        assert_eq!(value["dtb"], Value::Null);
    }

    #[test]
    fn a_board_without_its_blob_cannot_be_used() {
        let boards = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let nowhere = Path::new("/nonexistent/bin");
        let here = Installed::beside(nowhere, [boards].into_iter());
        let (boards, faults) = usable(&here);
        assert!(boards.is_empty(), "no blob is in the checkout");
        let virt = faults.iter().find(|fault| fault.contains("board virt "));
        assert!(virt.expect("virt").contains("no blob"), "{faults:?}");
    }
}
