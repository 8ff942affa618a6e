// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the schema alone cannot say: values that each are well-formed and together make no sense.

use std::collections::BTreeSet;

use fakemon_abi::layout::{MAX_STACK, MAX_VCPUS, MONITOR_BASE};
use fakemon_abi::note::MAX_RANGES;

use crate::board::{Board, TestKind};
use crate::error::ManifestError;
use crate::guest::{Arch, Guest};
use crate::machine::{Gic, Machine, Page, PageKind, Region};
use crate::note::{Caller, Note, Range, Window};

/// A dotted key and what is wrong with its value.
type Fault = (String, String);

/// Function IDs that KVM keeps to itself: its SMCCC filter refuses them (Documentation/virt/kvm/devices/vm.rst).
const RESERVED: [(u32, u32); 2] = [(0x8000_0000, 0x8000_ffff), (0xc000_0000, 0xc000_ffff)];
/// The bits of MPIDR_EL1 that hold affinity fields (Arm ARM D24.2.118).
const AFFINITY: u64 = 0xff_00ff_ffff;
/// The largest SPI of a GIC, counted from 0.
const MAX_SPI: u32 = 987;

pub(crate) fn board(board: &Board, dir_name: &str) -> Result<(), ManifestError> {
    head(board, dir_name)
        .and_then(|()| note(&board.note))
        .and_then(|()| function_id(board))
        .and_then(|()| machine(&board.machine))
        .and_then(|()| guest(board))
        .map_err(|(field, problem)| ManifestError::Invalid {
            board: dir_name.to_owned(),
            field,
            problem,
        })
}

/// Fails with `problem` about `field` unless `good`.
fn ensure(good: bool, field: impl Into<String>, problem: impl Into<String>) -> Result<(), Fault> {
    if good {
        Ok(())
    } else {
        Err((field.into(), problem.into()))
    }
}

fn head(board: &Board, dir_name: &str) -> Result<(), Fault> {
    let name = &board.name;
    ensure(
        name == dir_name,
        "name",
        format!("is {name:?}, but the directory is called {dir_name:?}: make them equal"),
    )?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    ensure(
        !name.is_empty() && name.len() < 32 && name.bytes().all(plain),
        "name",
        "has 1 to 31 lower-case letters, digits and hyphens",
    )?;
    let description = board.description.trim();
    ensure(
        !description.is_empty() && !description.contains('\n'),
        "description",
        "is one line that says what the board is",
    )?;
    ensure(
        !board.sources.is_empty(),
        "sources",
        "name at least one document or source file",
    )?;
    ensure(
        !board.families.is_empty(),
        "families",
        "name at least one family, such as \"A2\"",
    )
}

fn note(note: &Note) -> Result<(), Fault> {
    listed_once("note.conduits", &note.conduits)?;
    listed_once("note.callers", &note.callers)?;
    ensure(
        note.window != Window::Legacy32 || note.callers == [Caller::AArch32],
        "note.callers",
        "window \"legacy32\" carries r0 to r12 and is for aarch32 callers alone",
    )?;
    ensure(
        note.stack > 0 && note.stack.is_multiple_of(0x1000) && note.stack <= MAX_STACK,
        "note.stack",
        format!("is a multiple of 4096 from 4096 to {MAX_STACK}"),
    )?;
    ensure(
        (1..=MAX_RANGES).contains(&note.ranges.len()),
        "note.ranges",
        format!("has 1 to {MAX_RANGES} entries"),
    )?;
    for (at, one) in note.ranges.iter().enumerate() {
        range(one, note.window)
            .map_err(|(key, problem)| (format!("note.ranges[{at}]{key}"), problem))?;
    }
    for (at, pair) in note.ranges.windows(2).enumerate() {
        ensure(
            pair[0].last < pair[1].first,
            format!("note.ranges[{}]", at + 1),
            format!(
                "starts at {:#x}, not after the end of the one before it, {:#x}: order them without overlap",
                pair[1].first, pair[0].last
            ),
        )?;
    }
    Ok(())
}

fn range(range: &Range, window: Window) -> Result<(), Fault> {
    ensure(
        range.first <= range.last,
        "",
        format!(
            "ends at {:#x}, before its start {:#x}",
            range.last, range.first
        ),
    )?;
    for (first, last) in RESERVED {
        ensure(
            range.last < first || last < range.first,
            "",
            format!("touches {first:#x} to {last:#x}, which KVM answers itself: leave those out"),
        )?;
    }
    let (inputs, outputs) = window.registers();
    for (key, count, most) in [
        (".inputs", range.inputs, inputs),
        (".outputs", range.outputs, outputs),
    ] {
        ensure(
            count.is_none_or(|count| (1..=most).contains(&count)),
            key,
            format!("is 1 to {most} in this window"),
        )?;
    }
    ensure(
        range.outputs.unwrap_or(outputs) <= range.inputs.unwrap_or(inputs),
        ".outputs",
        "exceeds inputs: what is written back must be read first",
    )
}

fn function_id(board: &Board) -> Result<(), Fault> {
    let registers = &board.function_id.registers;
    ensure(
        !registers.is_empty(),
        "function-id.registers",
        "names at least one register",
    )?;
    let (inputs, _) = board.note.window.registers();
    for register in registers {
        ensure(
            u16::from(register.0) < inputs,
            "function-id.registers",
            format!(
                "register {} lies outside the window, which has {inputs}",
                register.0
            ),
        )?;
    }
    for (id, name) in &board.functions {
        let field = || format!("functions.\"{id:#x}\"");
        ensure(
            *id <= u64::from(u32::MAX),
            field(),
            "is not a 32-bit function ID",
        )?;
        ensure(!name.is_empty(), field(), "has an empty name")?;
    }
    Ok(())
}

fn machine(machine: &Machine) -> Result<(), Fault> {
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
    ensure(
        machine.uart.base.is_multiple_of(0x1000),
        "machine.uart.base",
        "is a multiple of 4096",
    )?;
    ensure(
        machine.uart.irq <= MAX_SPI,
        "machine.uart.irq",
        format!("is a number among the SPIs, 0 to {MAX_SPI}"),
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
    for one in &machine.pages {
        page(one)
            .map_err(|(key, problem)| (format!("machine.pages {:?}{key}", one.name), problem))?;
    }
    overlaps(machine)
}

fn gic(gic: &Gic) -> Result<(), Fault> {
    listed_once("machine.gic.versions", &gic.versions)?;
    for version in &gic.versions {
        // KVM demands these alignments of its own models (Documentation/virt/kvm/devices/arm-vgic*.rst).
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
    let align = if page.kind == PageKind::Ram {
        0x1000
    } else {
        4
    };
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

/// Refuses anything that lies on RAM or half on something else; a page may lie inside a larger page.
fn overlaps(machine: &Machine) -> Result<(), Fault> {
    let ram = Region {
        name: "machine.memory".into(),
        base: machine.ram_base,
        size: machine.memory.0,
    };
    let mut taken = vec![ram];
    for device in machine.devices() {
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

fn guest(board: &Board) -> Result<(), Fault> {
    let guest: &Guest = &board.guest;
    let caller = match guest.arch {
        Arch::Arm64 => Caller::AArch64,
        Arch::Armhf => Caller::AArch32,
    };
    ensure(
        board.note.callers.contains(&caller),
        "guest.arch",
        format!(
            "is {:?}, whose calls note.callers does not let in",
            guest.arch.as_str()
        ),
    )?;
    ensure(
        !guest.kernel.is_empty(),
        "guest.kernel",
        "names a Debian package",
    )?;
    ensure(
        board.test != TestKind::Driver || !guest.expect.is_empty(),
        "guest.expect",
        "names at least one line that the log of a \"driver\" test shows",
    )?;
    for (at, change) in guest.dt.iter().enumerate() {
        let field = format!("guest.dt[{at}]");
        ensure(
            change.path.starts_with('/') && !change.path.contains("//"),
            format!("{field}.path"),
            format!(
                "{:?} is not a full path such as \"/soc/serial@0\"",
                change.path
            ),
        )?;
        let changes = !change.set.is_empty() || !change.delete.is_empty();
        ensure(
            !(change.remove && changes),
            field.clone(),
            "removes the node and changes it as well",
        )?;
        ensure(
            change.path != "/" || !change.remove,
            field,
            "removes the whole tree",
        )?;
    }
    Ok(())
}

/// Refuses an empty list and one that names something twice.
fn listed_once<T: PartialEq>(field: &str, list: &[T]) -> Result<(), Fault> {
    ensure(!list.is_empty(), field, "names at least one")?;
    let twice = list
        .iter()
        .enumerate()
        .any(|(at, item)| list[..at].contains(item));
    ensure(!twice, field, "names one twice")
}
