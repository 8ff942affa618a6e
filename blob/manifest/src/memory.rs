// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How much memory a guest can have: as much as its board has room for, and as the machine has that it
//! runs on.

use crate::board::Board;

/// A guest cannot have as much memory as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooMuchMemory {
    /// It would run into a device, or a 32-bit kernel would not reach all of it.
    #[error(
        "{asked} MiB of memory do not fit: board {board} has room for {limit} MiB; use a smaller --mem"
    )]
    ForBoard {
        /// What was asked for, in MiB.
        asked: u64,
        /// The board's name.
        board: String,
        /// What fits, in MiB.
        limit: u64,
    },
    /// This machine has not that much.
    #[error(
        "{asked} MiB of memory are more than the {have} MiB of this machine; use a smaller --mem"
    )]
    ForMachine {
        /// What was asked for, in MiB.
        asked: u64,
        /// What there is, in MiB.
        have: u64,
    },
}

/// Bytes of RAM that this machine has.
pub fn of_this_machine() -> u64 {
    // SAFETY: sysconf has no memory arguments.
    let pages = unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) };
    // SAFETY: as above.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    match (u64::try_from(pages), u64::try_from(size)) {
        (Ok(pages), Ok(size)) => pages.saturating_mul(size),
        // A system that does not say it decides when it is asked for the memory.
        _ => u64::MAX,
    }
}

impl Board {
    /// Checks `ram` bytes of memory against the board, and the `host` bytes of the machine that the guest
    /// runs on.
    ///
    /// # Errors
    /// One of the two has not that much.
    pub fn check_memory(&self, ram: u64, host: u64) -> Result<(), TooMuchMemory> {
        let mib = |bytes: u64| bytes >> 20;
        let limit = self.memory_limit();
        if ram > limit {
            return Err(TooMuchMemory::ForBoard {
                asked: mib(ram),
                board: self.name.clone(),
                limit: mib(limit),
            });
        }
        if ram > host {
            return Err(TooMuchMemory::ForMachine {
                asked: mib(ram),
                have: mib(host),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::tests::GOOD;
    use crate::guest::Arch;

    #[test]
    fn too_much_is_refused_with_what_there_is_room_for() {
        const GIB: u64 = 1 << 30;
        let mut board = Board::parse(GOOD, "virt").expect("good");
        assert_eq!(board.check_memory(8 * GIB, 8 * GIB), Ok(()));
        let error = board
            .check_memory(100 * GIB, 4 * GIB)
            .expect_err("too much");
        assert_eq!(
            error.to_string(),
            "102400 MiB of memory are more than the 4096 MiB of this machine; use a smaller --mem"
        );
        board.guest.arch = Arch::Armhf;
        assert_eq!(board.check_memory(3 * GIB, 8 * GIB), Ok(()));
        let error = board
            .check_memory(4 * GIB, 8 * GIB)
            .expect_err("past 4 GiB");
        assert_eq!(
            error.to_string(),
            "4096 MiB of memory do not fit: board virt has room for 3072 MiB; use a smaller --mem"
        );
    }

    #[test]
    fn this_machine_has_some_memory() {
        assert!(of_this_machine() > 1 << 20);
    }
}
