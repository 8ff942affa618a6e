// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A board that the replay program can run on, and calls that it can make.

use super::{Fault, ensure};
use crate::board::{Board, TestKind};
use crate::guest::{Arch, Guest};
use crate::machine::Page;
use crate::replay::{Replay, ReplayCall};

/// Registers that a call carries: r0 to r12.
const REGISTERS: u8 = 13;
/// The program maps RAM in sections of this size.
const SECTION: u64 = 1 << 20;
/// RAM that it needs: 32 MiB below it, and room for itself and its buffer.
const RAM: u64 = 64 << 20;

pub(super) fn guest(board: &Board) -> Result<(), Fault> {
    let (guest, machine) = (&board.guest, &board.machine);
    let replays = board.test == TestKind::Replay;
    ensure(
        replays == (guest.kernel == Guest::REPLAY),
        "guest.kernel",
        "is \"replay\" if and only if test is \"replay\"",
    )?;
    if !replays {
        return Ok(());
    }
    ensure(
        guest.arch == Arch::Armhf,
        "guest.arch",
        "is \"armhf\" for a replay, which is a 32-bit program",
    )?;
    let of_a_kernel = guest.dtb.is_some()
        || !guest.append.is_empty()
        || !guest.modules.is_empty()
        || !guest.dt.is_empty()
        || guest.reboots
        || guest.patterns().any(|line| line.kernel.is_some());
    ensure(
        !of_a_kernel,
        "guest",
        "has dtb, append, modules, dt, reboots or a range of kernels, which mean nothing to a replay",
    )?;
    ensure(
        machine.power_off().is_some(),
        "machine.pages",
        "has no kind \"power\" below 4 GiB with an action \"off\", with which a replay ends",
    )?;
    ensure(
        machine.ram_base.is_multiple_of(SECTION)
            && machine.memory.0.is_multiple_of(SECTION)
            && machine.memory.0 >= RAM,
        "machine.memory",
        "and ram-base are multiples of 1 MiB for a replay, with 64 MiB or more",
    )?;
    // The image hides what is at its addresses.
    let (base, size) = (u64::from(Replay::IMAGE), SECTION);
    let pages = machine.pages.iter().map(Page::region);
    let hidden = pages
        .chain([machine.ram()])
        .chain(machine.devices())
        .any(|region| region.overlaps(base, size));
    ensure(
        !hidden && machine.uart.base <= u64::from(u32::MAX),
        "machine",
        format!("has something at {base:#x}, where a replay puts itself, or above 4 GiB"),
    )
}

/// What the schema cannot say of one call.
pub(crate) fn call(call: &ReplayCall) -> Result<(), String> {
    let ensure = |good: bool, problem: &str| {
        if good {
            Ok(())
        } else {
            Err(problem.to_owned())
        }
    };
    let named = call
        .source
        .split_once(": ")
        .is_some_and(|(file, function)| !file.is_empty() && !function.is_empty());
    ensure(
        named && call.source.is_ascii(),
        "source is \"FILE: FUNCTION\", in ASCII",
    )?;
    ensure(call.immediate <= 1, "immediate is 0 or 1")?;
    let registers = call.input.keys().chain(call.out.keys());
    ensure(
        registers
            .chain(&call.clobbered)
            .all(|register| register.0 < REGISTERS),
        "a call has r0 to r12",
    )?;
    ensure(
        !call.clobbered.iter().any(|one| call.out.contains_key(one)),
        "a register is in out and clobbered as well",
    )?;
    let addresses = call.memory.keys().chain(call.memory_after.keys());
    ensure(
        addresses
            .chain(&call.changed)
            .all(|address| address.value(0).is_multiple_of(4)),
        "words of memory are at multiples of 4",
    )?;
    ensure(
        call.changed.len() <= Replay::MAX_CHANGED,
        "changed names 16 words at most",
    )
}
