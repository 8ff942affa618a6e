// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Registers by the names that people write.

use serde::Deserialize;

/// A general-purpose register by number, written as `r12` or `x12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Register(pub u8);

impl TryFrom<String> for Register {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.strip_prefix(['r', 'x'])
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .filter(|&number| usize::from(number) < fakemon_abi::frame::REGS)
            .map(Register)
            .ok_or_else(|| format!("{text:?} is not a register, write r0 to r12 or x0 to x17"))
    }
}
