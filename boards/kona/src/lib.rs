// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board kona: the service API of Broadcom's secure monitor, as far as Linux
//! uses it.
//!
//! A call names its service in r4 and a buffer with four arguments in r6. Two things come back: in
//! r12 whether the monitor ran, in r0 what the service said. The monitor runs on the boot CPU only.

#![cfg_attr(not(test), no_std)]

use fakemon_firmware::{Board, Call, Error, Platform};

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// In r12: the monitor ran to its end.
pub const EXIT_NORMAL: u64 = 1;
/// In r12: it did not. Linux knows the normal exit alone.
pub const EXIT_REFUSED: u64 = 0;
/// In r0: the service is done.
pub const OK: u64 = 1;
/// In r0: it is not. Linux knows success alone.
pub const FAILED: u64 = 0;

/// Bytes of the buffer that are arguments.
const ARGUMENTS: usize = 16;
/// The PL310 that `board.toml` puts into the machine; it takes secure writes alone.
const PL310: u64 = 0x3ff2_0000;
/// Its control register.
const CONTROL: u64 = PL310 + 0x100;
/// Its register that invalidates ways, and all of them.
const INVALIDATE_WAYS: u64 = PL310 + 0x77c;
const ALL_WAYS: u64 = 0xffff;

/// The board.
#[derive(Clone, Copy, Debug)]
pub struct Kona;

impl Board for Kona {
    const NEW: Self = Kona;

    fn call(&self, call: &mut Call<'_>) {
        if call.platform().cpu() != 0 {
            call.set(12, EXIT_REFUSED);
            return;
        }
        let (service, buffer) = (call.register(4), call.register(6));
        let done = serve(call.platform(), service, buffer);
        call.set(0, if done.is_ok() { OK } else { FAILED });
        call.set(12, EXIT_NORMAL);
    }
}

/// Serves the call of a `service` with arguments at `buffer`.
fn serve(platform: &mut dyn Platform, service: u64, buffer: u64) -> Result<(), ()> {
    // What the arguments of this service mean is not known; Linux passes zeros.
    platform
        .read_memory(buffer, &mut [0; ARGUMENTS])
        .map_err(drop)?;
    match service {
        function::SSAPI_ENABLE_L2_CACHE => enable_l2_cache(platform).map_err(drop),
        _ => Err(()),
    }
}

/// Invalidates the cache and switches it on, unless it is: then its content counts.
fn enable_l2_cache(platform: &mut dyn Platform) -> Result<(), Error> {
    if platform.mmio_read(CONTROL, 4)? & 1 == 0 {
        platform.mmio_write(INVALIDATE_WAYS, 4, ALL_WAYS)?;
        platform.mmio_write(CONTROL, 4, 1)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
