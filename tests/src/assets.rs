// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the runner of xtask brings to where the tests run.

use std::path::PathBuf;

use fakemon_host::Blob;
use fakemon_launch::{assets, env};

/// The directory of the assets, if there is one.
pub fn dir() -> Option<PathBuf> {
    std::env::var_os(env::ASSETS).map(PathBuf::from)
}

/// The blob of a board.
///
/// # Panics
/// When there are no assets, or no such board.
pub fn blob(board: &str) -> Blob {
    let path = dir().expect("assets").join(assets::blob(board));
    let bytes = std::fs::read(&path).expect("the runner ships the blobs");
    Blob::parse(&bytes).expect("a good blob")
}

/// Why a test is skipped where there are no assets.
pub fn missing() -> String {
    format!("{} is not set: run this by cargo xtask test", env::ASSETS)
}

/// Makes a [`libtest_mimic::Trial`] of each function, which is skipped where there are no assets.
#[macro_export]
macro_rules! trials_with_assets {
    ($($name:ident),+ $(,)?) => {
        vec![$(libtest_mimic::Trial::ignorable_test(stringify!($name), || {
            if $crate::assets::dir().is_none() {
                return Ok(libtest_mimic::Completion::ignored_with($crate::assets::missing()));
            }
            $name();
            Ok(libtest_mimic::Completion::Completed)
        })),+]
    };
}
