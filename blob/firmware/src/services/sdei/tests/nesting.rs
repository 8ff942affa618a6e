// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Priorities: a critical event interrupts the handler of a normal one, and nothing else does.

use super::*;

/// A guest whose CPU 0 has handlers for both private events.
fn both() -> Guest {
    let mut guest = Guest::ready();
    guest.prepare(CRITICAL);
    guest
}

#[test]
fn a_critical_event_nests_in_a_normal_one_and_both_go_back() {
    let mut guest = both();
    guest.call(EVENT_SIGNAL, &[0, 0]);
    assert_eq!(guest.handles(), Some(0));
    assert_eq!(guest.raise(CRITICAL), Ok(()));
    assert_eq!(guest.handles(), Some(CRITICAL));
    assert_eq!(guest.call(EVENT_STATUS, &[0]), 7);
    assert_eq!(guest.call(EVENT_STATUS, &[CRITICAL]), 7);
    assert_eq!(guest.call(EVENT_CONTEXT, &[0]), 0x100, "of the inner one");

    guest.call(EVENT_COMPLETE, &[0]);
    assert_eq!(guest.platform.resume, AT, "back in the normal handler");
    assert_eq!(guest.call(EVENT_STATUS, &[CRITICAL]), 3);
    assert_eq!(guest.call(EVENT_CONTEXT, &[0]), 0, "of the outer one");
    guest.call(EVENT_COMPLETE, &[0]);
    assert_eq!(guest.call(EVENT_COMPLETE, &[0]), -3);
}

#[test]
fn a_normal_event_interrupts_no_handler() {
    let mut guest = both();
    guest.raise(CRITICAL).expect("there is one");
    assert_eq!(guest.call(EVENT_SIGNAL, &[0, 0]), 0);
    assert_eq!(guest.handles(), None);
    guest.raise(CRITICAL).expect("there is one");
    assert_eq!(guest.handles(), None, "nor does another critical one");
    // The more urgent goes first.
    for next in [Some(CRITICAL), Some(0), None] {
        guest.call(EVENT_COMPLETE, &[0]);
        assert_eq!(guest.handles(), next);
    }
}

#[test]
fn a_masked_cpu_takes_neither() {
    let mut guest = both();
    guest.call(PE_MASK, &[]);
    guest.call(EVENT_SIGNAL, &[0, 0]);
    guest.raise(CRITICAL).expect("there is one");
    assert_eq!(guest.handles(), None);
    guest.call(PE_UNMASK, &[]);
    assert_eq!(guest.handles(), Some(CRITICAL));
    guest.call(EVENT_COMPLETE, &[0]);
    assert_eq!(guest.handles(), Some(0));
}

#[test]
fn an_event_that_no_board_has_is_not_raised() {
    let mut guest = both();
    assert_eq!(guest.raise(5), Err(Error::InvalidParameters));
}
