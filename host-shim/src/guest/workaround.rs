// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What KVM's firmware pseudo-registers say of the CPU's mitigations, in the words of
//! SMCCC_ARCH_FEATURES.
//!
//! The registers are those of Documentation/virt/kvm/arm/fw-pseudo-registers.rst; the words are the
//! ones with which KVM answers a guest that asks it directly.

use fakemon_abi::hostcall::WORKAROUNDS;
use fakemon_abi::status::NOT_SUPPORTED;

/// Calling the function applies the workaround.
const APPLIES: i32 = 0;
/// The CPU does not need workaround 1 or 3.
const UNAFFECTED: i32 = 1;
/// The CPU does not need workaround 2, or it is always on (SMCCC_RET_NOT_REQUIRED).
const NOT_REQUIRED: i32 = -2;

/// The level is in these bits; above it is whether workaround 2 is switched on.
const LEVEL: u64 = 0xf;

/// The number of the pseudo-register that is about the workaround of this function ID.
pub(crate) fn number(function: u64) -> Option<u64> {
    let known = WORKAROUNDS.into_iter().map(u64::from);
    (1..)
        .zip(known)
        .find(|&(_, id)| id == function)
        .map(|(number, _)| number)
}

/// The answer for pseudo-register `number` with this value.
pub(crate) fn answer(number: u64, value: u64) -> i32 {
    match (number, value & LEVEL) {
        (1 | 3, 1) | (2, 2) => APPLIES,
        (1 | 3, 2) => UNAFFECTED,
        (2, 3) => NOT_REQUIRED,
        // Not available, unknown, or a level that is newer than this program.
        _ => NOT_SUPPORTED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_workaround_has_its_register() {
        assert_eq!(number(0x8000_8000), Some(1));
        assert_eq!(number(0x8000_7fff), Some(2));
        assert_eq!(number(0x8000_3fff), Some(3));
        for other in [0, 0x8000_0002, 0xc000_8000, 0x1_8000_8000, u64::MAX] {
            assert_eq!(number(other), None, "{other:#x}");
        }
    }

    #[test]
    fn levels_become_the_answers_that_kvm_gives() {
        let answers = |number| [0, 1, 2, 3, 4, 15].map(|level| answer(number, level));
        assert_eq!(answers(1), [-1, 0, 1, -1, -1, -1]);
        assert_eq!(answers(2), [-1, -1, 0, -2, -1, -1]);
        assert_eq!(answers(3), answers(1));
        assert_eq!(answers(0), [-1; 6]);
        assert_eq!(answer(2, 0x12), 0, "available and switched on");
    }
}
