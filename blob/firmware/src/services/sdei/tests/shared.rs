// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Shared events: one handler for all CPUs, on whichever the event goes to.

use super::*;

const TO_ANY: u64 = 0;
const TO_ONE: u64 = 1;

/// A guest with a handler for [`SHARED`] that goes somewhere, whose CPUs take events.
fn guest(flags: u64, affinity: u64) -> Guest {
    let mut guest = Guest::new();
    let register = [SHARED, HANDLER + 16 * SHARED, ARGUMENT, flags, affinity];
    assert_eq!(guest.call(EVENT_REGISTER, &register), 0);
    assert_eq!(guest.call(EVENT_ENABLE, &[SHARED]), 0);
    for cpu in 0..4 {
        guest.on(cpu).call(PE_UNMASK, &[]);
    }
    guest.on(0).interrupted();
    guest
}

#[test]
fn all_cpus_see_one_handler() {
    let mut guest = guest(TO_ANY, 0);
    assert_eq!(guest.on(3).call(EVENT_STATUS, &[SHARED]), 3);
    let again = [SHARED, HANDLER, 0, TO_ANY, 0];
    assert_eq!(guest.call(EVENT_REGISTER, &again), -3);
    assert_eq!(guest.call(PRIVATE_RESET, &[]), 0);
    assert_eq!(guest.on(0).call(EVENT_STATUS, &[SHARED]), 3);
    assert_eq!(guest.call(SHARED_RESET, &[]), 0);
    assert_eq!(guest.on(3).call(EVENT_STATUS, &[SHARED]), 0);
}

#[test]
fn any_cpu_takes_it_the_raising_one_first() {
    let mut guest = guest(TO_ANY, 0);
    assert_eq!(guest.on(2).raise(SHARED), Ok(()));
    assert_eq!(guest.handles(), Some(SHARED));
    assert_eq!(guest.interrupted(), [0; 0]);
    assert_eq!(
        guest.on(1).call(EVENT_STATUS, &[SHARED]),
        7,
        "there it runs"
    );
    assert_eq!(guest.call(EVENT_COMPLETE, &[0]), -3, "but not here");
    assert_eq!(guest.call(SHARED_RESET, &[]), -3);
    guest.on(2).call(EVENT_COMPLETE, &[0]);
    assert_eq!(guest.handles(), None);
}

#[test]
fn another_cpu_is_interrupted_if_this_one_cannot_take_it() {
    let mut guest = guest(TO_ANY, 0);
    for masked in [0, 1] {
        guest.on(masked).call(PE_MASK, &[]);
    }
    guest.on(0).raise(SHARED).expect("there is one");
    assert_eq!(guest.handles(), None);
    assert_eq!(guest.interrupted(), [2]);
    guest.on(2).interrupt();
    assert_eq!(guest.handles(), Some(SHARED));
}

#[test]
fn if_none_can_it_waits_for_the_first_that_can() {
    let mut guest = guest(TO_ANY, 0);
    for cpu in 0..4 {
        guest.on(cpu).call(PE_MASK, &[]);
    }
    guest.raise(SHARED).expect("there is one");
    assert_eq!(guest.interrupted(), [0; 0]);
    guest.on(1).call(PE_UNMASK, &[]);
    assert_eq!(guest.handles(), Some(SHARED));
}

#[test]
fn an_event_for_one_cpu_goes_there_and_nowhere_else() {
    let mut guest = guest(TO_ONE, 1 << 31 | 3);
    assert_eq!(guest.call(EVENT_GET_INFO, &[SHARED, 3]), 1);
    assert_eq!(guest.call(EVENT_GET_INFO, &[SHARED, 4]), 3);
    guest.raise(SHARED).expect("there is one");
    assert_eq!(guest.handles(), None);
    assert_eq!(guest.interrupted(), [3]);
    assert_eq!(guest.on(2).interrupt(), registers());
    guest.on(3).interrupt();
    assert_eq!(guest.handles(), Some(SHARED));
}

#[test]
fn an_event_is_routed_anew_while_it_is_disabled() {
    let mut guest = guest(TO_ANY, 0);
    assert_eq!(guest.call(EVENT_GET_INFO, &[SHARED, 3]), 0);
    assert_eq!(guest.call(EVENT_GET_INFO, &[SHARED, 4]), -2, "to any");
    let to_2 = [SHARED, TO_ONE, 2];
    assert_eq!(guest.call(EVENT_ROUTING_SET, &to_2), -3, "it is enabled");
    guest.call(EVENT_DISABLE, &[SHARED]);
    guest.raise(SHARED).expect("there is one");
    assert_eq!(guest.interrupted(), [0; 0]);
    for bad in [
        [0, TO_ONE, 2],
        [SHARED, 2, 2],
        [SHARED, TO_ONE, 9],
        [5, 0, 0],
    ] {
        assert_eq!(guest.call(EVENT_ROUTING_SET, &bad), -2, "{bad:?}");
    }
    assert_eq!(guest.call(EVENT_ROUTING_SET, &to_2), 0);
    guest.call(EVENT_ENABLE, &[SHARED]);
    assert_eq!(guest.interrupted(), [2], "what has waited goes there");
    guest.on(2).interrupt();
    assert_eq!(guest.handles(), Some(SHARED));
    assert_eq!(guest.call(EVENT_ROUTING_SET, &to_2), -3, "it runs");
}

#[test]
fn unregistering_from_another_cpu_lets_the_handler_end() {
    let mut guest = guest(TO_ANY, 0);
    guest.raise(SHARED).expect("there is one");
    assert_eq!(guest.on(1).call(EVENT_UNREGISTER, &[SHARED]), -5);
    assert_eq!(guest.call(EVENT_UNREGISTER, &[SHARED]), -5, "still");
    let anew = [SHARED, HANDLER, 0, TO_ANY, 0];
    assert_eq!(guest.call(EVENT_REGISTER, &anew), -3);
    guest.on(0).call(EVENT_COMPLETE, &[0]);
    assert_eq!(guest.on(1).call(EVENT_REGISTER, &anew), 0);
}

#[test]
fn a_shared_event_whose_cpu_goes_off_is_not_running_any_more() {
    let mut guest = guest(TO_ANY, 0);
    guest.raise(SHARED).expect("there is one");
    guest.power(PowerChange::Off);
    assert_eq!(guest.on(1).call(EVENT_STATUS, &[SHARED]), 3);
    guest.raise(SHARED).expect("there is one");
    assert_eq!(guest.handles(), Some(SHARED));
}

#[test]
fn a_shared_event_that_waits_for_a_cpu_that_goes_off_goes_to_another() {
    let mut guest = guest(TO_ANY, 0);
    guest.raise(SHARED).expect("there is one");
    guest.raise(SHARED).expect("there is one");
    guest.interrupted();
    guest.power(PowerChange::Off);
    assert_eq!(guest.interrupted(), [1]);
    guest.on(1).interrupt();
    assert_eq!(guest.handles(), Some(SHARED));
}

#[test]
fn a_handler_that_another_cpu_has_taken_over_is_not_taken_back() {
    let mut guest = guest(TO_ANY, 0);
    guest.raise(SHARED).expect("there is one");
    guest.power(PowerChange::Off);
    guest.on(1).raise(SHARED).expect("there is one");
    assert_eq!(guest.handles(), Some(SHARED));
    // The machine says no after all.
    guest.on(0).power(PowerChange::Refused);
    guest.call(EVENT_COMPLETE, &[0]);
    assert_eq!(
        guest.platform.resume, AT,
        "what it has interrupted is there"
    );
    assert_eq!(guest.call(EVENT_STATUS, &[SHARED]), 7, "it runs on CPU 1");
    guest.on(1).call(EVENT_COMPLETE, &[0]);
    assert_eq!(guest.call(EVENT_STATUS, &[SHARED]), 3);
}

#[test]
fn a_shared_critical_event_nests_in_a_shared_normal_one() {
    let mut guest = guest(TO_ANY, 0);
    guest.prepare(SHARED_CRITICAL);
    guest.raise(SHARED).expect("there is one");
    guest.raise(SHARED_CRITICAL).expect("there is one");
    assert_eq!(guest.handles(), Some(SHARED_CRITICAL));
    for _ in 0..2 {
        guest.call(EVENT_COMPLETE, &[0]);
        assert_eq!(guest.platform.resume, AT);
    }
    assert_eq!(guest.call(EVENT_COMPLETE, &[0]), -3);
}

#[test]
fn a_platform_that_cannot_interrupt_is_told() {
    let mut guest = guest(TO_ONE, 3);
    guest.platform = FakePlatform::new(4).answering(|_| Err(crate::Error::NotSupported));
    assert_eq!(guest.raise(SHARED), Err(Error::NotSupported));
}
