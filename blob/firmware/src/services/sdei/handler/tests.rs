// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The table of transitions, every state with every call.

use super::*;

const TO: Route = Route::Cpu(3);

fn at(address: u64) -> Entry {
    Entry {
        address,
        is_relative: false,
    }
}

/// The states (DEN 0054, 5.1.2), by how one gets there.
fn states() -> [(&'static str, Handler); 6] {
    let unregistered = Handler::NONE;
    let mut registered = unregistered;
    registered
        .register(at(0x8000), 7, TO)
        .expect("there is none");
    let mut enabled = registered;
    enabled.enable(true).expect("registered");
    let mut running = enabled;
    running.begin(0);
    let mut running_disabled = running;
    running_disabled.enable(false).expect("registered");
    let mut leaving = running;
    assert_eq!(leaving.unregister(), Err(Error::Pending));
    [
        ("unregistered", unregistered),
        ("registered", registered),
        ("enabled", enabled),
        ("running", running),
        ("running, disabled", running_disabled),
        ("running, unregistered", leaving),
    ]
}

/// Does the same in each of the states: what comes of it, and the status afterwards.
fn outcomes(call: impl Fn(&mut Handler) -> Result<(), Error>) -> [(Result<(), Error>, i32); 6] {
    states().map(|(_, mut handler)| {
        let outcome = call(&mut handler);
        (outcome, handler.status())
    })
}

const OK: Result<(), Error> = Ok(());
const DENIED: Result<(), Error> = Err(Error::Denied);
const PENDING: Result<(), Error> = Err(Error::Pending);

#[test]
fn the_status_is_registered_enabled_running() {
    assert_eq!(
        states().map(|(_, state)| state.status()),
        [0, 1, 3, 7, 5, 4]
    );
}

#[test]
fn only_an_event_without_a_handler_gets_one() {
    assert_eq!(
        outcomes(|handler| handler.register(at(0x9000), 8, Route::Any)),
        [
            (OK, 1),
            (DENIED, 1),
            (DENIED, 3),
            (DENIED, 7),
            (DENIED, 5),
            (DENIED, 4)
        ]
    );
}

#[test]
fn a_handler_is_enabled_and_disabled_even_while_it_runs() {
    assert_eq!(
        outcomes(|handler| handler.enable(true)),
        [(DENIED, 0), (OK, 3), (OK, 3), (OK, 7), (OK, 7), (DENIED, 4)]
    );
    assert_eq!(
        outcomes(|handler| handler.enable(false)),
        [(DENIED, 0), (OK, 1), (OK, 1), (OK, 5), (OK, 5), (DENIED, 4)]
    );
}

#[test]
fn a_handler_that_runs_is_unregistered_when_it_has_ended() {
    assert_eq!(
        outcomes(Handler::unregister),
        [
            (DENIED, 0),
            (OK, 0),
            (OK, 0),
            (PENDING, 4),
            (PENDING, 4),
            (PENDING, 4)
        ]
    );
    assert_eq!(
        outcomes(Handler::reset),
        [
            (OK, 0),
            (OK, 0),
            (OK, 0),
            (DENIED, 4),
            (DENIED, 4),
            (DENIED, 4)
        ]
    );
    let ended = states().map(|(_, mut handler)| {
        handler.end(0);
        handler.status()
    });
    assert_eq!(ended, [0, 1, 3, 3, 1, 0]);
}

#[test]
fn only_a_handler_that_is_disabled_and_idle_is_routed_anew() {
    assert_eq!(
        outcomes(|handler| handler.reroute(Route::Any)),
        [
            (DENIED, 0),
            (OK, 1),
            (DENIED, 3),
            (DENIED, 7),
            (DENIED, 5),
            (DENIED, 4)
        ]
    );
    let [_, (_, mut registered), ..] = states();
    assert_eq!(registered.route(), Ok(TO));
    registered.reroute(Route::Any).expect("registered");
    assert_eq!(registered.route(), Ok(Route::Any));
    assert_eq!(Handler::NONE.route(), Err(Error::Denied));
}

#[test]
fn an_event_is_due_where_it_goes_if_it_is_enabled_and_not_running() {
    for (name, mut state) in states() {
        assert!(!state.is_due(3), "{name}: it has not occurred");
        state.set_pending(true);
        assert_eq!(state.is_due(3), name == "enabled", "{name}");
        assert!(!state.is_due(2), "{name}: it goes elsewhere");
    }
}

#[test]
fn what_has_occurred_before_the_handler_is_nobodys() {
    let mut handler = Handler::NONE;
    handler.set_pending(true);
    handler
        .register(at(0x8000), 7, Route::Any)
        .expect("there is none");
    handler.enable(true).expect("registered");
    assert!(!handler.is_due(0));
    handler.set_pending(true);
    assert!(handler.is_due(0));
    assert_eq!(handler.begin(0), (at(0x8000), 7));
    assert!(!handler.is_due(0), "it is not delivered twice");
}
