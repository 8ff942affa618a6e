// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Relative mode: a handler that lies at an offset from its CPU's vectors.

use super::*;

/// Flags: relative mode, to any CPU and to one.
const TO_ANY: u64 = 2;
const TO_ONE: u64 = 3;
/// Where the handlers are, from the vectors.
const OFFSET: u64 = 0x800;

/// A guest whose CPUs' vectors are this far below [`HANDLER`].
fn guest_with_vectors() -> Guest {
    let mut guest = Guest::new();
    guest.platform = FakePlatform::new(4).answering(|asked| match asked {
        Asked::VectorBase => Ok([HANDLER - OFFSET, 0, 0, 0]),
        _ => Ok([0; 4]),
    });
    guest.call(PE_UNMASK, &[]);
    guest
}

/// Registers event `event` with these flags for CPU 0, at [`OFFSET`] and 16 more for each number.
fn register(guest: &mut Guest, event: u64, flags: u64) -> i64 {
    let entry = OFFSET + 16 * event;
    guest.call(EVENT_REGISTER, &[event, entry, ARGUMENT, flags, 0])
}

#[test]
fn a_handler_is_found_where_the_vectors_are_when_its_event_comes() {
    for (event, flags) in [
        (0, TO_ANY),
        (CRITICAL, TO_ANY),
        (SHARED, TO_ANY),
        (SHARED, TO_ONE),
    ] {
        let mut guest = guest_with_vectors();
        assert_eq!(guest.call(FEATURES, &[1]), 1);
        assert_eq!(register(&mut guest, event, flags), 0);
        assert_eq!(guest.call(EVENT_ENABLE, &[event]), 0);
        guest.raise(event).expect("there is one");
        assert_eq!(guest.handles(), Some(event));
        guest.call(EVENT_COMPLETE, &[0]);
        assert_eq!(guest.platform.resume, AT);

        // The guest has other vectors now.
        guest.platform = FakePlatform::new(4).answering(|_| Ok([0xffff_0000, 0, 0, 0]));
        guest.raise(event).expect("there is one");
        assert_eq!(guest.platform.resume.pc, 0xffff_0000 + OFFSET + 16 * event);
    }
}

#[test]
fn the_flag_says_nothing_of_the_route() {
    let mut guest = guest_with_vectors();
    assert_eq!(register(&mut guest, SHARED, TO_ONE), 0);
    assert_eq!(guest.call(EVENT_GET_INFO, &[SHARED, 3]), 1);
    let relative = [SHARED, TO_ANY, 0];
    assert_eq!(
        guest.call(EVENT_ROUTING_SET, &relative),
        -2,
        "no flag of this"
    );
    assert_eq!(guest.call(EVENT_ROUTING_SET, &[SHARED, 0, 0]), 0);
    assert_eq!(guest.call(EVENT_GET_INFO, &[SHARED, 3]), 0);
}

#[test]
fn the_vectors_themselves_are_a_place_for_a_handler() {
    let mut guest = guest_with_vectors();
    assert_eq!(guest.call(EVENT_REGISTER, &[0, 0, 0, TO_ANY, 0]), 0);
}

#[test]
fn a_platform_that_does_not_know_the_vectors_has_no_such_mode() {
    let mut guest = Guest::new();
    guest.platform = FakePlatform::new(4).answering(|_| Err(crate::Error::NotSupported));
    assert_eq!(guest.call(FEATURES, &[1]), 0);
    assert_eq!(register(&mut guest, 0, TO_ANY), -2);
    assert_eq!(guest.call(EVENT_STATUS, &[0]), 0);
}

#[test]
fn an_event_whose_handler_cannot_be_found_any_more_is_over() {
    let mut guest = guest_with_vectors();
    register(&mut guest, 0, TO_ANY);
    guest.call(EVENT_ENABLE, &[0]);
    guest.platform = FakePlatform::new(4).answering(|_| Err(crate::Error::InternalFailure));
    assert_eq!(guest.call(EVENT_SIGNAL, &[0, 0]), 0);
    assert_eq!(guest.handles(), None);
    assert_eq!(guest.call(EVENT_STATUS, &[0]), 3, "it does not run");
}
