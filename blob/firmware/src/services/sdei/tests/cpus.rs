// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Several CPUs: events for others, and CPUs that go off.

use super::*;

/// A guest whose CPUs 0 and 1 have a handler for event 0.
fn two() -> Guest {
    let mut guest = Guest::ready();
    guest.on(1).prepare(0);
    guest.call(PE_UNMASK, &[]);
    guest.on(0).interrupted();
    guest
}

#[test]
fn a_signal_to_another_cpu_interrupts_it() {
    let mut guest = two();
    assert_eq!(guest.call(EVENT_SIGNAL, &[0, 1]), 0);
    assert_eq!(guest.handles(), None);
    assert_eq!(guest.interrupted(), [1]);
    let x = guest.on(1).interrupt();
    assert_eq!(x[..5], [0, ARGUMENT, AT.pc, AT.pstate, 0x104]);
    assert_eq!(guest.handles(), Some(0));
    assert_eq!(guest.call(EVENT_CONTEXT, &[0]), 0x100);
    assert_eq!(guest.x(EVENT_COMPLETE, &[0]), registers());
    assert_eq!(guest.platform.resume, AT);
}

#[test]
fn bits_of_an_mpidr_that_are_no_affinity_do_not_matter() {
    let mut guest = two();
    assert_eq!(guest.call(EVENT_SIGNAL, &[0, 1 << 31 | 1]), 0);
    assert_eq!(guest.interrupted(), [1]);
    for (event, target) in [(0, 4), (0, 0x100), (1, 0), (CRITICAL, 0)] {
        assert_eq!(guest.call(EVENT_SIGNAL, &[event, target]), -2);
    }
    assert_eq!(guest.interrupted(), [0; 0]);
}

#[test]
fn an_interrupt_for_no_reason_changes_nothing() {
    let mut guest = two();
    assert_eq!(guest.interrupt(), registers());
    assert_eq!(guest.platform.resume, AT);
}

#[test]
fn a_cpu_that_has_masked_its_events_takes_them_when_it_unmasks() {
    let mut guest = two();
    guest.on(1).call(PE_MASK, &[]);
    guest.on(0).call(EVENT_SIGNAL, &[0, 1]);
    assert_eq!(guest.on(1).interrupt(), registers());
    guest.call(PE_UNMASK, &[]);
    assert_eq!(guest.handles(), Some(0));
}

#[test]
fn a_signal_to_a_cpu_that_is_off_or_out_of_reach_is_told_and_lost() {
    for (answer, code) in [
        // It is off, or on its way.
        (Asked::CpuAffinity(1, 0), -2),
        (Asked::Interrupt(1), -1),
    ] {
        let mut guest = two();
        guest.platform = FakePlatform::new(4).answering(move |asked| match asked {
            Asked::Interrupt(_) if asked == answer => Err(crate::Error::NotSupported),
            Asked::CpuAffinity(..) if asked == answer => Ok([1, 0, 0, 0]),
            _ => Ok([0; 4]),
        });
        assert_eq!(guest.call(EVENT_SIGNAL, &[0, 1]), code);
        assert_eq!(guest.on(1).interrupt(), registers());
        assert_eq!(guest.handles(), None);
    }
}

/// CPU_OFF, which the platform here refuses.
const CPU_OFF: FunctionId = FunctionId(0x8400_0002);
/// SYSTEM_SUSPEND.
const SYSTEM_SUSPEND: FunctionId = FunctionId(0xc400_000e);
/// CPU_SUSPEND to a state that loses registers.
const CPU_SUSPEND: FunctionId = FunctionId(0xc400_0001);
const POWER_DOWN: u64 = 1 << 16;

#[test]
fn a_handler_that_switches_its_cpu_off_leaves_nothing() {
    let mut guest = two();
    guest.call(EVENT_SIGNAL, &[0, 0]);
    guest.call(EVENT_SIGNAL, &[0, 0]);
    guest.power(PowerChange::Off);
    // The CPU is on again.
    assert_eq!(guest.call(EVENT_COMPLETE, &[0]), -3);
    assert_eq!(guest.call(EVENT_STATUS, &[0]), 0);
    assert_eq!(guest.call(PRIVATE_RESET, &[]), 0);
    assert_eq!(guest.call(PE_MASK, &[]), 0, "it was masked");
    guest.prepare(0);
    guest.call(PE_UNMASK, &[]);
    assert_eq!(guest.handles(), None, "the second signal is gone as well");
    guest.call(EVENT_SIGNAL, &[0, 0]);
    assert_eq!(guest.handles(), Some(0));
    assert_eq!(guest.on(1).call(EVENT_STATUS, &[0]), 3, "another's stays");
}

#[test]
fn a_cpu_that_wakes_up_is_masked_and_has_its_handlers() {
    let mut guest = two();
    guest.call(EVENT_SIGNAL, &[0, 0]);
    guest.power(PowerChange::PowerDown);
    assert_eq!(guest.call(EVENT_STATUS, &[0]), 3, "it does not run");
    assert_eq!(guest.call(EVENT_COMPLETE, &[0]), -3);
    assert_eq!(guest.call(EVENT_SIGNAL, &[0, 0]), 0);
    assert_eq!(guest.handles(), None);
    assert_eq!(guest.call(PE_UNMASK, &[]), 0);
    assert_eq!(guest.handles(), Some(0));
}

#[test]
fn a_cpu_that_wakes_up_takes_nothing_before_it_unmasks() {
    let mut guest = two();
    guest.on(1).power(PowerChange::PowerDown);
    assert_eq!(guest.on(0).call(EVENT_SIGNAL, &[0, 1]), 0);
    assert_eq!(guest.on(1).interrupt(), registers());
    guest.call(PE_UNMASK, &[]);
    assert_eq!(guest.handles(), Some(0));
}

#[test]
fn a_cpu_whose_power_down_is_refused_goes_on_as_it_was() {
    for (id, args) in [
        (CPU_OFF, &[][..]),
        (CPU_SUSPEND, &[POWER_DOWN, HANDLER, 0]),
        (SYSTEM_SUSPEND, &[HANDLER, 0]),
    ] {
        let mut guest = two();
        // The last CPU that is on, but that others can be signalled.
        guest.platform = FakePlatform::new(4).answering(|asked| match asked {
            Asked::CpuAffinity(..) => Ok([1, 0, 0, 0]),
            _ => Ok([0; 4]),
        });
        guest.prepare_all();
        guest.raise(SHARED).expect("there is one");
        guest.raise(CRITICAL).expect("there is one");
        assert_eq!(guest.handles(), Some(CRITICAL));
        guest.call(EVENT_SIGNAL, &[0, 0]);
        assert!(guest.call(id, args) < 0, "{id:?}");
        // Both handlers run, what they have interrupted is there, and the signal still waits.
        for event in [CRITICAL, SHARED] {
            assert_eq!(guest.call(EVENT_STATUS, &[event]), 7, "{id:?}");
            guest.call(EVENT_COMPLETE, &[0]);
            assert_eq!(guest.call(EVENT_STATUS, &[event]), 3, "{id:?}");
        }
        assert_eq!(guest.call(EVENT_STATUS, &[0]), 7, "{id:?}: the signal");
        guest.call(EVENT_COMPLETE, &[0]);
        assert_eq!(guest.call(PE_MASK, &[]), 1, "{id:?}: it was not masked");
    }
}

#[test]
fn a_standby_changes_nothing() {
    let mut guest = two();
    guest.call(CPU_SUSPEND, &[0, 0, 0]);
    assert_eq!(guest.call(PE_MASK, &[]), 1, "it was not masked");
}

#[test]
fn as_many_cpus_as_a_guest_can_have_have_handlers() {
    let mut guest = Guest::new();
    guest.platform = FakePlatform::new(512);
    guest.on(511).prepare(0);
    guest.call(PE_UNMASK, &[]);
    assert_eq!(guest.on(0).call(EVENT_SIGNAL, &[0, 0x1f0f]), 0);
    assert_eq!(guest.interrupted(), [0x1f0f]);
    guest.on(511).interrupt();
    assert_eq!(guest.handles(), Some(0));
}
