// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which function IDs belong to which of a guest's blobs.

use fakemon_abi::note::Range;

use crate::blob::Blob;

/// Two blobs of one guest claim the same calls: the fault of whoever put them together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the blobs {first} and {second} both claim function IDs {from:#010x} to {to:#010x}: a guest's blobs must share none"
)]
pub struct ClaimError {
    /// Board of the blob that comes first.
    pub first: String,
    /// Board of the other.
    pub second: String,
    /// First function ID that both claim.
    pub from: u32,
    /// Last function ID of that range.
    pub to: u32,
}

/// Checks that no two blobs claim the same function ID.
pub(crate) fn check(blobs: &[&Blob]) -> Result<(), ClaimError> {
    for (n, second) in blobs.iter().enumerate() {
        for first in &blobs[..n] {
            if let Some((from, to)) = common(first.ranges(), second.ranges()) {
                return Err(ClaimError {
                    first: first.board().to_owned(),
                    second: second.board().to_owned(),
                    from,
                    to,
                });
            }
        }
    }
    Ok(())
}

/// The first function IDs, from and to, that two lists of ranges have in common.
fn common(first: &[Range], second: &[Range]) -> Option<(u32, u32)> {
    first
        .iter()
        .flat_map(|a| second.iter().map(move |b| (a, b)))
        .map(|(a, b)| (a.first.max(b.first), a.last.min(b.last)))
        .find(|(from, to)| from <= to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u32, last: u32) -> Range {
        Range {
            first,
            last,
            inputs: 4,
            outputs: 4,
        }
    }

    #[test]
    fn ranges_that_only_touch_have_nothing_in_common() {
        let psci = [range(0x8400_0000, 0x8400_001f)];
        let trng = [
            range(0x8400_0050, 0x8400_0053),
            range(0xc400_0053, 0xc400_0053),
        ];
        assert_eq!(common(&psci, &trng), None);
        assert_eq!(common(&psci, &[range(0x8400_0020, 0x8400_0020)]), None);
        assert_eq!(common(&[], &trng), None);
    }

    #[test]
    fn what_two_ranges_have_in_common_is_named() {
        let wide = [range(0x8400_0000, 0x8400_00ff)];
        let trng = [range(0x8400_0050, 0x8400_0053)];
        let both = Some((0x8400_0050, 0x8400_0053));
        assert_eq!(common(&wide, &trng), both);
        assert_eq!(common(&trng, &wide), both);
        let one = [range(0x8400_00ff, u32::MAX)];
        assert_eq!(common(&wide, &one), Some((0x8400_00ff, 0x8400_00ff)));
    }
}
