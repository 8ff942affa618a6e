// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board tegra30: Trusted Foundations, as far as Linux calls it.
//!
//! The monitor owns what the kernel of such a tablet may not write itself: the address at which CPUs
//! come out of reset, and the control of the level 2 cache. A call has its type in r0 and arguments
//! in r1 and r2; it has no result, and Linux relies on r0 to r2 to be as they were.

#![cfg_attr(not(test), no_std)]

use fakemon_firmware::{Board, Call, Error, Platform};

mod cache;

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// What [`function::TF_CACHE_MAINT`] does.
pub mod maintenance {
    /// Switches the cache on, with the auxiliary control value in r2.
    pub const ENABLE: u64 = 1;
    /// Cleans the ways in r2 and switches the cache off.
    pub const DISABLE: u64 = 2;
    /// Switches the cache on after an idle state, with the auxiliary control value in r2.
    pub const REENABLE: u64 = 4;
}

/// The idle states of [`function::TF_CPU_PM`].
pub mod idle {
    /// LP0: everything off but memory in self-refresh.
    pub const S3: u64 = 0xffff_ffe3;
    /// LP2: the CPU off.
    pub const S1: u64 = 0xffff_ffe4;
    /// LP1 with the memory controller's clock stopped.
    pub const S2_NO_MC_CLOCK: u64 = 0xffff_ffe5;
    /// LP1: CPUs off and memory in self-refresh.
    pub const S2: u64 = 0xffff_ffe6;
    /// LP2 with the level 2 cache left alone.
    pub const S1_NO_FLUSH: u64 = 0xffff_ffe7;
}

/// The register that holds the address at which CPUs come out of reset. It lies in the page of
/// exception vectors, which `board.toml` makes memory.
const RESET_VECTOR: u64 = 0x6000_f100;

/// The board.
#[derive(Clone, Copy, Debug)]
pub struct Tegra30;

impl Board for Tegra30 {
    const NEW: Self = Tegra30;

    fn call(&self, call: &mut Call<'_>) {
        let [kind, first, second] = [0, 1, 2].map(|n| call.register(n));
        if let Err(code) = serve(call.platform(), kind, first, second) {
            call.answer(code);
        }
    }
}

/// Serves a call of type `kind` with arguments `first` and `second`.
fn serve(platform: &mut dyn Platform, kind: u64, first: u64, second: u64) -> Result<(), Error> {
    match kind {
        // What a CPU says first when it has come out of reset. The monitor's own state has survived, as the monitor VM was not switched off.
        function::TF_RESUME => Ok(()),
        function::TF_CACHE_MAINT => match first {
            maintenance::ENABLE => cache::enable(platform, second),
            maintenance::DISABLE => cache::disable(platform, second),
            maintenance::REENABLE => cache::reenable(platform, second),
            _ => Err(Error::InvalidParameters),
        },
        function::TF_SET_CPU_BOOT_ADDR => set_reset_vector(platform, first),
        function::TF_CPU_PM => {
            match first {
                idle::S1 | idle::S2 | idle::S2_NO_MC_CLOCK | idle::S3 => {
                    cache::disable(platform, cache::ALL_WAYS)?;
                }
                idle::S1_NO_FLUSH => {}
                _ => return Err(Error::InvalidParameters),
            }
            set_reset_vector(platform, second)
        }
        _ => Err(Error::NotSupported),
    }
}

fn set_reset_vector(platform: &mut dyn Platform, address: u64) -> Result<(), Error> {
    platform.write_u32(RESET_VECTOR, address as u32)
}

#[cfg(test)]
mod tests;
