// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The `[machine]` table: the hardware that the VMM builds around the guest.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use fakemon_abi::layout::MONITOR_BASE;
use serde::Deserialize;

use crate::number;

/// The machine. Addresses are guest physical.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Machine {
    /// Number of CPUs when the user does not say otherwise.
    #[serde(default = "default_cpus")]
    pub cpus: u32,
    /// Size of RAM when the user does not say otherwise.
    #[serde(default)]
    pub memory: Size,
    /// Where RAM begins.
    pub ram_base: u64,
    /// The interrupt controller.
    pub gic: Gic,
    /// The console, a PL011.
    pub uart: PrimeCell,
    /// A real-time clock, a PL031. A generated device tree describes it.
    pub rtc: Option<PrimeCell>,
    /// MPIDR of each CPU (affinity fields only); KVM's own numbering by default.
    pub mpidr: Option<Vec<u64>>,
    /// Device pages that data alone describes.
    #[serde(default)]
    pub pages: Vec<Page>,
}

/// An Arm Generic Interrupt Controller.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Gic {
    /// Architecture versions that the guest can use (2, 3), preferred first.
    pub versions: Vec<u8>,
    /// The distributor.
    pub dist: u64,
    /// The CPU interface; version 2 needs it.
    pub cpu: Option<u64>,
    /// The first redistributor; version 3 needs it.
    pub redist: Option<u64>,
}

impl Gic {
    /// The versions that a guest with this many CPUs can use, preferred first.
    pub fn versions_for(&self, cpus: usize) -> impl Iterator<Item = u8> {
        let versions = self.versions.iter().copied();
        versions.filter(move |&version| version != 2 || cpus <= GICV2_CPUS)
    }

    /// Whether this version of it can be where the board has it, on a host with pages of this size: KVM maps
    /// the host's own CPU interface there, by whole pages.
    pub fn fits_pages(&self, version: u8, page: u64) -> bool {
        version != 2 || self.cpu.is_none_or(|address| address.is_multiple_of(page))
    }
}

/// One of Arm's PrimeCell peripherals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PrimeCell {
    /// Its page.
    pub base: u64,
    /// Its interrupt, as a number among the SPIs (0 is interrupt 32 of the GIC).
    pub irq: u32,
}

/// A device page without behaviour of its own. A page inside a larger one takes precedence over it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Page {
    /// Name for messages.
    pub name: String,
    /// First address.
    pub base: u64,
    /// Size in bytes.
    pub size: u64,
    /// What it does.
    pub kind: PageKind,
    /// Initial values of 32-bit registers by offset ([`PageKind::Constants`] and
    /// [`PageKind::Pl310`]).
    #[serde(default, deserialize_with = "number::keyed")]
    pub registers: BTreeMap<u64, u32>,
    /// What a written value does ([`PageKind::Power`]).
    #[serde(default, deserialize_with = "number::keyed")]
    pub actions: BTreeMap<u64, PowerAction>,
}

/// What a [`Page`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageKind {
    /// Keeps what is written; zero at reset.
    Ram,
    /// As [`PageKind::Ram`], and the host keeps the CPUs' stolen time structures there, 64 bytes
    /// for each CPU (Arm DEN 0057, 3.2.2).
    StolenTime,
    /// Reads as zero, ignores writes.
    Zero,
    /// Reads as the given registers, zero elsewhere; ignores writes.
    Constants,
    /// An Arm PL310 level 2 cache controller without a cache.
    Pl310,
    /// A register whose written value does something to the machine.
    Power,
}

/// What a write to a power register does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PowerAction {
    /// The machine is switched off.
    Off,
    /// The machine is reset.
    Reset,
    /// Nothing.
    None,
}

/// A number of bytes, written as a number or as text with a suffix K, M or G (powers of 1024).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "toml::Value")]
pub struct Size(pub u64);

/// The address space of one GICv3 redistributor.
const REDISTRIBUTOR: u64 = 0x2_0000;
/// The most CPUs that a GICv2 serves.
pub const GICV2_CPUS: usize = 8;
/// Bytes of a stolen time structure with its padding, which KVM wants aligned so.
const STOLEN_TIME: u64 = 64;

fn default_cpus() -> u32 {
    4
}

impl Default for Size {
    /// 512 MiB, enough for every Debian kernel with the default initramfs.
    fn default() -> Self {
        Size(512 << 20)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (digits, shift) = match text.as_bytes().last() {
            Some(b'K' | b'k') => (&text[..text.len() - 1], 10),
            Some(b'M' | b'm') => (&text[..text.len() - 1], 20),
            Some(b'G' | b'g') => (&text[..text.len() - 1], 30),
            _ => (text, 0),
        };
        number::parse(digits)
            .and_then(|number| number.checked_mul(1 << shift))
            .map(Size)
            .ok_or_else(|| format!("{text:?} is not a size, write it as 512M or 1G"))
    }
}

impl TryFrom<toml::Value> for Size {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, Self::Error> {
        match value {
            toml::Value::String(text) => text.parse(),
            toml::Value::Integer(bytes) => u64::try_from(bytes)
                .map(Size)
                .map_err(|_| "a size is not negative".to_owned()),
            _ => Err("a size is a number or text such as \"512M\"".to_owned()),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, suffix) in [(30, "G"), (20, "M"), (10, "K")] {
            if self.0 != 0 && self.0.is_multiple_of(1 << shift) {
                return write!(f, "{}{suffix}", self.0 >> shift);
            }
        }
        write!(f, "{}", self.0)
    }
}

/// A stretch of addresses that something in the machine occupies.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    pub(crate) name: String,
    pub(crate) base: u64,
    pub(crate) size: u64,
}

impl Region {
    pub(crate) fn overlaps(&self, base: u64, size: u64) -> bool {
        self.base < base.saturating_add(size) && base < self.base.saturating_add(self.size)
    }
}

impl PrimeCell {
    /// Bytes of address space that each takes.
    pub const SIZE: u64 = 0x1000;
}

impl Machine {
    /// The most bytes of RAM that fit between [`Machine::ram_base`] and the next device above it.
    pub fn memory_limit(&self) -> u64 {
        self.devices()
            .chain(self.pages.iter().map(Page::region))
            .map(|region| region.base)
            .filter(|&base| base >= self.ram_base)
            .min()
            .unwrap_or(MONITOR_BASE)
            .saturating_sub(self.ram_base)
    }

    /// The most CPUs that the machine can have with version `gic` of its interrupt controller, or
    /// with any, and why, as the rest of a sentence.
    pub fn cpus_limit(&self, gic: Option<u32>) -> (usize, &'static str) {
        let numbered = self.mpidr.as_ref().map_or(usize::MAX, Vec::len);
        let is_v2 = gic == Some(2) || !self.gic.versions.contains(&3);
        let (served, why) = match is_v2 {
            true => (GICV2_CPUS, " with a GICv2"),
            false => (
                self.redistributors(),
                " (another device lies after their redistributors)",
            ),
        };
        let timed = self.stolen_times();
        let limits = [
            (served, why),
            (numbered, " (its board.toml numbers no more)"),
            (timed, " (its page of stolen time structures has no more)"),
        ];
        let least = limits.into_iter().min_by_key(|&(limit, _)| limit);
        least.expect("there are three")
    }

    /// How many CPUs' stolen time structures there is room for, or needs to be.
    fn stolen_times(&self) -> usize {
        let page = self.stolen_time_page();
        page.map_or(usize::MAX, |page| (page.size / STOLEN_TIME) as usize)
    }

    fn stolen_time_page(&self) -> Option<&Page> {
        let mut pages = self.pages.iter();
        pages.find(|page| page.kind == PageKind::StolenTime)
    }

    /// How many GICv3 redistributors fit before what comes next, device or memory.
    fn redistributors(&self) -> usize {
        let Some(redist) = self.gic.redist else {
            return usize::MAX;
        };
        let others = self.devices().map(|region| region.base);
        let pages = self.pages.iter().map(|page| page.base);
        let next = others.chain(pages).chain([self.ram_base, MONITOR_BASE]);
        let next = next.filter(|&base| base > redist).min();
        next.map_or(0, |next| ((next - redist) / REDISTRIBUTOR) as usize)
    }

    /// Where the stolen time structure of CPU number `cpu` is, if the machine has one.
    pub fn stolen_time(&self, cpu: u32) -> Option<u64> {
        let page = self.stolen_time_page()?;
        let offset = STOLEN_TIME * u64::from(cpu);
        (offset + STOLEN_TIME <= page.size).then_some(page.base + offset)
    }

    /// A register below 4 GiB that switches the machine off, and what to write there.
    pub fn power_off(&self) -> Option<(u32, u32)> {
        self.pages.iter().find_map(|page| {
            let mut actions = page.actions.iter();
            let (value, _) = actions.find(|(_, action)| **action == PowerAction::Off)?;
            let base = u32::try_from(page.base).ok()?;
            Some((base, u32::try_from(*value).ok()?))
        })
    }

    /// Where RAM is.
    pub(crate) fn ram(&self) -> Region {
        Region {
            name: "machine.memory".to_owned(),
            base: self.ram_base,
            size: self.memory.0,
        }
    }

    /// Those that have a page and an interrupt, with the keys that describe them.
    pub(crate) fn primecells(&self) -> impl Iterator<Item = (&'static str, PrimeCell)> {
        let rtc = self.rtc.map(|rtc| ("machine.rtc", rtc));
        [("machine.uart", self.uart)].into_iter().chain(rtc)
    }

    /// The largest interrupt of a device, as a number among the SPIs.
    pub fn last_spi(&self) -> u32 {
        let spis = self.primecells().map(|(_, device)| device.irq);
        spis.fold(0, u32::max)
    }

    /// Where interrupt controller, console and clock are.
    pub fn device_ranges(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        let devices = self.devices();
        devices.map(|region| region.base..region.base.saturating_add(region.size))
    }

    /// Interrupt controller, console and clock, of which nothing else may take a part.
    pub(crate) fn devices(&self) -> impl Iterator<Item = Region> + '_ {
        let gic = &self.gic;
        let dist = if gic.versions.contains(&3) {
            0x1_0000
        } else {
            0x1000
        };
        let controller = [
            ("machine.gic.dist", Some(gic.dist), dist),
            ("machine.gic.cpu", gic.cpu, 0x2000),
            (
                "machine.gic.redist",
                gic.redist,
                REDISTRIBUTOR * u64::from(self.cpus),
            ),
        ];
        let others = self.primecells();
        let others = others.map(|(name, device)| (name, Some(device.base), PrimeCell::SIZE));
        controller
            .into_iter()
            .chain(others)
            .filter_map(|(name, base, size)| {
                Some(Region {
                    name: name.to_owned(),
                    base: base?,
                    size,
                })
            })
    }
}

impl Page {
    /// Its addresses.
    pub fn range(&self) -> Range<u64> {
        self.base..self.base.saturating_add(self.size)
    }

    /// Tells whether the guest finds memory there.
    pub fn is_memory(&self) -> bool {
        matches!(self.kind, PageKind::Ram | PageKind::StolenTime)
    }

    pub(crate) fn region(&self) -> Region {
        Region {
            name: format!("machine.pages {:?}", self.name),
            base: self.base,
            size: self.size,
        }
    }
}
