// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board meson-a1: PSCI 1.1 and Amlogic's secure monitor.
//!
//! What does not fit into a call's registers goes through two pages that firmware chooses and the
//! kernel asks for: one from the kernel to firmware, one the other way.

#![cfg_attr(not(test), no_std)]

mod fuses;
mod power;

use fakemon_firmware::services::psci::Psci;
use fakemon_firmware::{Board, Call, Error, FunctionId, Lock, Service, dispatch, owner};
use fuses::Fuses;
use power::Domains;

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// The board.
#[derive(Debug)]
pub struct MesonA1 {
    monitor: SecureMonitor,
}

impl Board for MesonA1 {
    const NEW: Self = MesonA1 {
        monitor: SecureMonitor {
            domains: Lock::new(Domains::RESET),
            fuses: Lock::new(Fuses::RESET),
        },
    };

    fn call(&self, call: &mut Call<'_>) {
        dispatch::smccc(&[&Psci::new(), &self.monitor], call);
    }
}

/// The pages of `board.toml`, both [`SHMEM_SIZE`] bytes.
const SHMEM_IN_BASE: u64 = 0xfffc_0000;
const SHMEM_OUT_BASE: u64 = 0xfffc_1000;
/// Bytes of a shared page.
#[cfg(test)]
const SHMEM_SIZE: usize = 0x1000;

/// What is fused into each chip: two bytes of the SoC's kind, then of this piece of it.
const CHIP_ID: [u8; 16] = [
    0x29, 0x0a, 0x40, 0x00, 0x01, 0x24, 0xa8, 0x01, 0x0b, 0x4d, 0x57, 0x31, 0x5a, 0x1e, 0x00, 0x00,
];
/// Every failure of this firmware that is not 0 bytes.
const FAILED: Error = Error::NotSupported;

/// The calls of Amlogic's secure monitor.
#[derive(Debug)]
struct SecureMonitor {
    domains: Lock<Domains>,
    fuses: Lock<Fuses>,
}

impl Service for SecureMonitor {
    fn owns(&self, id: FunctionId) -> bool {
        id.is_fast() && !id.is_64() && id.owner() == owner::SIP
    }

    fn handle(&self, call: &mut Call<'_>) {
        let (first, second) = (call.arg(1) as u32, call.arg(2) as u32);
        match call.id() {
            // Where the kernel finds the page that it writes.
            function::SM_SHMEM_IN => call.set(0, SHMEM_IN_BASE),
            // Where it finds the page that firmware writes.
            function::SM_SHMEM_OUT => call.set(0, SHMEM_OUT_BASE),
            // Fuses into the page of firmware; x0 is how many bytes.
            function::SM_EFUSE_READ => {
                let read = self.read_fuses(call, first, second);
                call.set(0, u64::from(read.unwrap_or(0)));
            }
            // Fuses from the page of the kernel; x0 is how many bytes.
            function::SM_EFUSE_WRITE => {
                let written = self.write_fuses(call, first, second);
                call.set(0, u64::from(written.unwrap_or(0)));
            }
            function::SM_EFUSE_USER_MAX => call.set(0, fuses::SIZE as u64),
            // x1 is the version of the answer, the chip's identity in the page of firmware.
            function::SM_GET_CHIP_ID => {
                let written = chip_id(call, first);
                call.answer(written.ok_or(FAILED));
            }
            // x1 is a domain, x2 whether it is to be on.
            function::SM_PWRC_SET => {
                let done = self.domains.with(|domains| domains.set(first, second));
                call.answer(if done { Ok(()) } else { Err(FAILED) });
            }
            // x0 is 1 if the domain is off.
            function::SM_PWRC_GET => match self.domains.with(|domains| domains.is_off(first)) {
                Some(off) => call.set(0, u64::from(off)),
                None => call.answer(FAILED),
            },
            _ => call.answer(Error::NotSupported),
        }
    }
}

impl SecureMonitor {
    /// Copies `size` bytes of fuses from `offset` to the page of firmware; returns `size`.
    fn read_fuses(&self, call: &mut Call<'_>, offset: u32, size: u32) -> Option<u32> {
        let place = fuses::place(offset, size)?;
        let bytes = self.fuses.get().0;
        let written = call
            .platform()
            .write_memory(SHMEM_OUT_BASE, bytes.get(place)?);
        written.ok().map(|()| size)
    }

    /// Blows `size` bytes of fuses from `offset` as the page of the kernel says; returns `size`.
    fn write_fuses(&self, call: &mut Call<'_>, offset: u32, size: u32) -> Option<u32> {
        let place = fuses::place(offset, size)?;
        let mut buffer = [0; fuses::SIZE];
        let bytes = buffer.get_mut(..place.len())?;
        call.platform().read_memory(SHMEM_IN_BASE, bytes).ok()?;
        let blown = self.fuses.with(|fuses| fuses.blow(place, bytes));
        blown.then_some(size)
    }
}

/// Writes a 32-bit version and the chip's identity to the page of firmware: 12 bytes of it in
/// version 1, which an older kernel asks for as 0, and all 16 in version 2.
fn chip_id(call: &mut Call<'_>, version: u32) -> Option<()> {
    let (version, size): (u32, _) = match version {
        0 | 1 => (1, 12),
        2 => (2, CHIP_ID.len()),
        _ => return None,
    };
    let mut answer = [0; 4 + CHIP_ID.len()];
    answer[..4].copy_from_slice(&version.to_le_bytes());
    answer[4..4 + size].copy_from_slice(&CHIP_ID[..size]);
    call.platform().write_memory(SHMEM_OUT_BASE, &answer).ok()
}

#[cfg(test)]
mod tests;
