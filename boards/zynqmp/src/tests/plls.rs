// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Phase-locked loops, as the kernel programs them.

use super::clocks::{IOPLL, PSS_REF, REFERENCE, UART0_REF, rate};
use super::*;
use crate::clocks::table;

const IOPLL_INT: u32 = 76;
const APLL_INT: u32 = 86;
const DPLL_INT: u32 = 91;
const VPLL_INT: u32 = 96;

#[test]
fn a_pll_is_made_fractional_and_locks_at_the_new_rate() {
    let mut machine = Machine::new();
    machine.get(api::IOCTL, &[0, 8, VPLL_INT, 1]);
    machine.get(api::CLOCK_SETDIVIDER, &[VPLL_INT, 60]);
    machine.get(api::IOCTL, &[0, 10, VPLL_INT, 0x8000]);
    machine.get(api::CLOCK_ENABLE, &[VPLL_INT]);
    assert_eq!(machine.get(api::IOCTL, &[0, 9, VPLL_INT]), 1);
    assert_eq!(rate(&mut machine, VPLL_INT), REFERENCE * 121 / 2);
    machine.get(api::IOCTL, &[0, 8, VPLL_INT, 0]);
    assert_eq!(rate(&mut machine, VPLL_INT), REFERENCE * 60);
    for divider in [0, 24, 126, u32::MAX] {
        let set = [VPLL_INT, divider];
        assert_eq!(
            machine.fails(api::CLOCK_SETDIVIDER, &set),
            Status::INVALID_PARAM
        );
    }
    for (arg, expected) in [
        ([0, 8, VPLL_INT, 2], Status::ARGS),
        ([0, 8, IOPLL, 1], Status::ARGS),
        ([0, 9, UART0_REF, 0], Status::ARGS),
        ([0, 10, VPLL_INT, 0x1_0000], Status::INVALID_PARAM),
        ([0, 11, PSS_REF, 0], Status::ARGS),
    ] {
        assert_eq!(machine.fails(api::IOCTL, &arg), expected);
    }
}

#[test]
fn a_pll_stops_unless_cpus_or_memory_run_from_it() {
    let mut machine = Machine::new();
    machine.get(api::CLOCK_DISABLE, &[IOPLL_INT]);
    assert_eq!(machine.get(api::CLOCK_GETSTATE, &[IOPLL_INT]), 0);
    for clock in [APLL_INT, DPLL_INT] {
        assert_eq!(
            machine.fails(api::CLOCK_DISABLE, &[clock]),
            Status::NO_ACCESS
        );
        assert_eq!(machine.get(api::CLOCK_GETSTATE, &[clock]), 1);
    }
    machine.get(api::CLOCK_SETPARENT, &[table::ACPU, 3]);
    machine.get(api::CLOCK_DISABLE, &[APLL_INT]);
    assert_eq!(
        machine.fails(api::CLOCK_DISABLE, &[VPLL_INT]),
        Status::NO_ACCESS
    );
}
