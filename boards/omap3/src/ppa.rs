// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `smc #1`: the services of the Primary Protected Application, which the ROM code of a high
//! security chip runs.
//!
//! r0 and r12 are the service, r6 is 0xff for a new task, r3 points to the arguments: their number,
//! then they. The result is in r0.

use fakemon_firmware::{Call, Lock, Platform};

use crate::State;
use crate::function::{
    PPA_HWRNG, PPA_L2_INVALIDATE, PPA_SAVE_SECURE_RAM, PPA_WRITE_ACR, PPA_WRITE_L2_AUX,
};

/// In r6: this is a new task, and not one that an interrupt had stopped.
pub(crate) const NEW_TASK: u64 = 0xff;

/// In r0: done.
pub(crate) const OK: u64 = 0;
/// In r0: not done.
pub(crate) const FAIL: u64 = 1;
/// In r0: an address means nothing to the secure side.
pub(crate) const BAD_ADDRESS: u64 = 0xffff_fffe;
/// In r0: no such service.
pub(crate) const UNKNOWN_SERVICE: u64 = 0xffff_ffff;

/// What the random number generator is to do.
pub(crate) mod rng {
    /// Go off.
    pub(crate) const RESET: u32 = 0x01;
    /// Come on.
    pub(crate) const INITIALISE: u32 = 0x02;
    /// Give random bytes.
    pub(crate) const GENERATE: u32 = 0x08;
    /// The most bytes of one call. Linux asks for 4.
    pub(crate) const MOST: u32 = 1024;
}

/// Bytes of a saved secure RAM.
pub(crate) const SECURE_RAM: usize = 0x803f;
/// First word of a saved secure RAM.
pub(crate) const SAVED: u32 = 0x5652_5353;
/// Bytes of it that are written at once.
const CHUNK: usize = 512;

pub(crate) fn serve(state: &Lock<State>, call: &mut Call<'_>) {
    let [r0, r3, r6, r12] = [0, 3, 6, 12].map(|n| call.register(n));
    let result = if r0 != r12 {
        Err(UNKNOWN_SERVICE)
    } else if r6 != NEW_TASK {
        // No task is ever stopped here, so there is none to go on with.
        Err(FAIL)
    } else {
        service(state, call.platform(), r12, r3)
    };
    call.set(0, result.err().unwrap_or(OK));
}

/// Runs a service whose arguments are at `block`; its error is what r0 says.
fn service(
    state: &Lock<State>,
    platform: &mut dyn Platform,
    service: u64,
    block: u64,
) -> Result<(), u64> {
    match service {
        PPA_SAVE_SECURE_RAM => {
            // Linux passes 0, 1, 1 after the address.
            let [address, _, _, _] = arguments(platform, block)?;
            save(state.get(), platform, u64::from(address))
        }
        PPA_HWRNG => {
            let [address, count, task] = arguments(platform, block)?;
            match task {
                rng::RESET => state.with(|state| state.rng = false),
                rng::INITIALISE => state.with(|state| state.rng = true),
                rng::GENERATE if state.get().rng => random(platform, u64::from(address), count)?,
                _ => return Err(FAIL),
            }
            Ok(())
        }
        // The cache that the guest has is the platform's, and never comes back with stale lines.
        PPA_L2_INVALIDATE => arguments::<1>(platform, block).map(drop),
        PPA_WRITE_ACR => {
            let [acr] = arguments(platform, block)?;
            state.with(|state| state.acr = acr);
            Ok(())
        }
        // Linux can be configured for it.
        PPA_WRITE_L2_AUX => {
            let [l2_aux] = arguments(platform, block)?;
            state.with(|state| state.l2_aux = l2_aux);
            Ok(())
        }
        _ => Err(UNKNOWN_SERVICE),
    }
}

/// Copies `N` arguments. There may be more: Nokia's PPA counts one too many.
fn arguments<const N: usize>(platform: &mut dyn Platform, block: u64) -> Result<[u32; N], u64> {
    let count = platform.read_u32(block).map_err(|_| BAD_ADDRESS)?;
    if (count as usize) < N {
        return Err(FAIL);
    }
    let mut arguments = [0; N];
    for (argument, address) in arguments.iter_mut().zip((block + 4..).step_by(4)) {
        *argument = platform.read_u32(address).map_err(|_| BAD_ADDRESS)?;
    }
    Ok(arguments)
}

/// Writes what is remembered to memory, in the room that a secure RAM takes.
fn save(state: State, platform: &mut dyn Platform, address: u64) -> Result<(), u64> {
    // Whether the end is memory shows before anything is written.
    let end = address + SECURE_RAM as u64;
    platform
        .write_memory(end - 1, &[0])
        .map_err(|_| BAD_ADDRESS)?;
    let mut chunk = [0; CHUNK];
    let words = [SAVED, state.acr, state.l2_aux, u32::from(state.rng)];
    for (place, word) in chunk.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    for start in (address..end).step_by(CHUNK) {
        let length = CHUNK.min((end - start) as usize);
        platform
            .write_memory(start, &chunk[..length])
            .map_err(|_| BAD_ADDRESS)?;
        chunk = [0; CHUNK];
    }
    Ok(())
}

/// Writes `count` random bytes to memory.
fn random(platform: &mut dyn Platform, address: u64, count: u32) -> Result<(), u64> {
    if count > rng::MOST {
        return Err(FAIL);
    }
    let end = address + u64::from(count);
    for start in (address..end).step_by(32) {
        let words = platform.entropy(4).map_err(|_| FAIL)?;
        let mut bytes = [0; 32];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        let length = bytes.len().min((end - start) as usize);
        platform
            .write_memory(start, &bytes[..length])
            .map_err(|_| BAD_ADDRESS)?;
    }
    Ok(())
}
