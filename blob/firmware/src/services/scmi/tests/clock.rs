// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The clock protocol, message by message.

use super::*;

#[test]
fn clocks_tell_their_names_and_state() {
    let mut agent = Agent::new();
    assert_eq!(agent.send(0x14, 1, &[]), Ok(vec![3]));
    let told = |on, text| Ok([vec![on], name(text), vec![0]].concat());
    assert_eq!(agent.send(0x14, 3, &[0]), told(3, "bus"));
    assert_eq!(agent.send(0x14, 3, &[1]), told(0, "pll"));
    assert_eq!(agent.send(0x14, 3, &[2]), told(1, "card_with_a_nam"));
    assert_eq!(agent.send(0x14, 3, &[3]), Err(-4));
}

#[test]
fn a_list_of_rates_comes_in_parts() {
    let mut agent = Agent::new();
    let first = agent.send(0x14, 4, &[0, 0]).expect("rates");
    assert_eq!(first[0], 2 << 16 | 11, "two are left");
    assert_eq!((first.len(), &first[1..5]), (23, &[1, 0, 2, 0][..]));
    let rest = Ok(vec![2, 12, 0, 0, 0x100]);
    assert_eq!(agent.send(0x14, 4, &[0, 11]), rest);
    assert_eq!(agent.send(0x14, 4, &[0, 13]), Err(-5));
    assert_eq!(agent.send(0x14, 4, &[0, u32::MAX]), Err(-5));
}

#[test]
fn a_range_comes_as_bounds_and_step() {
    let mut agent = Agent::new();
    let range = |low, high, step| Ok(vec![0x1003, low, 0, high, 0, step, 0]);
    assert_eq!(agent.send(0x14, 4, &[1, 0]), range(100, 200, 20));
    assert_eq!(agent.send(0x14, 4, &[2, 0]), range(100, 400, 1));
    assert_eq!(agent.send(0x14, 4, &[1, 1]), Err(-5));
    assert_eq!(agent.send(0x14, 4, &[3, 0]), Err(-4));
}

#[test]
fn a_rate_that_is_set_reads_back_as_the_clock_makes_it() {
    let mut agent = Agent::new();
    assert_eq!(agent.send(0x14, 6, &[0]), Ok(vec![0, 0x100]));
    // Down, up, and as the firmware likes.
    for (flags, wanted, made) in [(0, 150, 133), (4, 150, 200), (8, 190, 200), (0xc, 140, 133)] {
        assert_eq!(agent.send(0x14, 5, &[flags, 2, wanted, 0]), Ok(vec![]));
        assert_eq!(agent.send(0x14, 6, &[2]), Ok(vec![made, 0]), "{flags}");
    }
    assert_eq!(
        agent.send(0x14, 6, &[1]),
        Ok(vec![200, 0]),
        "and no other changes"
    );
    assert_eq!(agent.send(0x14, 5, &[0, 0, 5, 0x1_0000]), Ok(vec![]));
    assert_eq!(agent.send(0x14, 6, &[0]), Ok(vec![0, 0x100]));
}

#[test]
fn a_rate_that_cannot_be_is_refused_and_changes_nothing() {
    let mut agent = Agent::new();
    for (parameters, status) in [
        ([0, 2, 99, 0], -2),
        ([4, 2, 401, 0], -2),
        ([0x10, 2, 200, 0], -2),
        ([1, 2, 200, 0], -1),
        ([0, 3, 200, 0], -4),
    ] {
        assert_eq!(
            agent.send(0x14, 5, &parameters),
            Err(status),
            "{parameters:?}"
        );
    }
    assert_eq!(agent.send(0x14, 6, &[2]), Ok(vec![400, 0]));
    assert_eq!(agent.send(0x14, 6, &[3]), Err(-4));
}

#[test]
fn a_clock_that_is_switched_stays_so() {
    let mut agent = Agent::new();
    assert_eq!(agent.send(0x14, 0xb, &[1, 0]), Ok(vec![0, 0, 0]));
    assert_eq!(agent.send(0x14, 7, &[1, 1, 0]), Ok(vec![]));
    assert_eq!(agent.send(0x14, 0xb, &[1, 0]), Ok(vec![0, 1, 0]));
    assert_eq!(agent.send(0x14, 7, &[1, 0, 0]), Ok(vec![]));
    assert_eq!(agent.send(0x14, 0xb, &[1, 0]), Ok(vec![0, 0, 0]));
    assert_eq!(agent.send(0x14, 0xb, &[2, 0]), Ok(vec![0, 1, 0]));
}

#[test]
fn settings_that_are_not_there_are_refused() {
    let mut agent = Agent::new();
    for (parameters, status) in [
        ([1, 2, 0], -2),
        ([1, 3, 0], -2),
        ([1, 0x101, 0], -2),
        ([1, 0x1_0003, 50], -1),
        ([3, 1, 0], -4),
    ] {
        assert_eq!(
            agent.send(0x14, 7, &parameters),
            Err(status),
            "{parameters:?}"
        );
    }
    assert_eq!(agent.send(0x14, 0xb, &[1, 1]), Err(-1), "duty cycle");
    assert_eq!(agent.send(0x14, 0xb, &[3, 0]), Err(-4));
    for message in [8, 9, 0xa, 0xc, 0xd, 0xe] {
        assert_eq!(agent.send(0x14, 2, &[message]), Err(-4));
    }
}

#[test]
fn a_clock_that_must_run_cannot_be_stopped() {
    let mut agent = Agent::new();
    assert_eq!(agent.send(0x14, 0xf, &[0]), Ok(vec![0x6000_0000]));
    assert_eq!(agent.send(0x14, 7, &[0, 0, 0]), Err(-3));
    assert_eq!(agent.send(0x14, 0xb, &[0, 0]), Ok(vec![0, 1, 0]));
    assert_eq!(agent.send(0x14, 7, &[0, 1, 0]), Ok(vec![]));
    assert_eq!(agent.send(0x14, 0xf, &[1]), Ok(vec![0xe000_0000]));
    assert_eq!(agent.send(0x14, 0xf, &[3]), Err(-4));
}
