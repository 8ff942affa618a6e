// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How many CPUs and how much memory a guest can have.

use fakemon_manifest::{Board, Size};

use crate::usage::Usage;

/// Refuses more CPUs or memory than the board, or this machine with `host` bytes, can have: a host
/// VM would end before the guest could say so.
pub(super) fn check(
    board: &Board,
    cpus: Option<u32>,
    memory: Option<Size>,
    gic: Option<u8>,
    host: u64,
) -> Result<(), Usage> {
    let name = &board.name;
    let (limit, why) = board.machine.cpus_limit(gic.map(u32::from));
    if cpus.is_some_and(|cpus| cpus as usize > limit) {
        let problem = format!("board {name} has room for {limit} CPUs{why}; use a smaller --smp");
        return Err(Usage(problem));
    }
    let memory = memory.unwrap_or(board.machine.memory).0;
    let checked = board.check_memory(memory, host);
    checked.map_err(|error| Usage(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    fn refusal(board: &str, smp: Option<u32>, mem: &str) -> String {
        let board = workspace::board(board).expect("a board");
        let mem = Some(mem.parse().expect("a size"));
        let gic = board.machine.gic.versions.first().copied();
        let checked = check(&board, smp, mem, gic, 8 << 30);
        checked.err().map_or_else(String::new, |usage| usage.0)
    }

    #[test]
    fn a_size_that_cannot_be_is_refused_before_anything_starts() {
        assert_eq!(refusal("virt", Some(64), "4G"), "");
        assert_eq!(refusal("midway", Some(8), "1G"), "");
        assert_eq!(
            refusal("midway", Some(9), "1G"),
            "board midway has room for 8 CPUs with a GICv2; use a smaller --smp"
        );
        assert!(refusal("virt", None, "100G").contains("the 8192 MiB of this machine"));
        assert!(refusal("midway", None, "100G").contains("board midway has room for"));
    }
}
