// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The macro that makes a blob of a board.

/// Makes the program of a board's blob: its note, and the doors from the vectors to the firmware.
///
/// The note is the constant `NOTE` that the build script of the board has left in `note.rs`, or in the
/// file that comes after the board, for a package with several blobs.
///
/// On a target with an operating system, where nothing of that means anything, it makes a program
/// that says so.
///
/// ```no_run
/// use fakemon_blob::firmware::{Board, Call, Error};
///
/// struct Empty;
///
/// impl Board for Empty {
///     const NEW: Self = Empty;
///
///     fn call(&self, call: &mut Call<'_>) {
///         call.answer(Error::NotSupported);
///     }
/// }
///
/// fakemon_blob::blob!(Empty);
/// ```
#[macro_export]
macro_rules! blob {
    ($board:ty) => {
        $crate::blob!($board, "note.rs");
    };
    ($board:ty, $note:literal) => {
        #[cfg(target_os = "none")]
        mod fakemon_note {
            include!(concat!(env!("OUT_DIR"), "/", $note));

            #[used]
            #[unsafe(link_section = ".note.FakeMonitor")]
            static ELF_NOTE: $crate::abi::note::ElfNote = $crate::abi::note::ElfNote::new(NOTE);
        }

        #[cfg(target_os = "none")]
        const _: () = {
            static BOARD: $board = <$board as $crate::firmware::Board>::NEW;

            #[unsafe(no_mangle)]
            extern "C" fn fakemon_dispatch(saved: &mut $crate::entry::Saved) {
                $crate::entry::enter(&BOARD, saved);
            }

            #[unsafe(no_mangle)]
            extern "C" fn fakemon_interrupt(saved: &mut $crate::entry::Saved, aarch32: u32) {
                $crate::entry::interrupt(&BOARD, saved, aarch32 != 0);
            }
        };

        #[cfg(not(target_os = "none"))]
        fn main() {
            eprintln!("a blob runs in a monitor VM; build it with `cargo xtask blob`");
            std::process::exit(2);
        }
    };
}
