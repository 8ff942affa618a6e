// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where things are in the directory that [`ASSETS`](crate::env::ASSETS) names. What is in a package, too,
//! lies as it does there.

use fakemon_manifest::Board;

/// The reference VMM.
pub const FAKEMON: &str = "bin/fakemon";
/// The library that `fakemon attach` loads into other VMMs.
pub const PRELOAD: &str = "lib/fakemon/libfakemon_preload.so";
/// Debian's QEMU as such a VMM, and the directory of the libraries that it needs.
pub const VMM: &str = "vmm/qemu-system-aarch64";
/// The libraries.
pub const VMM_LIBRARIES: &str = "vmm/lib";
/// A VMM in C that does one thing at a time, and why it is not there if that is so.
pub const VMM_IN_C: &str = "vmm/scenarios";
/// The reason.
pub const VMM_IN_C_SKIP: &str = "skips/attach-c";
/// The initramfs for its guests.
pub const VMM_INITRD: &str = "initrd/attach.cpio";
/// The Debian package, unpacked.
pub const PACKAGE: &str = "package";
/// The embedder's example.
pub const EXAMPLE: &str = "bin/minimal";
/// The example of a VMM with a thread for each vCPU and hotplug.
pub const HOTPLUG_EXAMPLE: &str = "bin/hotplug";
/// The same in C.
pub const C_EXAMPLE: &str = "bin/minimal-c";
/// What C can get wrong.
pub const C_REFUSALS: &str = "bin/refusals-c";
/// Why there are no programs in C, if that is so.
pub const C_SKIP: &str = "skips/c";
/// The directory with one directory for each board.
pub const BOARDS: &str = "share/fakemon/boards";

/// The blob of the board called `board`.
pub fn blob(board: &str) -> String {
    format!("lib/fakemon/blobs/{board}.elf")
}

/// The directories of [`ASSETS`](crate::env::ASSETS) that have what fakemon finds by a board's name.
pub const PLACES: [&str; 2] = ["lib/fakemon", "share/fakemon"];

/// The board that two blobs can serve together.
pub const HALVED: &str = "virt";
/// These blobs; the first is the board's.
pub const HALVES: [&str; 2] = ["blobs/halves/power.elf", "blobs/halves/entropy.elf"];

/// The files of the directory of the board called `board`.
pub fn board_dir(board: &str) -> String {
    format!("{BOARDS}/{board}")
}

/// The kernel that `board` boots.
pub fn kernel(board: &Board) -> String {
    format!("kernels/{}/vmlinuz", board.guest.kernel)
}

/// The device tree of that kernel that `board` starts from, if it does.
pub fn dtb(board: &Board) -> Option<String> {
    let name = board.guest.dtb.as_ref()?;
    Some(format!("kernels/{}/{name}", board.guest.kernel))
}

/// The default initramfs of a board that boots a kernel.
pub fn initrd(board: &str) -> String {
    format!("initrd/{board}.cpio")
}

/// The program of a board that replays calls instead.
pub fn replay(board: &str) -> String {
    format!("replay/{board}.bin")
}

/// Why a board cannot boot the kernel that the user chose, if it cannot.
pub fn skip(board: &str) -> String {
    format!("skips/{board}")
}
