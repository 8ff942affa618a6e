// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a board is to its blob, and the macro that makes a blob of it.

use fakemon_abi::note::Note;
use fakemon_abi::status::NOT_SUPPORTED;

use crate::call::Call;

/// The entry points of a board's secure firmware.
///
/// A board is a value, made anew by each reset of the guest: what its firmware remembers from call
/// to call lies in it, behind a [`Lock`](crate::Lock) or in atomics.
pub trait Board: Sync {
    /// What the blob claims; `note.rs` of the board's build script.
    const NOTE: Note;

    /// The board as it comes out of reset.
    const NEW: Self;

    /// Serves an SMC or HVC with immediate 0; most boards leave it to
    /// [`dispatch::smccc`](crate::dispatch::smccc).
    fn call(&self, call: &mut Call<'_>);

    /// Serves an SMC or HVC with another immediate, which SMCCC reserves.
    fn call_with_immediate(&self, call: &mut Call<'_>) {
        call.answer(NOT_SUPPORTED);
    }
}

/// Makes the program of a board's blob: its note, and the door from the vectors to the dispatcher.
///
/// On a target with an operating system, where nothing of that means anything, it makes a program
/// that says so.
#[macro_export]
macro_rules! blob {
    ($board:ty) => {
        #[cfg(target_os = "none")]
        const _: () = {
            #[used]
            #[unsafe(link_section = ".note.FakeMonitor")]
            static NOTE: $crate::abi::note::ElfNote =
                $crate::abi::note::ElfNote::new(<$board as $crate::Board>::NOTE);

            #[unsafe(no_mangle)]
            extern "C" fn fakemon_dispatch(saved: &mut $crate::entry::Saved) {
                static BOARD: $board = <$board as $crate::Board>::NEW;
                $crate::entry::enter(&BOARD, saved);
            }
        };

        #[cfg(not(target_os = "none"))]
        fn main() {
            eprintln!("a blob runs in a monitor VM; build it with `cargo xtask blob`");
            std::process::exit(2);
        }
    };
}
