// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What one half serves and claims, the other one does not.

use fakemon_firmware::Width::AArch64;
use fakemon_firmware::fake::{FakePlatform, properties};

use super::*;

mod power {
    include!(concat!(env!("OUT_DIR"), "/power.rs"));
    pub(super) const CLAIMS: fakemon_blob::abi::note::Note = NOTE;
}
mod entropy {
    include!(concat!(env!("OUT_DIR"), "/entropy.rs"));
    pub(super) const CLAIMS: fakemon_blob::abi::note::Note = NOTE;
}

const NOT_SUPPORTED: u64 = u64::MAX;

fn versions(board: &impl Board) -> [u64; 4] {
    let version = |id| FakePlatform::new(4).smc(board, AArch64, &[id])[0];
    // PSCI, TRNG, SDEI, SMCCC.
    [0x8400_0000, 0x8400_0050, 0xc400_0020, 0x8000_0000].map(version)
}

#[test]
fn a_half_has_nothing_of_the_other() {
    let power = [0x1_0001, NOT_SUPPORTED, 1 << 48 | 1 << 32, 0x1_0002];
    let half = Power::NEW;
    assert_eq!(versions(&half), power);
    let entropy = [NOT_SUPPORTED, 0x1_0000, NOT_SUPPORTED, NOT_SUPPORTED];
    assert_eq!(versions(&Entropy::NEW), entropy);
}

#[test]
fn the_halves_claim_no_call_twice() {
    let [power, entropy] = [power::CLAIMS, entropy::CLAIMS];
    let of =
        |note: &fakemon_blob::abi::note::Note| note.ranges[..note.range_count as usize].to_vec();
    let entropy = of(&entropy);
    let claimed: Vec<_> = entropy
        .iter()
        .map(|range| (range.first, range.last))
        .collect();
    assert_eq!(
        claimed,
        [(0x8400_0050, 0x8400_0053), (0xc400_0053, 0xc400_0053)]
    );
    for range in of(&power) {
        let apart = |other: &fakemon_blob::abi::note::Range| {
            range.last < other.first || other.last < range.first
        };
        assert!(entropy.iter().all(apart), "{range:?}");
    }
}

#[test]
fn any_calls_do_no_harm() {
    properties::check::<Power>(&power::CLAIMS, AArch64, &[]);
    properties::check::<Entropy>(&entropy::CLAIMS, AArch64, &[]);
}
