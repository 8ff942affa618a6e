// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Random numbers for the guest: the TRNG firmware interface 1.0 (Arm DEN 0098).

use fakemon_abi::status::{INVALID_PARAMETERS, NOT_SUPPORTED, SUCCESS};

use crate::call::{Call, Width};
use crate::function_id::{FunctionId, owner};
use crate::service::Service;

/// The TRNG service. Its randomness is the host's.
#[derive(Clone, Copy, Debug)]
pub struct Trng;

/// TRNG_VERSION.
pub const VERSION: FunctionId = FunctionId::fast32(owner::STANDARD, 0x50);
/// TRNG_FEATURES.
pub const FEATURES: FunctionId = FunctionId::fast32(owner::STANDARD, 0x51);
/// TRNG_GET_UUID.
pub const GET_UUID: FunctionId = FunctionId::fast32(owner::STANDARD, 0x52);
/// TRNG_RND with up to 96 bits.
pub const RND32: FunctionId = FunctionId::fast32(owner::STANDARD, 0x53);
/// TRNG_RND with up to 192 bits.
pub const RND64: FunctionId = FunctionId::fast64(owner::STANDARD, 0x53);

/// Version 1.0.
const VERSION_1_0: u64 = 0x1_0000;
/// No entropy at the moment: try again (DEN 0098, 2.1).
const NO_ENTROPY: i32 = -3;
/// This back end, b4a6b3a1-6c1f-4d0e-9e58-3f1dc2d7a904.
const UUID: [u32; 4] = [0xa1b3_a6b4, 0x0e4d_1f6c, 0x1d3f_589e, 0x04a9_d7c2];
/// Registers that carry entropy, the one with the lowest bits first.
const ENTROPY: [usize; 3] = [3, 2, 1];

impl Service for Trng {
    fn owns(&self, id: FunctionId) -> bool {
        (VERSION..=RND32).contains(&id) || id == RND64
    }

    fn handle(&self, call: &mut Call<'_>) {
        match call.id() {
            VERSION => call.set(0, VERSION_1_0),
            FEATURES => {
                let asked = FunctionId(call.arg(1) as u32);
                let there = match call.width() {
                    Width::AArch64 => self.owns(asked),
                    Width::AArch32 => self.owns(asked) && !asked.is_64(),
                };
                call.answer(if there { SUCCESS } else { NOT_SUPPORTED });
            }
            GET_UUID => {
                for (n, word) in UUID.into_iter().enumerate() {
                    call.set(n, u64::from(word));
                }
            }
            RND32 => random(call, 32),
            RND64 => random(call, 64),
            _ => call.answer(NOT_SUPPORTED),
        }
    }
}

/// Answers TRNG_RND with as many bits as x1 asks for, in three registers of `width` bits.
///
/// The bits fill x3 from its lowest up, then x2, then x1; what is left of them is zero, and all of
/// them are when there is an error.
fn random(call: &mut Call<'_>, width: u64) {
    let wanted = call.arg(1);
    let answer = entropy(call, wanted, width);
    let mut left = wanted;
    for (register, word) in ENTROPY.into_iter().zip(answer.unwrap_or_default()) {
        let bits = left.min(width);
        left -= bits;
        let mask = if bits == 64 {
            u64::MAX
        } else {
            (1 << bits) - 1
        };
        call.set(register, word & mask);
    }
    call.answer(answer.err().unwrap_or(SUCCESS));
}

fn entropy(call: &mut Call<'_>, wanted: u64, width: u64) -> Result<[u64; 3], i32> {
    if wanted == 0 || wanted > 3 * width {
        return Err(INVALID_PARAMETERS);
    }
    let [a, b, c, _] = call
        .host()
        .entropy(wanted.div_ceil(width))
        .map_err(|_| NO_ENTROPY)?;
    Ok([a, b, c])
}

#[cfg(test)]
mod tests;
