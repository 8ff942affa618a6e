// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board artpec6: one function, which writes a register of the level 2 cache
//! controller that takes secure writes alone.

#![cfg_attr(not(test), no_std)]

use fakemon_firmware::{Board, Call, Error, FunctionId, Service, dispatch};

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// The owner of the board's calls, a trusted OS, in the function ID (DEN 0028, 2.5).
const OWNER: u32 = 0xb400_0000;
/// The bits of a function ID that are the owner's.
const OWNED: u32 = 0xffff_0000;

/// The PL310 that `board.toml` puts into the machine.
const PL310: u64 = 0xfaf1_0000;
/// Its registers that take secure writes alone (Arm DDI 0246): control, auxiliary control, tag
/// and data latency, start and end of the address filter, debug, prefetch and power control.
const SECURE: [u64; 9] = [
    0x100, 0x104, 0x108, 0x10c, 0xc00, 0xc04, 0xf40, 0xf60, 0xf80,
];

/// The board.
#[derive(Clone, Copy, Debug)]
pub struct Artpec6;

impl Board for Artpec6 {
    const NEW: Self = Artpec6;

    fn call(&self, call: &mut Call<'_>) {
        dispatch::smccc(&[&L2Cache], call);
    }
}

/// The functions of the board's owner: one, which writes the value in r2 to the controller's register whose
/// offset is in r1; 0 in r0 if that is done.
#[derive(Debug)]
struct L2Cache;

impl Service for L2Cache {
    fn owns(&self, id: FunctionId) -> bool {
        id.0 & OWNED == OWNER
    }

    fn handle(&self, call: &mut Call<'_>) {
        let (register, value) = (call.arg(1), call.arg(2));
        let code = if call.id() != function::L2C_WRITEREG {
            Err(Error::NotSupported)
        } else if !SECURE.contains(&register) {
            Err(Error::InvalidParameters)
        } else {
            let written = call.platform().mmio_write(PL310 + register, 4, value);
            written.map_err(|_| Error::InternalFailure)
        };
        call.answer(code);
    }
}

#[cfg(test)]
mod tests;
