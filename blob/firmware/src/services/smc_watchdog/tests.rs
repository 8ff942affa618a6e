// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The watchdog on plain registers, with a clock that the test sets.

use fakemon_abi::frame::REGS;
use fakemon_abi::status::{DISABLED, INTERNAL_FAILURE, INVALID_PARAMETERS, NOT_SUPPORTED};
use std::cell::Cell;
use std::rc::Rc;

use super::*;
use crate::call::Trap;
use crate::context::Resume;
use crate::error::Error;
use crate::fake::{Asked, FakePlatform};
use fakemon_abi::{Conduit, Width};

const ID: FunctionId = FunctionId(0x8200_3d06);
const SECOND: u64 = NS_PER_SECOND;

/// A watchdog of 2 to 60 seconds, its platform, and the platform's clock.
struct Setup {
    watchdog: SmcWatchdog,
    platform: FakePlatform,
    clock: Rc<Cell<u64>>,
}

impl Setup {
    fn new() -> Self {
        let clock = Rc::new(Cell::new(5 * SECOND));
        let time = clock.clone();
        Setup {
            watchdog: SmcWatchdog::new(ID, 2, 60),
            platform: FakePlatform::new(1).answering(move |asked| match asked {
                Asked::Time => Ok([time.get(), 0, 0, 0]),
                Asked::Watchdog(_) => Ok([0; 4]),
                _ => Err(Error::NotSupported),
            }),
            clock,
        }
    }

    fn call(&mut self, what: u64, argument: u64) -> [u64; REGS] {
        let mut regs = [7; REGS];
        regs[..3].copy_from_slice(&[u64::from(ID.0), what, argument]);
        let trap = Trap {
            width: Width::AArch64,
            conduit: Conduit::Smc,
            immediate: 0,
        };
        let mut resume = Resume::default();
        let mut call = Call::new(&mut regs, trap, &mut resume, &mut self.platform);
        self.watchdog.handle(&mut call);
        assert_eq!(regs[3..], [7; REGS - 3]);
        regs
    }

    /// A call that succeeds and has no results.
    #[track_caller]
    fn does(&mut self, what: u64, argument: u64) {
        assert_eq!(self.call(what, argument)[..3], [0, what, argument]);
    }

    #[track_caller]
    fn refuses(&mut self, what: u64, argument: u64, code: i32) {
        let code = i64::from(code).cast_unsigned();
        assert_eq!(self.call(what, argument)[..3], [code, what, argument]);
    }

    #[track_caller]
    fn has_left(&mut self, seconds: u64) {
        assert_eq!(self.call(GET_TIMELEFT, 0)[..3], [0, seconds, 0]);
    }

    /// The limits that the platform was given since the last time.
    fn limits(&mut self) -> Vec<u64> {
        let asked = self.platform.asked.drain(..);
        asked
            .filter_map(|asked| match asked {
                Asked::Watchdog(ns) => Some(ns),
                _ => None,
            })
            .collect()
    }
}

#[test]
fn it_tells_its_limits_and_runs_only_when_started() {
    let mut setup = Setup::new();
    assert_eq!(setup.call(INIT, 0)[..3], [0, 2, 60]);
    setup.refuses(GET_TIMELEFT, 0, DISABLED);
    setup.does(SET_TIMEOUT, 10);
    setup.does(PET, 0);
    setup.refuses(GET_TIMELEFT, 0, DISABLED);
    assert_eq!(setup.limits(), [0], "nothing counts yet");
    setup.does(ENABLE, 1);
    assert_eq!(setup.limits(), [10 * SECOND]);
}

#[test]
fn the_time_left_counts_down_until_it_is_petted() {
    let mut setup = Setup::new();
    setup.does(SET_TIMEOUT, 10);
    setup.does(ENABLE, 1);
    setup.has_left(10);
    setup.clock.set(8 * SECOND + 1);
    setup.has_left(6);
    setup.does(PET, 0);
    setup.has_left(10);
    setup.clock.set(99 * SECOND);
    setup.has_left(0);
    assert_eq!(setup.limits(), [10 * SECOND, 10 * SECOND]);
}

#[test]
fn a_new_timeout_counts_from_now_on() {
    let mut setup = Setup::new();
    setup.does(ENABLE, 1);
    setup.clock.set(20 * SECOND);
    setup.does(SET_TIMEOUT, 3);
    setup.has_left(3);
    assert_eq!(setup.limits(), [60 * SECOND, 3 * SECOND]);
}

#[test]
fn it_stops() {
    let mut setup = Setup::new();
    setup.does(ENABLE, 1);
    setup.does(ENABLE, 0);
    setup.does(PET, 0);
    setup.refuses(GET_TIMELEFT, 0, DISABLED);
    assert_eq!(setup.limits(), [60 * SECOND, 0]);
}

#[test]
fn asking_for_the_limits_does_not_stop_it() {
    let mut setup = Setup::new();
    setup.does(ENABLE, 1);
    assert_eq!(setup.call(INIT, 0)[..3], [0, 2, 60]);
    assert_eq!(setup.limits(), [60 * SECOND]);
}

#[test]
fn what_it_cannot_do_is_refused_and_changes_nothing() {
    let mut setup = Setup::new();
    setup.does(ENABLE, 1);
    for seconds in [0, 1, 61, u64::from(u32::MAX)] {
        setup.refuses(SET_TIMEOUT, seconds, INVALID_PARAMETERS);
    }
    setup.refuses(ENABLE, 2, INVALID_PARAMETERS);
    setup.refuses(5, 0, INVALID_PARAMETERS);
    setup.refuses(0xffff_ffff, 0, INVALID_PARAMETERS);
    assert_eq!(setup.limits(), [60 * SECOND]);
    setup.has_left(60);
}

#[test]
fn a_host_that_cannot_count_is_found_at_init() {
    let mut setup = Setup::new();
    setup.platform = FakePlatform::new(1).answering(|_| Err(Error::NotSupported));
    setup.refuses(INIT, 0, NOT_SUPPORTED);
    setup.refuses(ENABLE, 1, INTERNAL_FAILURE);
    setup.refuses(GET_TIMELEFT, 0, DISABLED);
}

#[test]
fn it_owns_one_function() {
    let watchdog = Setup::new().watchdog;
    assert!(watchdog.owns(ID));
    assert!(!watchdog.owns(FunctionId(ID.0 + 1)));
}
