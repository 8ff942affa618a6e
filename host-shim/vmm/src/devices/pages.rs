// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Device pages that a board describes as data: storage, constants, nothing, and a power register.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use fakemon_manifest::{Page, PageKind, PowerAction};

use super::pl310::Pl310;
use super::{Access, Bus, Device, Effect};

/// Puts the pages of a board on the bus, except those of `in_memory`, which the guest reaches
/// without an exit.
pub fn attach(bus: &mut Bus, pages: &[Page], in_memory: &[&Page]) {
    for page in pages.iter().filter(|page| !in_memory.contains(page)) {
        bus.attach(page.base, page.size, device(page));
    }
}

/// Tells which pages can be guest memory: storage on whole host pages of `granule` bytes, with no
/// other page inside.
pub fn in_memory(pages: &[Page], granule: u64) -> Vec<&Page> {
    let whole = |page: &Page| (page.base | page.size) & (granule - 1) == 0;
    let alone = |page: &Page| {
        let apart = |other: &Page| {
            other.base >= page.base + page.size || page.base >= other.base + other.size
        };
        pages.iter().all(|other| other == page || apart(other))
    };
    pages
        .iter()
        .filter(|page| page.is_memory() && whole(page) && alone(page))
        .collect()
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
    fn board() -> Vec<Page> {
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

    fn bus() -> Bus {
        let pages = board();
        let mut bus = Bus::default();
        attach(&mut bus, &pages, &in_memory(&pages, 0x1000));
        bus
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
    fn storage_is_memory_unless_another_page_lies_in_it_or_the_granule_is_larger() {
        let pages = board();
        let names = |granule| {
            let kept = in_memory(&pages, granule);
            kept.into_iter()
                .map(|page| page.name.as_str())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(0x1000), ["shared"]);
        assert!(names(0x1_0000).is_empty());
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
