// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Doorbells.

use super::*;

const OPEN: u64 = 0x8200_1000;
const RELEASE: u64 = 0x8200_1001;
const STATUS: u64 = 0x8200_1002;
const NOTIFY: u64 = 0x8200_1003;
const ACK: u64 = 0x8200_1004;
const ENABLE: u64 = 0x8200_1005;
const DISABLE: u64 = 0x8200_1006;

const APU: u64 = 0;
const RPU0: u64 = 1;
const PMU1: u64 = 4;

#[track_caller]
fn ring(machine: &mut Machine, function: u64, local: u64, remote: u64) -> i32 {
    machine.smc(&[function, local, remote, 0])[0] as i32
}

#[test]
fn the_power_driver_opens_its_mailbox() {
    let mut machine = Machine::new();
    for function in [OPEN, ENABLE, STATUS, DISABLE, RELEASE] {
        assert_eq!(ring(&mut machine, function, APU, PMU1), 0, "{function:#x}");
    }
}

#[test]
fn the_pmu_takes_note_at_once() {
    let mut machine = Machine::new();
    assert_eq!(ring(&mut machine, NOTIFY, APU, PMU1), 0);
    assert_eq!(ring(&mut machine, STATUS, APU, PMU1), 0);
}

#[test]
fn a_ring_is_pending_on_both_sides_until_it_is_acknowledged() {
    let mut machine = Machine::new();
    ring(&mut machine, NOTIFY, APU, RPU0);
    assert_eq!(ring(&mut machine, STATUS, APU, RPU0), 1, "sent");
    assert_eq!(ring(&mut machine, STATUS, RPU0, APU), 2, "received");
    assert_eq!(ring(&mut machine, STATUS, APU, PMU1), 0, "another mailbox");
    ring(&mut machine, ACK, APU, RPU0);
    assert_eq!(ring(&mut machine, STATUS, APU, RPU0), 1, "the wrong end");
    ring(&mut machine, ACK, RPU0, APU);
    assert_eq!(ring(&mut machine, STATUS, APU, RPU0), 0);
}

#[test]
fn opening_forgets_what_came_in_before() {
    let mut machine = Machine::new();
    ring(&mut machine, NOTIFY, RPU0, APU);
    ring(&mut machine, OPEN, APU, RPU0);
    assert_eq!(ring(&mut machine, STATUS, APU, RPU0), 0);
}

#[test]
fn an_agent_that_is_not_there_or_not_for_everybody_is_refused() {
    let mut machine = Machine::new();
    for agent in [3, 5, 6] {
        assert_eq!(ring(&mut machine, OPEN, APU, agent), -1);
        assert_eq!(ring(&mut machine, OPEN, agent, APU), -1);
    }
    for agent in [11, u64::from(u32::MAX)] {
        assert_eq!(ring(&mut machine, NOTIFY, APU, agent), -22);
        assert_eq!(ring(&mut machine, NOTIFY, agent, APU), -22);
    }
}
