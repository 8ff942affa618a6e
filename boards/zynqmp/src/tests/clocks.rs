// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The clock tree as the kernel reads it, and what it changes.

use std::collections::BTreeSet;

use super::*;
use crate::clocks::part::Kind;
use crate::clocks::table::{self, CLOCKS, NO_CLOCK};

const NAME: u32 = 1;
const TOPOLOGY: u32 = 2;
const FIXED_FACTOR: u32 = 3;
const PARENTS: u32 = 4;
const ATTRIBUTES: u32 = 5;
const COUNT: u32 = 12;
const MAX_DIVISOR: u32 = 13;

pub(super) const IOPLL: u32 = 0;
pub(super) const UART0_REF: u32 = 56;
pub(super) const PSS_REF: u32 = 113;

/// The crystal, in hertz.
pub(super) const REFERENCE: u64 = 33_333_333;

fn query(machine: &mut Machine, query: u32, clock: u32, index: u32) -> [u32; 4] {
    machine.words(api::QUERY_DATA, [query, clock, index, 0])
}

fn name(machine: &mut Machine, clock: u32) -> String {
    let words = query(machine, NAME, clock, 0);
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let text = String::from_utf8(bytes).expect("letters");
    text.trim_end_matches('\0').to_owned()
}

/// All words that a query gives in threes until one is `end`.
fn list(machine: &mut Machine, what: u32, clock: u32, end: u32) -> Vec<u32> {
    let mut all = Vec::new();
    loop {
        let [status, words @ ..] = query(machine, what, clock, all.len() as u32);
        assert_eq!(status, 0);
        match words.iter().position(|&word| word == end) {
            Some(at) => {
                all.extend(&words[..at]);
                return all;
            }
            None => all.extend(words),
        }
    }
}

/// The rate of a clock as the kernel computes it; of a wrong position, nothing.
pub(super) fn rate(machine: &mut Machine, clock: u32) -> u64 {
    if clock == PSS_REF {
        return REFERENCE;
    }
    let parts = list(machine, TOPOLOGY, clock, 0);
    let parents = list(machine, PARENTS, clock, u32::MAX);
    let kinds: Vec<u32> = parts.iter().map(|part| part & 0xf).collect();
    let position = match kinds.contains(&(Kind::Mux as u32)) {
        true => machine.get(api::CLOCK_GETPARENT, &[clock]) as usize,
        false => 0,
    };
    let mut rate = rate(machine, parents[position] & 0xffff);
    for kind in kinds {
        let divider = |machine: &mut Machine| machine.get(api::CLOCK_GETDIVIDER, &[clock]);
        rate = match kind {
            2 => {
                let fraction = u64::from(machine.get(api::IOCTL, &[0, 11, clock]));
                let whole = rate * u64::from(divider(machine));
                match machine.get(api::IOCTL, &[0, 9, clock]) {
                    0 => whole,
                    _ => whole + rate * fraction / 65536,
                }
            }
            3 => {
                let [_, times, by, _] = query(machine, FIXED_FACTOR, clock, 0);
                rate * u64::from(times) / u64::from(by)
            }
            4 => rate.div_ceil(u64::from(divider(machine) & 0xffff)),
            5 => rate.div_ceil(u64::from(divider(machine) >> 16)),
            _ => rate,
        };
    }
    rate
}

#[test]
fn the_tree_that_the_kernel_reads_holds_together() {
    let mut machine = Machine::new();
    let count = query(&mut machine, COUNT, 0, 0)[1];
    let mut names = BTreeSet::new();
    for clock in 0..count {
        let [status, attributes, ..] = query(&mut machine, ATTRIBUTES, clock, 0);
        assert_eq!(status, 0);
        let name = name(&mut machine, clock);
        assert_eq!(attributes & 1 != 0, !name.is_empty(), "{clock}");
        if !name.is_empty() {
            assert!(names.insert(name.clone()), "{name} is there twice");
        }
        if attributes != 1 {
            continue;
        }
        assert!(!list(&mut machine, TOPOLOGY, clock, 0).is_empty());
        let parents = list(&mut machine, PARENTS, clock, u32::MAX);
        assert!(!parents.is_empty());
        for parent in parents.into_iter().filter(|&parent| parent != NO_CLOCK) {
            let kind = query(&mut machine, ATTRIBUTES, parent & 0xffff, 0)[1];
            let is_input = parent >> 16 == 5;
            assert_eq!(kind, if is_input { 5 } else { 1 }, "{name}");
        }
    }
    assert_eq!(names.len(), table::COUNT + 7);
    assert_eq!(query(&mut machine, ATTRIBUTES, count, 0)[0], Status::ARGS.0);
}

#[test]
fn each_clock_runs_at_a_rate_that_follows_from_its_settings() {
    let mut machine = Machine::new();
    for (clock, hertz) in [
        (IOPLL, 1_499_999_985),
        (1, 1_199_999_988),
        (2, 1_199_999_988),
        (3, 1_066_666_656),
        (4, 1_499_999_985),
        (table::ACPU, 1_199_999_988),
        (table::DDR_REF, 533_333_328),
        (UART0_REF, 99_999_999),
        (34, 20_000_000),
        (104, 124_999_999),
    ] {
        assert_eq!(rate(&mut machine, clock), hertz, "{clock}");
    }
}

#[test]
fn a_divider_that_is_set_reads_back_and_changes_the_rate() {
    let mut machine = Machine::new();
    machine.get(api::CLOCK_SETDIVIDER, &[UART0_REF, 0x2_ffff]);
    assert_eq!(machine.get(api::CLOCK_GETDIVIDER, &[UART0_REF]), 0x2_000f);
    assert_eq!(rate(&mut machine, UART0_REF), 50_000_000);
    machine.get(api::CLOCK_SETDIVIDER, &[UART0_REF, 0xffff_003f]);
    assert_eq!(machine.get(api::CLOCK_GETDIVIDER, &[UART0_REF]), 0x2_003f);
    assert_eq!(machine.get(api::CLOCK_GETDIVIDER, &[57]), 0x1_000f);
    for (word, expected) in [
        (0xffff_0000, Status::INVALID_PARAM),
        (0xffff_0040, Status::INVALID_PARAM),
        (0x40_ffff, Status::INVALID_PARAM),
        (0xffff_ffff, Status::INVALID_PARAM),
        (0x1_0001, Status::ARGS),
    ] {
        let set = [UART0_REF, word];
        assert_eq!(machine.fails(api::CLOCK_SETDIVIDER, &set), expected);
    }
    assert_eq!(machine.get(api::CLOCK_GETDIVIDER, &[UART0_REF]), 0x2_003f);
}

#[test]
fn a_clock_that_is_switched_off_stays_off() {
    let mut machine = Machine::new();
    assert_eq!(machine.get(api::CLOCK_GETSTATE, &[UART0_REF]), 1);
    machine.get(api::CLOCK_DISABLE, &[UART0_REF]);
    assert_eq!(machine.get(api::CLOCK_GETSTATE, &[UART0_REF]), 0);
    assert_eq!(machine.get(api::CLOCK_GETSTATE, &[57]), 1);
    machine.get(api::CLOCK_ENABLE, &[UART0_REF]);
    assert_eq!(machine.get(api::CLOCK_GETSTATE, &[UART0_REF]), 1);
}

#[test]
fn a_multiplexer_turns_to_what_is_there() {
    let mut machine = Machine::new();
    machine.get(api::CLOCK_SETPARENT, &[UART0_REF, 2]);
    assert_eq!(machine.get(api::CLOCK_GETPARENT, &[UART0_REF]), 2);
    assert_eq!(rate(&mut machine, UART0_REF), 80_000_000);
    for position in [1, 4, u32::MAX] {
        let set = [UART0_REF, position];
        assert_eq!(machine.fails(api::CLOCK_SETPARENT, &set), Status::ARGS);
    }
    assert_eq!(
        machine.fails(api::CLOCK_SETPARENT, &[IOPLL, 1]),
        Status::ARGS
    );
    assert_eq!(machine.get(api::CLOCK_GETPARENT, &[IOPLL]), 0);
}

#[test]
fn a_clock_without_the_part_says_so() {
    let mut machine = Machine::new();
    let none = Status::NO_FEATURE;
    assert_eq!(machine.fails(api::CLOCK_ENABLE, &[IOPLL]), none);
    assert_eq!(machine.fails(api::CLOCK_GETSTATE, &[IOPLL]), none);
    assert_eq!(machine.fails(api::CLOCK_GETDIVIDER, &[IOPLL]), none);
    assert_eq!(machine.fails(api::CLOCK_GETPARENT, &[45]), none);
    let second = [table::ACPU, 0x2_ffff];
    assert_eq!(machine.fails(api::CLOCK_SETDIVIDER, &second), none);
    assert_eq!(query(&mut machine, FIXED_FACTOR, IOPLL, 0)[0], 1);
}

#[test]
fn inputs_and_gaps_are_no_clocks_of_the_callers() {
    let mut machine = Machine::new();
    for (clock, expected) in [
        (PSS_REF, Status::NOT_SUPPORTED),
        (11, Status::ARGS),
        (0x1_0000 | UART0_REF, Status::ARGS),
        (u32::MAX, Status::ARGS),
    ] {
        for api in [
            api::CLOCK_ENABLE,
            api::CLOCK_DISABLE,
            api::CLOCK_GETSTATE,
            api::CLOCK_SETDIVIDER,
            api::CLOCK_GETDIVIDER,
            api::CLOCK_SETPARENT,
            api::CLOCK_GETPARENT,
        ] {
            assert_eq!(machine.fails(api, &[clock, 1]), expected, "{api} {clock}");
        }
        for what in [TOPOLOGY, FIXED_FACTOR, PARENTS, MAX_DIVISOR] {
            assert_eq!(query(&mut machine, what, clock, 4), [expected.0, 0, 0, 0]);
        }
    }
    assert_eq!(name(&mut machine, PSS_REF), "pss_ref_clk");
    assert_eq!(query(&mut machine, NAME, u32::MAX, 0), [0; 4]);
}

#[test]
fn lists_end_and_dividers_have_six_bits() {
    let mut machine = Machine::new();
    for index in [8, 1000, u32::MAX] {
        assert_eq!(query(&mut machine, TOPOLOGY, UART0_REF, index), [0; 4]);
        let end = [0, u32::MAX, u32::MAX, u32::MAX];
        assert_eq!(query(&mut machine, PARENTS, UART0_REF, index), end);
    }
    for (part, status, largest) in [(4, 0, 63), (5, 0, 63), (6, 1, 0), (0x104, 1, 0)] {
        let reply = query(&mut machine, MAX_DIVISOR, UART0_REF, part);
        assert_eq!(reply, [status, largest, 0, 0]);
    }
}

#[test]
fn the_boot_loader_leaves_no_impossible_setting() {
    for clock in &CLOCKS {
        let parent = clock.parents.get(usize::from(clock.boot.parent));
        assert!(
            parent.is_some_and(|&parent| parent != NO_CLOCK),
            "{}",
            clock.name
        );
        for (kind, divider) in [Kind::Div1, Kind::Div2]
            .into_iter()
            .zip(clock.boot.dividers)
        {
            assert_eq!(clock.has(kind), divider != 0, "{}", clock.name);
        }
    }
}
