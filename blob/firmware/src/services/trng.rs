// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Random numbers for the guest: the TRNG firmware interface 1.0 (Arm DEN 0098).

use fakemon_abi::Width;

use crate::call::Call;
use crate::error::{Code, Error};
use crate::function_id::{FunctionId, functions, owner};
use crate::service::Service;

/// The TRNG service. Its randomness is the platform's.
#[derive(Clone, Copy, Debug)]
pub struct Trng;

functions! {
    "TRNG_", fast32, owner::STANDARD;
    /// Version of the interface.
    VERSION = 0x50, Query;
    /// Whether a function is there.
    FEATURES = 0x51, Query;
    /// Which back end this is.
    GET_UUID = 0x52, Query;
    /// Up to 96 random bits.
    RND = 0x53, Action;
}
/// TRNG_RND with up to 192 bits.
pub const RND64: FunctionId = FunctionId::fast64(owner::STANDARD, 0x53);

/// Version 1.0.
const VERSION_1_0: u64 = 0x1_0000;
/// This back end, b4a6b3a1-6c1f-4d0e-9e58-3f1dc2d7a904.
const UUID: [u32; 4] = [0xa1b3_a6b4, 0x0e4d_1f6c, 0x1d3f_589e, 0x04a9_d7c2];
/// Registers that carry entropy, the one with the lowest bits first.
const ENTROPY: [usize; 3] = [3, 2, 1];

/// Why there are no random bits (DEN 0098, 2.1).
#[derive(Clone, Copy, Debug)]
enum Refused {
    /// So many cannot be asked for.
    InvalidParameters = -2,
    /// There are none at the moment: try again.
    NoEntropy = -3,
}

impl Code for Refused {
    fn code(&self) -> i32 {
        *self as i32
    }
}

impl Service for Trng {
    fn owns(&self, id: FunctionId) -> bool {
        (VERSION..=RND).contains(&id) || id == RND64
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
                call.answer(if there {
                    Ok(())
                } else {
                    Err(Error::NotSupported)
                });
            }
            GET_UUID => {
                for (n, word) in UUID.into_iter().enumerate() {
                    call.set(n, u64::from(word));
                }
            }
            RND => random(call, 32),
            RND64 => random(call, 64),
            _ => call.answer(Error::NotSupported),
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
    call.answer(answer.map(drop));
}

fn entropy(call: &mut Call<'_>, wanted: u64, width: u64) -> Result<[u64; 3], Refused> {
    if wanted == 0 || wanted > 3 * width {
        return Err(Refused::InvalidParameters);
    }
    let [a, b, c, _] = call
        .platform()
        .entropy(wanted.div_ceil(width))
        .map_err(|_| Refused::NoEntropy)?;
    Ok([a, b, c])
}

#[cfg(test)]
mod tests;
