// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The battery-backed module, message by message, on a platform whose clock the tests move.

use std::cell::Cell;
use std::rc::Rc;

use super::*;

const SECOND: u64 = 1_000_000_000;

/// An agent, and the platform's time in nanoseconds.
fn at(nanoseconds: u64) -> (Agent, Rc<Cell<u64>>) {
    let time = Rc::new(Cell::new(nanoseconds));
    let clock = Rc::clone(&time);
    let platform = FakePlatform::new(1).answering(move |asked| {
        assert_eq!(asked, crate::fake::Asked::Time);
        Ok([7, clock.get(), 0, 0])
    });
    (Agent::with(platform.with_memory(BASE, &[0; SIZE])), time)
}

#[test]
fn the_clock_is_the_hosts_until_it_is_set_and_always_runs() {
    let (mut agent, time) = at(1_700_000_000 * SECOND + 5);
    assert_eq!(agent.send(0x81, 7, &[0, 0]), Ok(vec![1_700_000_000, 0]));
    time.set(1_700_000_003 * SECOND);
    assert_eq!(agent.send(0x81, 7, &[0, 0]), Ok(vec![1_700_000_003, 0]));
    for set in [1_000_000_000, 0, 4_000_000_000] {
        assert_eq!(agent.send(0x81, 6, &[0, 0, set, 0]), Ok(vec![]));
        assert_eq!(agent.send(0x81, 7, &[0, 0]), Ok(vec![set, 0]));
        time.update(|time| time + 10 * SECOND - 1);
        assert_eq!(agent.send(0x81, 7, &[0, 0]), Ok(vec![set + 9, 0]));
        time.update(|time| time + 1);
        assert_eq!(agent.send(0x81, 7, &[0, 0]), Ok(vec![set + 10, 0]));
    }
}

#[test]
fn ticks_are_parts_of_a_second() {
    let (mut agent, time) = at(0);
    assert_eq!(
        agent.send(0x81, 5, &[0]),
        Ok([vec![0x200f_8000], name("rtc")].concat())
    );
    for ticks in [1, 0x7fff, 0x1_2345, 0xffff_ffff] {
        assert_eq!(agent.send(0x81, 6, &[0, 1, ticks, 0x7fff]), Ok(vec![]));
        assert_eq!(agent.send(0x81, 7, &[0, 1]), Ok(vec![ticks, 0x7fff]));
    }
    assert_eq!(agent.send(0x81, 7, &[0, 0]), Ok(vec![u32::MAX, 0]));
    time.set(SECOND);
    assert_eq!(
        agent.send(0x81, 7, &[0, 0]),
        Ok(vec![0, 0]),
        "it rolls over"
    );
}

#[test]
fn a_time_beyond_its_range_is_refused() {
    let (mut agent, _) = at(5 * SECOND);
    assert_eq!(agent.send(0x81, 6, &[0, 0, 0, 1]), Err(-2));
    assert_eq!(agent.send(0x81, 6, &[0, 1, 0, 0x8000]), Err(-2));
    assert_eq!(agent.send(0x81, 6, &[0, 2, 0, 0]), Err(-2));
    assert_eq!(agent.send(0x81, 6, &[1, 0, 0, 0]), Err(-4));
    assert_eq!(agent.send(0x81, 7, &[1, 0]), Err(-4));
    assert_eq!(agent.send(0x81, 7, &[0, 2]), Err(-2));
    assert_eq!(
        agent.send(0x81, 7, &[0, 0]),
        Ok(vec![5, 0]),
        "and changes nothing"
    );
}

#[test]
fn a_host_without_time_is_a_hardware_error() {
    let platform = FakePlatform::new(1).answering(|_| Err(crate::error::Error::NotSupported));
    let mut agent = Agent::with(platform.with_memory(BASE, &[0; SIZE]));
    assert_eq!(agent.send(0x81, 6, &[0, 0, 1, 0]), Err(-9));
    assert_eq!(agent.send(0x81, 7, &[0, 0]), Err(-9));
}

#[test]
fn an_alarm_is_remembered() {
    let mut agent = Agent::new();
    assert_eq!(agent.bbm.alarm(), None);
    assert_eq!(agent.send(0x81, 8, &[0, 1, 60, 0]), Ok(vec![]));
    assert_eq!(agent.bbm.alarm(), Some(60));
    assert_eq!(agent.send(0x81, 8, &[0, 1, 60, 1]), Err(-2));
    assert_eq!(agent.send(0x81, 8, &[1, 1, 60, 0]), Err(-4));
    assert_eq!(agent.bbm.alarm(), Some(60));
    assert_eq!(agent.send(0x81, 8, &[0, 0, 0, 0]), Ok(vec![]));
    assert_eq!(agent.bbm.alarm(), None);
}

#[test]
fn registers_keep_what_is_written() {
    let mut agent = Agent::new();
    assert_eq!(agent.send(0x81, 1, &[]), Ok(vec![0x1_0008]));
    for n in 0..8 {
        assert_eq!(agent.send(0x81, 4, &[n]), Ok(vec![0]));
        assert_eq!(agent.send(0x81, 3, &[n, 0x100 + n]), Ok(vec![]));
    }
    for n in 0..8 {
        assert_eq!(agent.send(0x81, 4, &[n]), Ok(vec![0x100 + n]));
    }
    assert_eq!(agent.send(0x81, 3, &[8, 1]), Err(-4));
    assert_eq!(agent.send(0x81, 4, &[8]), Err(-4));
}

#[test]
fn events_can_be_asked_for_and_the_button_is_never_pressed() {
    let mut agent = Agent::new();
    assert_eq!(agent.send(0x81, 9, &[]), Ok(vec![0]));
    assert_eq!(agent.send(0x81, 0xa, &[0, 7]), Ok(vec![]));
    assert_eq!(agent.send(0x81, 0xa, &[0, 8]), Err(-2));
    assert_eq!(agent.send(0x81, 0xa, &[1, 7]), Err(-4));
    assert_eq!(agent.send(0x81, 0xb, &[1]), Ok(vec![]));
    assert_eq!(agent.send(0x81, 0xb, &[2]), Err(-2));
}
