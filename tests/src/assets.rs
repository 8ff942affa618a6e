// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the runner of xtask brings to where the tests run.

use std::path::PathBuf;

use fakemon_host::Blob;

/// The directory of the assets, if there is one.
pub fn dir() -> Option<PathBuf> {
    std::env::var_os("FAKEMON_ASSETS").map(PathBuf::from)
}

/// The blob of a board.
///
/// # Panics
/// When there are no assets, or no such board.
pub fn blob(board: &str) -> Blob {
    let path = dir().expect("assets").join(format!("blobs/{board}.elf"));
    let bytes = std::fs::read(&path).expect("the runner ships the blobs");
    Blob::parse(&bytes).expect("a good blob")
}

/// Makes a [`libtest_mimic::Trial`] of each function, which is skipped where there are no assets.
#[macro_export]
macro_rules! trials_with_assets {
    ($($name:ident),+ $(,)?) => {
        vec![$(libtest_mimic::Trial::ignorable_test(stringify!($name), || {
            if $crate::assets::dir().is_none() {
                return Ok(libtest_mimic::Completion::ignored_with(
                    "FAKEMON_ASSETS is not set: run this by cargo xtask test",
                ));
            }
            $name();
            Ok(libtest_mimic::Completion::Completed)
        })),+]
    };
}
