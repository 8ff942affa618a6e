// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a note may claim.

use fakemon_abi::Width;
use fakemon_abi::hostcall::WORKAROUNDS;
use fakemon_abi::layout::MAX_STACK;
use fakemon_abi::note::MAX_RANGES;

use super::{Fault, ensure, listed_once};
use crate::note::{Note, Range, Window};

pub(super) fn note(note: &Note) -> Result<(), Fault> {
    listed_once("note.conduits", &note.conduits)?;
    listed_once("note.callers", &note.callers)?;
    ensure(
        note.window != Window::Legacy32 || note.callers == [Width::AArch32],
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
                "starts at {:#x}, before the last one ends at {:#x}: order them without overlap",
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
    let (inputs, outputs) = window.registers();
    let claim = range.to_abi(window);
    ensure(
        !claim.is_mixed(),
        "",
        "has Arm architecture calls (0x8000xxxx, 0xc000xxxx) and others: split it there",
    )?;
    // A legacy board has data in that register.
    let workaround = WORKAROUNDS
        .iter()
        .find(|&&id| (range.first..=range.last).contains(&id));
    ensure(
        workaround.is_none() || window == Window::Legacy32,
        "",
        "claims SMCCC_ARCH_WORKAROUND_1, 2 or 3, with which KVM protects the guest: leave it out",
    )?;
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
