// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of the walk over tables that the tests write, and over tables that nobody wrote.

mod aarch32;
mod aarch64;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Access, Fault, Regime, TranslateError, translate};
use crate::width::Width;

/// SCTLR.M.
const M: u64 = 1 << 0;
/// SCTLR.EE.
const EE: u64 = 1 << 25;

// 64-bit descriptors.
const VALID: u64 = 1 << 0;
const TABLE: u64 = 0b11;
const PAGE: u64 = 0b11;
const READ_ONLY: u64 = 1 << 7;
const AF: u64 = 1 << 10;
const DBM: u64 = 1 << 51;
const AP_TABLE_READ_ONLY: u64 = 1 << 62;

/// A guest's RAM: descriptors by address, each of one size.
#[derive(Default)]
struct Memory(BTreeMap<u64, (usize, u64)>);

impl Memory {
    fn put64(&mut self, address: u64, descriptor: u64) {
        self.0.insert(address, (8, descriptor));
    }

    fn put32(&mut self, address: u64, descriptor: u32) {
        self.0.insert(address, (4, descriptor.into()));
    }

    fn translate(&self, regime: &Regime, va: u64, access: Access) -> Result<u64, TranslateError> {
        translate(regime, va, access, &mut |address, size| {
            let &(stored_size, value) = self.0.get(&address)?;
            assert_eq!(size, stored_size, "size of the descriptor at {address:#x}");
            Some(value)
        })
    }

    fn read(&self, regime: &Regime, va: u64) -> Result<u64, TranslateError> {
        self.translate(regime, va, Access::Read)
    }

    fn write(&self, regime: &Regime, va: u64) -> Result<u64, TranslateError> {
        self.translate(regime, va, Access::Write)
    }
}

fn regime(width: Width) -> Regime {
    Regime {
        width,
        sctlr: M,
        tcr: 0,
        tcr2: 0,
        pir: 0,
        ttbr0: 0,
        ttbr1: 0,
    }
}

fn fault(kind: Fault, level: u32, descriptor: u64) -> Result<u64, TranslateError> {
    Err(TranslateError::Fault {
        kind,
        level,
        descriptor,
    })
}

#[test]
fn errors_name_the_guest_and_the_place() {
    let text = TranslateError::Fault {
        kind: Fault::Permission,
        level: 3,
        descriptor: 0x783,
    };
    assert_eq!(
        text.to_string(),
        "permission fault at level 3 in the guest's translation tables, descriptor 0x783"
    );
    let text = TranslateError::NotRam {
        level: 1,
        address: 0x1000,
    };
    assert_eq!(
        text.to_string(),
        "the guest's translation table of level 1 at 0x1000 is not in its RAM"
    );
}

/// Numbers that look like registers and descriptors more often than random ones do.
fn hostile() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        any::<u64>().prop_map(|value| value & 0x0000_0000_ffff_ffff),
        any::<u64>().prop_map(|value| value & 0x0000_00ff_ffff_f000 | AF | TABLE),
        any::<u64>().prop_map(|value| value & 0x0000_00ff_ffff_f000 | AF | VALID),
        any::<u64>().prop_map(|value| value & 0x0000_0007_c3ff_00ff),
        Just(0),
        Just(u64::MAX),
    ]
}

prop_compose! {
    fn any_regime()(
        wide in any::<bool>(), mmu in any::<bool>(), sctlr in hostile(), tcr in hostile(),
        tcr2 in prop_oneof![3 => Just(0), 1 => hostile()], pir in hostile(),
        ttbr0 in hostile(), ttbr1 in hostile(),
    ) -> Regime {
        let width = if wide { Width::AArch64 } else { Width::AArch32 };
        Regime { width, sctlr: sctlr | u64::from(mmu), tcr, tcr2, pir, ttbr0, ttbr1 }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    /// Whatever the registers and tables are, a walk reads at most one descriptor of each level, at
    /// aligned addresses below 2^48, and what it finds is no larger.
    #[test]
    fn hostile_tables_end_the_walk(
        regime in any_regime(),
        va in prop_oneof![hostile(), any::<u32>().prop_map(u64::from)],
        store in any::<bool>(),
        descriptors in prop::collection::vec(prop::option::weighted(0.95, hostile()), 4),
    ) {
        let access = if store { Access::Write } else { Access::Read };
        let mut reads = Vec::new();
        let answer = translate(&regime, va, access, &mut |address, size| {
            reads.push((address, size));
            *descriptors.get(reads.len() - 1)?
        });

        prop_assert!(reads.len() <= 4);
        for (address, size) in reads {
            prop_assert!(size == 4 || size == 8);
            prop_assert_eq!(address % size as u64, 0);
            prop_assert!(address < 1 << 48);
        }
        if let Ok(pa) = answer {
            prop_assert!(pa < 1 << 48);
        }
    }

    /// Whatever can be written can be read, at the same place.
    #[test]
    fn writable_is_readable(
        // Indirect permissions may say otherwise, and do so through PIR_EL1 alone.
        regime in any_regime().prop_map(|regime| Regime { tcr2: 0, ..regime }),
        va in any::<u32>().prop_map(u64::from),
        descriptors in prop::collection::vec(hostile(), 4),
    ) {
        let walk = |access| {
            let mut next = descriptors.iter();
            translate(&regime, va, access, &mut |_, _| next.next().copied())
        };
        if let Ok(pa) = walk(Access::Write) {
            prop_assert_eq!(walk(Access::Read), Ok(pa));
        }
    }
}
