// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Device pages that a board describes as data: storage, constants, nothing, and a power register.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use fakemon_manifest::{Machine, Page, PageKind, PowerAction};

use crate::bus::{Access, Bus, Device, Effect};
use crate::pl310::Pl310;

/// Puts the pages of a board on the bus, except those of `in_memory`, which the guest reaches
/// without an exit.
pub fn attach(bus: &mut Bus, pages: &[Page], in_memory: &[&Page]) {
    for page in pages.iter().filter(|page| !in_memory.contains(page)) {
        bus.attach(page.base, page.size, device(page));
    }
}

/// Tells which pages can be guest memory on a host whose own pages have `granule` bytes: storage with
/// nothing else of the machine in the same pages of the host's but such storage.
pub fn in_memory(machine: &Machine, granule: u64) -> Vec<&Page> {
    let (mut memory, others): (Vec<_>, Vec<_>) = machine.pages.iter().partition(|p| p.is_memory());
    let others = others.into_iter().map(Page::range);
    let mut taken: Vec<Range<u64>> = others.chain(machine.device_ranges()).collect();
    // One that is no memory takes its place on the bus, and can be in another's way there.
    while let Some(at) = memory.iter().position(|page| {
        let needed = whole(page.range(), granule);
        taken.iter().any(|other| overlap(other, &needed))
    }) {
        taken.push(memory.remove(at).range());
    }
    memory
}

/// The memory for these pages, in whole pages of the host's: ascending, and apart.
pub fn ranges(pages: &[&Page], granule: u64) -> Vec<Range<u64>> {
    let mut all: Vec<_> = pages
        .iter()
        .map(|page| whole(page.range(), granule))
        .collect();
    all.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in all {
        match merged.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// Rounds a range out.
fn whole(range: Range<u64>, granule: u64) -> Range<u64> {
    range.start & !(granule - 1)..range.end.next_multiple_of(granule)
}

fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}

fn device(page: &Page) -> Arc<Mutex<dyn Device>> {
    let registers = page.registers.clone();
    match page.kind {
        PageKind::Ram | PageKind::StolenTime => Arc::new(Mutex::new(Storage {
            bytes: vec![0; page.size as usize],
        })),
        PageKind::Zero => Arc::new(Mutex::new(Constants {
            registers: BTreeMap::new(),
        })),
        PageKind::Constants => Arc::new(Mutex::new(Constants { registers })),
        PageKind::Pl310 => Arc::new(Mutex::new(Pl310::new(registers))),
        PageKind::Power => Arc::new(Mutex::new(Power {
            actions: page.actions.clone(),
            written: 0,
        })),
    }
}

/// Keeps what is written.
struct Storage {
    bytes: Vec<u8>,
}

impl Device for Storage {
    fn read(&mut self, access: Access) -> u64 {
        let mut value = [0; 8];
        for (byte, kept) in value
            .iter_mut()
            .zip(self.bytes.iter().skip(access.offset as usize))
        {
            *byte = *kept;
        }
        u64::from_le_bytes(value)
    }

    fn write(&mut self, access: Access, value: u64) -> Effect {
        let written = value.to_le_bytes();
        let place = self.bytes.iter_mut().skip(access.offset as usize);
        for (kept, byte) in place.zip(&written[..access.size.min(8)]) {
            *kept = *byte;
        }
        Effect::None
    }
}

/// Reads as fixed 32-bit registers by offset, as zero elsewhere.
struct Constants {
    registers: BTreeMap<u64, u32>,
}

impl Device for Constants {
    fn read(&mut self, access: Access) -> u64 {
        let word = |offset| u64::from(self.registers.get(&offset).copied().unwrap_or(0));
        let start = access.offset & !3;
        let value = word(start) | word(start + 4) << 32;
        value >> (8 * (access.offset & 3))
    }

    fn write(&mut self, _: Access, _: u64) -> Effect {
        Effect::None
    }
}

/// A register whose written value does something to the machine.
struct Power {
    actions: BTreeMap<u64, PowerAction>,
    written: u64,
}

impl Device for Power {
    fn read(&mut self, _: Access) -> u64 {
        self.written
    }

    fn write(&mut self, _: Access, value: u64) -> Effect {
        self.written = value;
        match self.actions.get(&value) {
            Some(PowerAction::Off) => Effect::Off,
            Some(PowerAction::Reset) => Effect::Reset,
            Some(PowerAction::None) | None => Effect::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use fakemon_manifest::{Gic, PrimeCell, Size};

    use super::*;

    fn page(name: &str, base: u64, size: u64, kind: PageKind) -> Page {
        let (registers, actions) = (BTreeMap::new(), BTreeMap::new());
        Page {
            name: name.into(),
            base,
            size,
            kind,
            registers,
            actions,
        }
    }

    /// The system registers of a board: storage with a power register inside.
    fn pages() -> Vec<Page> {
        let mut power = page("power", 0x1f00, 4, PageKind::Power);
        power.actions = BTreeMap::from([(3, PowerAction::Off), (1, PowerAction::Reset)]);
        let mut chip = page("chip", 0x4000, 0x1000, PageKind::Constants);
        chip.registers = BTreeMap::from([(0, 0xe441_2200), (4, 7)]);
        vec![
            page("sregs", 0x1000, 0x1000, PageKind::Ram),
            power,
            page("shared", 0x2000, 0x1000, PageKind::Ram),
            page("none", 0x3000, 0x1000, PageKind::Zero),
            chip,
        ]
    }

    /// The machine of a board with these pages.
    fn machine(pages: Vec<Page>) -> Machine {
        let prime_cell = |base| PrimeCell { base, irq: 1 };
        Machine {
            cpus: 1,
            memory: Size::default(),
            ram_base: 0x4000_0000,
            gic: Gic {
                versions: vec![3],
                dist: 0x0800_0000,
                cpu: None,
                redist: Some(0x080a_0000),
            },
            uart: prime_cell(0x0900_0000),
            rtc: None,
            mpidr: None,
            pages,
        }
    }

    fn bus() -> Bus {
        let machine = machine(pages());
        let mut bus = Bus::default();
        attach(&mut bus, &machine.pages, &in_memory(&machine, 0x1000));
        bus
    }

    /// The names of the pages that are memory, and where that is.
    fn memory(machine: &Machine, granule: u64) -> (Vec<&str>, Vec<Range<u64>>) {
        let kept = in_memory(machine, granule);
        let ranges = ranges(&kept, granule);
        (kept.iter().map(|page| page.name.as_str()).collect(), ranges)
    }

    fn read(bus: &Bus, address: u64) -> u32 {
        let mut data = [0xff; 4];
        assert!(
            bus.read(address, &mut data, false),
            "a device at {address:#x}"
        );
        u32::from_le_bytes(data)
    }

    #[test]
    fn storage_is_memory_unless_something_else_lies_in_the_same_page_of_the_hosts() {
        let machine = machine(pages());
        let shared = 0x2000..0x3000;
        assert_eq!(memory(&machine, 0x1000), (vec!["shared"], vec![shared]));
        for granule in [0x4000, 0x1_0000] {
            assert_eq!(memory(&machine, granule), (vec![], vec![]));
        }
    }

    #[test]
    fn storage_is_rounded_out_to_the_hosts_pages_and_neighbours_are_one() {
        let ram = |name, base| page(name, base, 0x1000, PageKind::Ram);
        let pages = vec![
            ram("out", 0xd000_1000),
            ram("in", 0xd000_0000),
            ram("alone", 0x2000_f000),
            ram("next", 0xd000_4000),
        ];
        let machine = machine(pages);
        let all = vec!["out", "in", "alone", "next"];
        let (names, ranges) = memory(&machine, 0x1000);
        assert_eq!((names, ranges.len()), (all.clone(), 4));
        let expected = vec![
            0x2000_c000..0x2001_0000,
            0xd000_0000..0xd000_4000,
            0xd000_4000..0xd000_8000,
        ];
        assert_eq!(memory(&machine, 0x4000), (all.clone(), expected));
        let expected = vec![0x2000_0000..0x2001_0000, 0xd000_0000..0xd001_0000];
        assert_eq!(memory(&machine, 0x1_0000), (all, expected));
    }

    #[test]
    fn storage_beside_a_device_is_on_the_bus_and_so_is_what_lies_beside_that() {
        // The console is at 0x0900_0000, and has one page.
        let machine = machine(vec![
            page("last", 0x0900_5000, 0x1000, PageKind::Ram),
            page("beside", 0x0900_2000, 0x3000, PageKind::Ram),
            page("apart", 0x0901_0000, 0x2000, PageKind::StolenTime),
        ]);
        let apart = 0x0901_0000..0x0901_4000;
        assert_eq!(memory(&machine, 0x4000), (vec!["apart"], vec![apart]));
        let (names, _) = memory(&machine, 0x1000);
        assert_eq!(names, ["last", "beside", "apart"]);
    }

    #[test]
    fn a_power_register_inside_storage_takes_precedence_and_acts() {
        let bus = bus();
        assert_eq!(
            bus.write(0x1f00, &3u32.to_le_bytes(), false),
            Some(Effect::Off)
        );
        assert_eq!(
            bus.write(0x1f00, &1u32.to_le_bytes(), true),
            Some(Effect::Reset)
        );
        assert_eq!(
            bus.write(0x1f00, &2u32.to_le_bytes(), false),
            Some(Effect::None)
        );
        assert_eq!(read(&bus, 0x1f00), 2);
        assert_eq!(
            bus.write(0x1f04, &3u32.to_le_bytes(), false),
            Some(Effect::None)
        );
        assert_eq!(
            read(&bus, 0x1f04),
            3,
            "the storage around it keeps what is written"
        );
    }

    #[test]
    fn constants_and_zeros_take_no_writes() {
        let bus = bus();
        for address in [0x3000, 0x4000] {
            assert_eq!(bus.write(address, &[0xff; 4], true), Some(Effect::None));
        }
        assert_eq!(read(&bus, 0x3000), 0);
        assert_eq!(read(&bus, 0x4000), 0xe441_2200);
        let mut wide = [0; 8];
        assert!(bus.read(0x4000, &mut wide, false));
        assert_eq!(u64::from_le_bytes(wide), 0x7_e441_2200);
        let mut byte = [0; 1];
        assert!(bus.read(0x4003, &mut byte, false));
        assert_eq!(byte, [0xe4]);
    }

    #[test]
    fn an_access_across_the_end_of_a_page_stays_inside_it() {
        let bus = bus();
        assert_eq!(bus.write(0x1fff, &[0xff; 8], false), Some(Effect::None));
        let mut data = [0; 8];
        assert!(bus.read(0x1fff, &mut data, false));
        assert_eq!(data, [0xff, 0, 0, 0, 0, 0, 0, 0]);
    }
}
