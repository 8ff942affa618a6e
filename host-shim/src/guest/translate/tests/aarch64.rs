// SPDX-License-Identifier: Apache-2.0 OR MIT
//! 64-bit guests: granules, regions, permissions.

use super::*;

/// A granule with its encodings and, from the Arm ARM, the lowest address bit of each level.
#[derive(Debug)]
struct Granule {
    page_bits: u32,
    tg0: u64,
    tg1: u64,
    /// Lowest bit of the address that indexes a table, by level. 48 is above all.
    low: [u32; 4],
    /// Sizes of an address space (TxSZ) at which the walk starts at each level.
    sizes: [std::ops::RangeInclusive<u64>; 4],
}

/// No TxSZ at all.
#[expect(clippy::reversed_empty_ranges, reason = "a range of nothing")]
const NONE: std::ops::RangeInclusive<u64> = 1..=0;

fn granules() -> [Granule; 3] {
    [
        Granule {
            page_bits: 12,
            tg0: 0b00,
            tg1: 0b10,
            low: [39, 30, 21, 12],
            sizes: [16..=24, 25..=33, 34..=42, 43..=48],
        },
        Granule {
            page_bits: 14,
            tg0: 0b10,
            tg1: 0b01,
            low: [47, 36, 25, 14],
            sizes: [16..=16, 17..=27, 28..=38, 39..=48],
        },
        Granule {
            page_bits: 16,
            tg0: 0b01,
            tg1: 0b11,
            low: [48, 42, 29, 16],
            sizes: [NONE, 16..=21, 22..=34, 35..=47],
        },
    ]
}

const EPD0: u64 = 1 << 7;
const EPD1: u64 = 1 << 23;
const IPS_48: u64 = 0b101 << 32;
const TBI0: u64 = 1 << 37;
const TBI1: u64 = 1 << 38;
const HA: u64 = 1 << 39;
const HD: u64 = 1 << 40;
const HPD0: u64 = 1 << 41;
const DS: u64 = 1 << 59;
const PIE: u64 = 1 << 1;
const E0POE: u64 = 1 << 2;

const ASID: u64 = 0xabcd << 48;

/// Regime with regions of `size` (TxSZ) above and below.
fn shape(granule: &Granule, size: u64) -> Regime {
    let tcr = size | granule.tg0 << 14 | size << 16 | granule.tg1 << 30 | IPS_48;
    Regime {
        tcr,
        ..regime(Width::AArch64)
    }
}

/// Maps `va` by one chain of tables that ends in `leaf` at `last`, and returns the chain's start.
fn chain(
    memory: &mut Memory,
    granule: &Granule,
    size: u64,
    va: u64,
    last: usize,
    leaf: u64,
) -> u64 {
    let first = granule
        .sizes
        .iter()
        .position(|sizes| sizes.contains(&size))
        .unwrap();
    let table = |level: usize| 0x4000_0000 + ((level as u64) << 20);
    let mut top = 64 - size as u32;
    for level in first..=last {
        let low = granule.low[level];
        let index = (va >> low) & ((1 << (top - low)) - 1);
        let descriptor = if level == last {
            leaf
        } else {
            table(level + 1) | TABLE
        };
        memory.put64(table(level) + index * 8, descriptor);
        top = low;
    }
    table(first)
}

/// The everyday case: 4K pages, 39-bit addresses, one page at `VA`.
struct Page {
    memory: Memory,
    regime: Regime,
}

const VA: u64 = 0x12_3456_7abc;
const PA: u64 = 0x8765_4000;

impl Page {
    fn new(leaf: u64) -> Page {
        let mut memory = Memory::default();
        let ttbr0 = chain(&mut memory, &granules()[0], 25, VA, 3, leaf);
        Page {
            memory,
            regime: Regime {
                ttbr0,
                ..shape(&granules()[0], 25)
            },
        }
    }

    /// Changes the level-1 descriptor, which is the first that the walk reads.
    fn table_bits(mut self, bits: u64) -> Page {
        let (_, descriptor) = self.memory.0.values_mut().next().unwrap();
        *descriptor |= bits;
        self
    }

    fn tcr(mut self, bits: u64) -> Page {
        self.regime.tcr |= bits;
        self
    }

    fn read(&self) -> Result<u64, TranslateError> {
        self.memory.read(&self.regime, VA)
    }

    fn write(&self) -> Result<u64, TranslateError> {
        self.memory.write(&self.regime, VA)
    }
}

#[test]
fn every_size_starts_at_its_level_with_every_granule() {
    for granule in granules() {
        for size in granule.sizes.iter().cloned().flatten() {
            // A va with a pattern in all bits that the region has, in both regions.
            let lower = 0x5a5a_a5a5_3c3c_c3c3 >> size & ((1 << (64 - size)) - 1);
            let upper = lower | u64::MAX << (64 - size);
            let pa = 0xface_8000_0000;
            let mut memory = Memory::default();
            let ttbr = chain(&mut memory, &granule, size, lower, 3, pa | AF | PAGE);
            // Around the address are the ASID, CnP and, below the table's size, bits of no meaning.
            let first = granule
                .sizes
                .iter()
                .position(|sizes| sizes.contains(&size))
                .unwrap();
            let table_bits = 64 - size as u32 - granule.low[first] + 3;
            let ttbr = ttbr | ASID | ((1 << table_bits) - 1);
            let regime = Regime {
                ttbr0: ttbr,
                ttbr1: ttbr,
                ..shape(&granule, size)
            };
            let expected = Ok(pa | lower & ((1 << granule.page_bits) - 1));
            assert_eq!(
                memory.read(&regime, lower),
                expected,
                "{granule:?} T0SZ {size}"
            );
            assert_eq!(
                memory.read(&regime, upper),
                expected,
                "{granule:?} T1SZ {size}"
            );
        }
    }
}

#[test]
fn blocks_exist_at_some_levels() {
    let va = 0x5a5a_a5a5_3c3c;
    for granule in granules() {
        let first = if granule.page_bits == 16 { 1 } else { 0 };
        for level in first..3 {
            // Low address bits of the descriptor are not part of a block's address.
            let leaf = 0xface_0000_0000 | 1 << 16 | AF | VALID;
            let mut memory = Memory::default();
            let ttbr0 = chain(&mut memory, &granule, 16, va, level, leaf);
            let regime = Regime {
                ttbr0,
                ..shape(&granule, 16)
            };
            let is_block = level == 2 || level == 1 && granule.page_bits == 12;
            let expected = if is_block {
                Ok(0xface_0000_0000 | va & ((1 << granule.low[level]) - 1))
            } else {
                fault(Fault::Translation, level as u32, leaf)
            };
            assert_eq!(
                memory.read(&regime, va),
                expected,
                "{granule:?} level {level}"
            );
        }
    }
}

#[test]
fn mmu_off_is_flat() {
    let memory = Memory::default();
    let mut regime = Regime {
        sctlr: 0,
        ..shape(&granules()[0], 16)
    };
    let top = 0xffff_ffff_ffff;
    assert_eq!(memory.write(&regime, top), Ok(top));
    assert_eq!(
        memory.read(&regime, top + 1),
        fault(Fault::AddressSize, 0, top + 1)
    );
    let tagged = 0x42 << 56 | 0x8000_0000;
    assert_eq!(
        memory.read(&regime, tagged),
        fault(Fault::AddressSize, 0, tagged)
    );
    regime.tcr |= TBI0;
    assert_eq!(memory.read(&regime, tagged), Ok(0x8000_0000));
}

#[test]
fn addresses_between_the_regions_have_no_table() {
    let page = Page::new(PA | AF | PAGE);
    let none = Err(TranslateError::NoTable);
    assert_eq!(page.read(), Ok(PA | 0xabc));
    for va in [VA | 1 << 39, VA | 1 << 54, VA | 1 << 55, VA | 0xff << 56] {
        assert_eq!(page.memory.read(&page.regime, va), none, "{va:#x}");
    }
    assert_eq!(page.tcr(EPD0).read(), none);
}

#[test]
fn a_tag_is_ignored_where_the_guest_says_so() {
    let page = Page::new(PA | AF | PAGE).tcr(TBI0);
    assert_eq!(
        page.memory.read(&page.regime, VA | 0xa5 << 56),
        Ok(PA | 0xabc)
    );
    // The other region has its own bit, and bit 55 is not part of a tag.
    let upper = VA | u64::MAX << 39;
    let tagged = upper & !(0x5a << 56);
    let mut page = page;
    page.regime.ttbr1 = page.regime.ttbr0;
    assert_eq!(page.memory.read(&page.regime, upper), Ok(PA | 0xabc));
    assert_eq!(
        page.memory.read(&page.regime, tagged),
        Err(TranslateError::NoTable)
    );
    let page = page.tcr(TBI1);
    assert_eq!(page.memory.read(&page.regime, tagged), Ok(PA | 0xabc));
    let page = page.tcr(EPD1);
    assert_eq!(
        page.memory.read(&page.regime, upper),
        Err(TranslateError::NoTable)
    );
}

#[test]
fn invalid_descriptors_fault() {
    let invalid = PA | AF | PAGE & !VALID;
    assert_eq!(
        Page::new(invalid).read(),
        fault(Fault::Translation, 3, invalid)
    );
    let reserved = PA | AF | VALID;
    assert_eq!(
        Page::new(reserved).read(),
        fault(Fault::Translation, 3, reserved)
    );
}

#[test]
fn the_access_flag_is_checked_unless_hardware_sets_it() {
    let page = Page::new(PA | PAGE);
    assert_eq!(page.read(), fault(Fault::AccessFlag, 3, PA | PAGE));
    assert_eq!(page.tcr(HA).read(), Ok(PA | 0xabc));
}

#[test]
fn read_only_pages_and_tables_cannot_be_written() {
    assert_eq!(Page::new(PA | AF | PAGE).write(), Ok(PA | 0xabc));

    let leaf = PA | AF | PAGE | READ_ONLY;
    assert_eq!(Page::new(leaf).read(), Ok(PA | 0xabc));
    assert_eq!(Page::new(leaf).write(), fault(Fault::Permission, 3, leaf));

    let leaf = PA | AF | PAGE;
    let page = || Page::new(leaf).table_bits(AP_TABLE_READ_ONLY);
    assert_eq!(page().read(), Ok(PA | 0xabc));
    assert_eq!(page().write(), fault(Fault::Permission, 3, leaf));
    assert_eq!(page().tcr(HPD0).write(), Ok(PA | 0xabc));

    // Overlays of EL0 use the bits of tables for something else.
    let mut page = page();
    page.regime.tcr2 = E0POE;
    assert_eq!(page.write(), Ok(PA | 0xabc));
}

#[test]
fn clean_pages_are_writable_where_hardware_tracks_dirt() {
    let leaf = PA | AF | PAGE | READ_ONLY | DBM;
    let refused = fault(Fault::Permission, 3, leaf);
    assert_eq!(Page::new(leaf).write(), refused);
    // HD needs HA.
    assert_eq!(Page::new(leaf).tcr(HD).write(), refused);
    assert_eq!(Page::new(leaf).tcr(HA | HD).write(), Ok(PA | 0xabc));
    let limited = Page::new(leaf).tcr(HA | HD).table_bits(AP_TABLE_READ_ONLY);
    assert_eq!(limited.write(), refused);
}

#[test]
fn indirect_permissions_come_from_pir() {
    // Index 0b1101: PIIndex[3] and [2] are bits 54 and 53, [1] is bit 51, [0] is bit 6.
    let leaf = PA | AF | PAGE | 1 << 54 | 1 << 53 | 1 << 6;
    // Base permissions of the Arm ARM: none, R, X, RX, -, RW, RWX (W^X), RWX, R, ...
    let readable = [1, 3, 5, 6, 7, 8, 9, 10, 12, 14];
    let writable = [5, 6, 7, 12, 14];
    for value in 0..16 {
        let mut page = Page::new(leaf).table_bits(AP_TABLE_READ_ONLY);
        page.regime.tcr2 = PIE;
        page.regime.pir = value << (4 * 0b1101);
        let expected = |yes: bool| {
            if yes {
                Ok(PA | 0xabc)
            } else {
                fault(Fault::Permission, 3, leaf)
            }
        };
        assert_eq!(page.read(), expected(readable.contains(&value)), "{value}");
        assert_eq!(page.write(), expected(writable.contains(&value)), "{value}");
    }

    let leaf = PA | AF | PAGE | READ_ONLY | DBM;
    let mut page = Page::new(leaf);
    page.regime.tcr2 = PIE;
    page.regime.pir = 0x500;
    assert_eq!(page.read(), Ok(PA | 0xabc));
    assert_eq!(page.write(), fault(Fault::Permission, 3, leaf));
    assert_eq!(page.tcr(HA | HD).write(), Ok(PA | 0xabc));
}

#[test]
fn addresses_fit_the_output_size() {
    let leaf = PA | 1 << 32 | AF | PAGE;
    let mut page = Page::new(leaf);
    for (ips, ok) in [
        (0b000, false),
        (0b001, true),
        (0b101, true),
        (0b110, true),
        (0b111, true),
    ] {
        page.regime.tcr = page.regime.tcr & !(0b111 << 32) | ips << 32;
        let expected = if ok {
            Ok(PA | 1 << 32 | 0xabc)
        } else {
            fault(Fault::AddressSize, 3, leaf)
        };
        assert_eq!(page.read(), expected, "IPS {ips}");
    }

    // Beyond 48 bits means 48 bits with 16K pages too.
    let mut memory = Memory::default();
    let ttbr0 = chain(&mut memory, &granules()[1], 25, VA, 3, PA | AF | PAGE);
    let mut regime = Regime {
        ttbr0,
        ..shape(&granules()[1], 25)
    };
    regime.tcr |= 0b110 << 32;
    assert_eq!(memory.read(&regime, VA), Ok(PA | VA & 0x3fff));

    let mut page = Page::new(PA | AF | PAGE).table_bits(1 << 40);
    page.regime.tcr &= !(0b111 << 32);
    let (_, table) = *page.memory.0.values().next().unwrap();
    assert_eq!(page.read(), fault(Fault::AddressSize, 1, table));

    page.regime.ttbr0 |= 1 << 41;
    assert_eq!(page.read(), fault(Fault::AddressSize, 0, page.regime.ttbr0));
}

#[test]
fn big_endian_tables() {
    let mut page = Page::new(PA | AF | PAGE);
    for (_, descriptor) in page.memory.0.values_mut() {
        *descriptor = descriptor.swap_bytes();
    }
    assert_ne!(page.read(), Ok(PA | 0xabc));
    page.regime.sctlr |= EE;
    assert_eq!(page.read(), Ok(PA | 0xabc));
}

#[test]
fn tables_outside_ram_are_reported() {
    let mut page = Page::new(PA | AF | PAGE);
    let (&address, _) = page.memory.0.last_key_value().unwrap();
    page.memory.0.remove(&address);
    assert_eq!(
        page.read(),
        Err(TranslateError::NotRam { level: 3, address })
    );
}

#[test]
fn what_the_walk_does_not_know_is_said() {
    let refused = |change: fn(&mut Regime)| {
        let mut page = Page::new(PA | AF | PAGE);
        change(&mut page.regime);
        matches!(page.read(), Err(TranslateError::Unsupported(_)))
    };
    assert!(refused(|regime| regime.tcr |= DS));
    assert!(refused(|regime| regime.tcr |= 0b11 << 14));
    assert!(refused(|regime| regime.tcr = regime.tcr & !0x3f | 15));
    assert!(refused(|regime| regime.tcr |= 0b01 << 14 | 0b110 << 32));
    assert!(refused(|regime| regime.tcr2 = 1 << 3));
    assert!(refused(|regime| regime.tcr2 = 1 << 5));
    assert!(!refused(|regime| regime.tcr2 = E0POE));
}

#[test]
fn regions_smaller_than_the_architecture_has_are_none() {
    for (granule, size) in granules().iter().zip([49, 49, 48]) {
        let regime = shape(granule, size);
        assert_eq!(
            Memory::default().read(&regime, 0),
            Err(TranslateError::NoTable)
        );
    }
}

proptest! {
    /// Any address of any shape of region ends where its page was put.
    #[test]
    fn pages_are_found(
        which in 0usize..3, size in 16u64..=47, va in any::<u64>(), pa in any::<u64>(),
    ) {
        let granule = &granules()[which];
        let offset = (1 << granule.page_bits) - 1;
        let va = va & ((1 << (64 - size)) - 1);
        let pa = pa & 0xffff_ffff_ffff & !offset;
        let mut memory = Memory::default();
        let ttbr0 = chain(&mut memory, granule, size, va, 3, pa | AF | PAGE);
        let regime = Regime { ttbr0, ..shape(granule, size) };
        prop_assert_eq!(memory.write(&regime, va), Ok(pa | va & offset));
    }
}
