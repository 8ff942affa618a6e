// SPDX-License-Identifier: Apache-2.0 OR MIT
//! 32-bit guests: short and long descriptors.

use super::*;

// TTBCR.
const EAE: u64 = 1 << 31;
const PD0: u64 = 1 << 4;
const PD1: u64 = 1 << 5;
const EPD0: u64 = 1 << 7;
const EPD1: u64 = 1 << 23;
const T2E: u64 = 1 << 6;
const HPD0: u64 = 1 << 41;

/// SCTLR.AFE.
const AFE: u64 = 1 << 29;

// Short descriptors.
const TABLE32: u32 = 0b01;
const SECTION: u32 = 0b10;
const SUPERSECTION: u32 = 1 << 18 | 0b10;
const LARGE_PAGE: u32 = 0b01;
const SMALL_PAGE: u32 = 0b10;
/// AP[1:0] = 0b01 of a section: EL1 only.
const SECTION_AP: u32 = 1 << 10;
/// The same of a page.
const PAGE_AP: u32 = 1 << 4;

const VA: u64 = 0xc123_4567;
const TTBR0: u64 = 0x4000_4000;
const TTBR1: u64 = 0x4000_8000;

fn short(tcr: u64) -> Regime {
    // The low bits of a TTBR are cache attributes.
    Regime {
        tcr,
        ttbr0: TTBR0 | 0x6a,
        ttbr1: TTBR1 | 0x6a,
        ..regime(Width::AArch32)
    }
}

/// One descriptor of level 1 for `VA` in TTBR0's table.
fn first(descriptor: u32) -> Memory {
    let mut memory = Memory::default();
    memory.put32(TTBR0 + 0xc12 * 4, descriptor);
    memory
}

/// One descriptor of level 2 for `VA`.
fn second(descriptor: u32) -> Memory {
    // The table's address has bits 31:10; the others are the domain and attributes.
    let mut memory = first(0x5000_0400 | 0x1e8 | TABLE32);
    memory.put32(0x5000_0400 + 0x34 * 4, descriptor);
    memory
}

#[test]
fn mmu_off_is_flat() {
    let regime = Regime {
        sctlr: 0,
        ..short(0)
    };
    assert_eq!(
        Memory::default().write(&regime, 0xffff_ffff),
        Ok(0xffff_ffff)
    );
    assert_eq!(
        Memory::default().read(&regime, 1 << 32),
        Err(TranslateError::NoTable)
    );
}

#[test]
fn sections_and_pages() {
    let cases = [
        (first(0x8760_0000 | SECTION_AP | SECTION), 0x8763_4567),
        // Bit 0 is PXN here.
        (first(0x8760_0000 | SECTION_AP | SECTION | 1), 0x8763_4567),
        (first(0x8700_0000 | SECTION_AP | SUPERSECTION), 0x8723_4567),
        // Bits 35:32 are in 23:20, and 39:36 in 8:5.
        (
            first(0x87b0_0140 | SECTION_AP | SUPERSECTION),
            0xab_8723_4567,
        ),
        (second(0x8765_0000 | PAGE_AP | LARGE_PAGE), 0x8765_4567),
        (second(0x8765_3000 | PAGE_AP | SMALL_PAGE), 0x8765_3567),
        // Bit 0 is XN here.
        (second(0x8765_3000 | PAGE_AP | SMALL_PAGE | 1), 0x8765_3567),
    ];
    for (memory, pa) in cases {
        assert_eq!(memory.write(&short(0), VA), Ok(pa), "{:x?}", memory.0);
    }
}

#[test]
fn a_supersection_is_found_in_each_of_its_16_entries() {
    let mut memory = Memory::default();
    for index in 0xc10..0xc20 {
        memory.put32(TTBR0 + index * 4, 0x8700_0000 | SECTION_AP | SUPERSECTION);
    }
    assert_eq!(
        memory.read(&short(0), 0xc000_0000),
        fault_not_ram(TTBR0 + 0xc00 * 4)
    );
    assert_eq!(memory.read(&short(0), 0xc100_0000), Ok(0x8700_0000));
    assert_eq!(memory.read(&short(0), 0xc1ff_ffff), Ok(0x87ff_ffff));
}

fn fault_not_ram(address: u64) -> Result<u64, TranslateError> {
    Err(TranslateError::NotRam { level: 1, address })
}

#[test]
fn invalid_descriptors_fault() {
    let attributes = 0x8760_0000 | SECTION_AP;
    let memory = first(attributes);
    assert_eq!(
        memory.read(&short(0), VA),
        fault(Fault::Translation, 1, attributes.into())
    );
    let attributes = 0x8765_3000 | PAGE_AP;
    let memory = second(attributes);
    assert_eq!(
        memory.read(&short(0), VA),
        fault(Fault::Translation, 2, attributes.into())
    );
}

#[test]
fn ttbcr_n_splits_the_addresses() {
    let section = 0x8760_0000 | SECTION_AP | SECTION;
    for n in 0..8 {
        // The table of TTBR0 has 2^(12-N) entries, and is aligned to its size.
        let ttbr0 = 0x4000_0000 + (0x4000 >> n);
        let regime = Regime { ttbr0, ..short(n) };
        let last = 0xffff_ffff >> n;

        let mut memory = Memory::default();
        memory.put32(ttbr0 + (last >> 20) * 4, section);
        assert_eq!(memory.read(&regime, last), Ok(0x876f_ffff), "N {n}");
        let disabled = Regime {
            tcr: n | PD0,
            ..regime
        };
        assert_eq!(
            memory.read(&disabled, last),
            Err(TranslateError::NoTable),
            "N {n}"
        );

        if n > 0 {
            // TTBR1 always has the whole table, and starts at the limit of TTBR0.
            let mut memory = Memory::default();
            memory.put32(TTBR1 + ((last + 1) >> 20) * 4, section);
            assert_eq!(memory.read(&regime, last + 1), Ok(0x8760_0000), "N {n}");
            let disabled = Regime {
                tcr: n | PD1,
                ..regime
            };
            assert_eq!(
                memory.read(&disabled, last + 1),
                Err(TranslateError::NoTable),
                "N {n}"
            );
        }
    }
}

/// Table of the Arm ARM for AP[2:0]: what EL1 may do without and with SCTLR.AFE.
#[test]
fn permissions_of_short_descriptors() {
    const NONE: (bool, bool) = (false, false);
    const RO: (bool, bool) = (true, false);
    const RW: (bool, bool) = (true, true);
    let full = [NONE, RW, RW, RW, NONE, RO, RO, RO];
    // AP[0] is the access flag: even values fault.
    let simple = [NONE, RW, NONE, RW, NONE, RO, NONE, RO];

    for (table, afe) in [(full, 0), (simple, AFE)] {
        for (ap, rights) in (0u32..).zip(table) {
            let section = 0x8760_0000 | (ap & 3) << 10 | (ap >> 2) << 15 | SECTION;
            let page = 0x8765_3000 | (ap & 3) << 4 | (ap >> 2) << 9 | SMALL_PAGE;
            let regime = Regime {
                sctlr: M | afe,
                ..short(0)
            };
            for (memory, level, descriptor) in
                [(first(section), 1, section), (second(page), 2, page)]
            {
                let kind = if afe != 0 && ap & 1 == 0 {
                    Fault::AccessFlag
                } else {
                    Fault::Permission
                };
                let refused = fault(kind, level, descriptor.into());
                for (answer, allowed) in [
                    (memory.read(&regime, VA), rights.0),
                    (memory.write(&regime, VA), rights.1),
                ] {
                    if allowed {
                        assert!(answer.is_ok(), "AP {ap} AFE {afe:#x}: {answer:?}");
                    } else {
                        assert_eq!(answer, refused, "AP {ap} AFE {afe:#x}");
                    }
                }
            }
        }
    }
}

#[test]
fn big_endian_short_descriptors() {
    let memory = first((0x8760_0000 | SECTION_AP | SECTION).swap_bytes());
    let regime = Regime {
        sctlr: M | EE,
        ..short(0)
    };
    assert_eq!(memory.read(&regime, VA), Ok(0x8763_4567));
}

#[test]
fn what_lies_above_a_short_descriptor_is_ignored() {
    let answer = translate(&short(0), VA, Access::Read, &mut |_, _| {
        Some(0xdead_beef_0000_0000 | u64::from(0x8760_0000 | SECTION_AP | SECTION))
    });
    assert_eq!(answer, Ok(0x8763_4567));
}

fn long(tcr: u64) -> Regime {
    Regime {
        tcr: EAE | tcr,
        ttbr0: TTBR0,
        ttbr1: TTBR1,
        ..regime(Width::AArch32)
    }
}

/// A level-3 page, through a level-2 table that `ttbr` points to at index `va[31:21]`.
fn long_page(ttbr: u64, va: u64, index_bits: u32, leaf: u64) -> Memory {
    let mut memory = Memory::default();
    memory.put64(
        ttbr + (va >> 21 & ((1 << index_bits) - 1)) * 8,
        0x5000_0000 | TABLE,
    );
    memory.put64(0x5000_0000 + (va >> 12 & 0x1ff) * 8, leaf);
    memory
}

#[test]
fn long_descriptors_start_at_level_1_for_more_than_a_gigabyte() {
    let mut memory = Memory::default();
    memory.put64(TTBR0 + 3 * 8, 0x5000_0000 | TABLE);
    memory.put64(0x5000_0000 + 0x9 * 8, 0x5000_1000 | TABLE);
    memory.put64(0x5000_1000 + 0x34 * 8, 0x87_6543_2000 | AF | PAGE);
    assert_eq!(memory.write(&long(0), VA), Ok(0x87_6543_2567));

    // T0SZ of 2 leaves 30 bits.
    let memory = long_page(TTBR0, 0x0123_4567, 9, 0x87_6543_2000 | AF | PAGE);
    assert_eq!(memory.write(&long(2), 0x0123_4567), Ok(0x87_6543_2567));

    let mut memory = Memory::default();
    memory.put64(TTBR0 + 3 * 8, 0x87_4000_0000 | AF | VALID);
    assert_eq!(memory.write(&long(0), VA), Ok(0x87_4123_4567));
}

#[test]
fn sizes_of_both_regions_select_the_table() {
    // (T0SZ, T1SZ, address, table)
    let cases = [
        (0, 0, 0x0000_0000, Some(TTBR0)),
        (0, 0, 0xffff_ffff, Some(TTBR0)),
        (1, 0, 0x7fff_ffff, Some(TTBR0)),
        (1, 0, 0x8000_0000, Some(TTBR1)),
        (7, 0, 0x01ff_ffff, Some(TTBR0)),
        (7, 0, 0x0200_0000, Some(TTBR1)),
        (0, 2, 0xbfff_ffff, Some(TTBR0)),
        (0, 2, 0xc000_0000, Some(TTBR1)),
        (1, 2, 0x7fff_ffff, Some(TTBR0)),
        (1, 2, 0x8000_0000, None),
        (1, 2, 0xbfff_ffff, None),
        (1, 2, 0xc000_0000, Some(TTBR1)),
        (7, 7, 0xfdff_ffff, None),
        (7, 7, 0xfe00_0000, Some(TTBR1)),
    ];
    for (t0sz, t1sz, va, table) in cases {
        let regime = long(t0sz | t1sz << 16);
        let what = format!("T0SZ {t0sz} T1SZ {t1sz} {va:#x}");
        let answer = Memory::default().read(&regime, va);
        match (answer, table) {
            (Err(TranslateError::NotRam { address, .. }), Some(table)) => {
                assert_eq!(address & !0x3fff, table, "{what}");
            }
            (answer, _) => assert_eq!(answer, Err(TranslateError::NoTable), "{what}"),
        }
        let disabled = Regime {
            tcr: regime.tcr | EPD0 | EPD1,
            ..regime
        };
        let answer = Memory::default().read(&disabled, va);
        assert_eq!(answer, Err(TranslateError::NoTable), "{what}");
    }
}

#[test]
fn long_descriptors_check_flags_permissions_and_size() {
    let va = 0x0123_4567;
    let answer = |tcr: u64, leaf, access| {
        let memory = long_page(TTBR0, va, 9, leaf);
        memory.translate(&long(2 | tcr), va, access)
    };
    let leaf = 0x8765_4000 | PAGE;
    assert_eq!(
        answer(0, leaf, Access::Read),
        fault(Fault::AccessFlag, 3, leaf)
    );
    // There is no hardware management of flags in AArch32: the bit of TCR_EL1 means nothing.
    assert_eq!(
        answer(1 << 39, leaf, Access::Read),
        fault(Fault::AccessFlag, 3, leaf)
    );
    let leaf = leaf | AF | READ_ONLY;
    assert_eq!(answer(0, leaf, Access::Read), Ok(0x8765_4567));
    assert_eq!(
        answer(0, leaf, Access::Write),
        fault(Fault::Permission, 3, leaf)
    );
    let leaf = 1 << 40 | AF | PAGE;
    assert_eq!(
        answer(0, leaf, Access::Read),
        fault(Fault::AddressSize, 3, leaf)
    );
}

#[test]
fn hierarchical_permissions_are_disabled_by_two_bits() {
    let va = 0x0123_4567;
    let mut memory = long_page(TTBR0, va, 9, 0x8765_4000 | AF | PAGE);
    for (_, descriptor) in memory.0.values_mut().take(1) {
        *descriptor |= AP_TABLE_READ_ONLY;
    }
    let refused = fault(Fault::Permission, 3, 0x8765_4000 | AF | PAGE);
    assert_eq!(memory.write(&long(2), va), refused);
    assert_eq!(memory.write(&long(2 | HPD0), va), refused);
    assert_eq!(memory.write(&long(2 | HPD0 | T2E), va), Ok(0x8765_4567));
}

proptest! {
    /// Any address of any split ends in the section that its table's entry names.
    #[test]
    fn sections_are_found(n in 0u64..8, va in any::<u32>(), pa in any::<u32>()) {
        let regime = Regime { ttbr0: 0x4000_0000, ttbr1: 0x5000_0000, ..short(n) };
        let below = u64::from(va) < 1 << (32 - n);
        let table = if below { 0x4000_0000 } else { 0x5000_0000 };
        let mut memory = Memory::default();
        memory.put32(table + u64::from(va >> 20) * 4, pa & 0xfff0_0000 | SECTION_AP | SECTION);
        let expected = u64::from(pa & 0xfff0_0000 | va & 0x000f_ffff);
        prop_assert_eq!(memory.read(&regime, va.into()), Ok(expected));
    }
}
