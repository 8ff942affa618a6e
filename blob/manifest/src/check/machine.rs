// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A machine whose parts fit together.

use std::collections::BTreeSet;

use fakemon_abi::layout::{MAX_VCPUS, MONITOR_BASE};
use fakemon_abi::mpidr::AFFINITY;

use super::{Fault, ensure, listed_once};
use crate::machine::{Gic, Machine, Page, PageKind, PrimeCell, Region};
use crate::text::is_name;

/// The largest SPI, counted from 0, of a GIC in KVM: one has 992 interrupts at most, private ones
/// included (Documentation/virt/kvm/devices/arm-vgic.rst, KVM_DEV_ARM_VGIC_GRP_NR_IRQS).
const MAX_SPI: u32 = 959;
/// The most pages of a machine, each of which is a device or a piece of memory.
const MAX_PAGES: usize = 128;
/// The most bytes of pages that keep what is written, all together.
const MAX_STORAGE: u64 = 256 << 20;

pub(super) fn machine(machine: &Machine) -> Result<(), Fault> {
    ensure(
        (1..=MAX_VCPUS).contains(&machine.cpus),
        "machine.cpus",
        format!("is 1 to {MAX_VCPUS}"),
    )?;
    let memory = machine.memory.0;
    ensure(
        memory > 0 && memory.is_multiple_of(0x1000) && machine.ram_base.is_multiple_of(0x1000),
        "machine.memory",
        "size and base of RAM are multiples of 4096, and there is some",
    )?;
    ensure(
        memory <= MONITOR_BASE && machine.ram_base <= MONITOR_BASE - memory,
        "machine.memory",
        format!("must end at or below {MONITOR_BASE:#x}, where the monitor begins"),
    )?;
    gic(&machine.gic)?;
    for (key, device) in machine.primecells() {
        ensure(
            device.base.is_multiple_of(PrimeCell::SIZE),
            format!("{key}.base"),
            "is a multiple of 4096",
        )?;
        ensure(
            device.irq <= MAX_SPI,
            format!("{key}.irq"),
            format!("is a number among the SPIs, 0 to {MAX_SPI}"),
        )?;
    }
    ensure(
        machine.rtc.is_none_or(|rtc| rtc.irq != machine.uart.irq),
        "machine.rtc.irq",
        "is the console's",
    )?;
    if let Some(mpidr) = &machine.mpidr {
        let distinct: BTreeSet<_> = mpidr.iter().collect();
        ensure(
            distinct.len() == mpidr.len(),
            "machine.mpidr",
            "names a CPU twice",
        )?;
        ensure(
            mpidr.len() >= machine.cpus as usize,
            "machine.mpidr",
            format!("has {} entries for {} CPUs", mpidr.len(), machine.cpus),
        )?;
        ensure(
            mpidr.iter().all(|value| value & !AFFINITY == 0),
            "machine.mpidr",
            "has affinity fields only (bits 0-23 and 32-39)",
        )?;
    }
    ensure(
        machine.pages.len() <= MAX_PAGES,
        "machine.pages",
        format!("are more than {MAX_PAGES}"),
    )?;
    for (at, one) in machine.pages.iter().enumerate() {
        ensure(
            is_name(&one.name),
            format!("machine.pages[{at}].name"),
            "is a name of 1 to 100 printable characters",
        )?;
        page(one)
            .map_err(|(key, problem)| (format!("machine.pages {:?}{key}", one.name), problem))?;
    }
    let kept = machine.pages.iter().filter(|page| page.is_memory());
    let storage = kept.fold(0, |sum: u64, page| sum.saturating_add(page.size));
    ensure(
        storage <= MAX_STORAGE,
        "machine.pages",
        format!(
            "of the kinds \"ram\" and \"stolen-time\" have {storage:#x} bytes together, at most \
             {MAX_STORAGE:#x} are possible; RAM is machine.memory"
        ),
    )?;
    overlaps(machine)
}

fn gic(gic: &Gic) -> Result<(), Fault> {
    listed_once("machine.gic.versions", &gic.versions)?;
    for version in &gic.versions {
        // KVM demands these alignments of its own models
        // (Documentation/virt/kvm/devices/arm-vgic*.rst).
        let (field, partner, align) = match version {
            2 => ("machine.gic.cpu", gic.cpu, 0x1000),
            3 => ("machine.gic.redist", gic.redist, 0x1_0000),
            _ => {
                return Err((
                    "machine.gic.versions".into(),
                    format!("{version} is not 2 or 3"),
                ));
            }
        };
        ensure(
            partner.is_some(),
            field,
            format!("is missing, and version {version} needs it"),
        )?;
        for (field, base) in [("machine.gic.dist", Some(gic.dist)), (field, partner)] {
            ensure(
                base.is_none_or(|base| base.is_multiple_of(align)),
                field,
                format!("is a multiple of {align:#x} for version {version}"),
            )?;
        }
    }
    Ok(())
}

fn page(page: &Page) -> Result<(), Fault> {
    ensure(
        page.size > 0
            && page
                .base
                .checked_add(page.size)
                .is_some_and(|end| end <= MONITOR_BASE),
        ".size",
        format!("is not 0, and the page ends at or below {MONITOR_BASE:#x}"),
    )?;
    // Memory comes in pages; registers are 32 bits wide.
    let align = if page.is_memory() { 0x1000 } else { 4 };
    ensure(
        page.base.is_multiple_of(align) && page.size.is_multiple_of(align),
        ".base",
        format!("and size are multiples of {align} for this kind"),
    )?;
    let has_registers = matches!(page.kind, PageKind::Constants | PageKind::Pl310);
    ensure(
        has_registers || page.registers.is_empty(),
        ".registers",
        "mean nothing for this kind, only for \"constants\" and \"pl310\"",
    )?;
    ensure(
        page.registers
            .keys()
            .all(|offset| offset % 4 == 0 && *offset < page.size),
        ".registers",
        "are at multiples of 4 inside the page",
    )?;
    ensure(
        (page.kind == PageKind::Power) != page.actions.is_empty(),
        ".actions",
        "belong to the kind \"power\", which needs at least one",
    )
}

/// Refuses anything that lies on RAM or half on something else; a page may lie inside a larger
/// page.
fn overlaps(machine: &Machine) -> Result<(), Fault> {
    let mut taken = vec![machine.ram()];
    for device in machine.devices() {
        ensure(
            device.base <= MONITOR_BASE && device.size <= MONITOR_BASE - device.base,
            device.name.clone(),
            format!("must end at or below {MONITOR_BASE:#x}, where the monitor begins"),
        )?;
        apart(&taken, &device)?;
        taken.push(device);
    }
    let pages: Vec<Region> = machine.pages.iter().map(Page::region).collect();
    for (at, page) in pages.iter().enumerate() {
        apart(&taken, page)?;
        let nested = |other: &&Region| inside(page, other) != inside(other, page);
        if let Some(other) = pages[..at]
            .iter()
            .find(|other| page.overlaps(other.base, other.size) && !nested(other))
        {
            return Err((
                page.name.clone(),
                format!("lies partly on {}: move one", other.name),
            ));
        }
    }
    Ok(())
}

fn apart(taken: &[Region], new: &Region) -> Result<(), Fault> {
    match taken.iter().find(|old| old.overlaps(new.base, new.size)) {
        Some(old) => Err((new.name.clone(), format!("lies on {}: move one", old.name))),
        None => Ok(()),
    }
}

fn inside(small: &Region, large: &Region) -> bool {
    large.base <= small.base && small.base + small.size <= large.base + large.size
}
