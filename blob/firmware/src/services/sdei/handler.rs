// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The states of an event's handler (DEN 0054, 5.1.2 "Event handler states"): of a private event one
//! for each CPU, of a shared event one for all.

use super::Error;

/// Where a shared event goes (EVENT_REGISTER, flags).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// To any CPU that can take it.
    Any,
    /// To the CPU of this number.
    Cpu(u32),
}

/// Where a handler begins (EVENT_REGISTER, entry point and flags).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) address: u64,
    /// The address is an offset from where the vectors are of the CPU that takes the event, when it does.
    pub(super) is_relative: bool,
}

/// A handler and what it is doing. All zeros is one that there is not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handler {
    registered: bool,
    enabled: bool,
    /// The event has occurred and was not delivered yet.
    pending: bool,
    entry: Entry,
    argument: u64,
    /// The number of the CPU that a shared event goes to plus 1; 0 is any.
    route: u32,
    /// The number of the CPU that it runs on plus 1; 0 is none.
    runs_on: u32,
}

impl Handler {
    pub(super) const NONE: Handler = Handler {
        registered: false,
        enabled: false,
        pending: false,
        entry: Entry {
            address: 0,
            is_relative: false,
        },
        argument: 0,
        route: 0,
        runs_on: 0,
    };

    /// EVENT_REGISTER. What has occurred before is nobody's.
    pub(super) fn register(&mut self, entry: Entry, argument: u64, to: Route) -> Result<(), Error> {
        if self.registered || self.is_running() {
            return Err(Error::Denied);
        }
        *self = Handler {
            registered: true,
            entry,
            argument,
            ..Handler::NONE
        };
        self.set_route(to);
        Ok(())
    }

    /// EVENT_ENABLE and EVENT_DISABLE.
    pub(super) fn enable(&mut self, enabled: bool) -> Result<(), Error> {
        if !self.registered {
            return Err(Error::Denied);
        }
        self.enabled = enabled;
        Ok(())
    }

    /// EVENT_UNREGISTER. A handler that runs does so to its end, and is nobody's then.
    pub(super) fn unregister(&mut self) -> Result<(), Error> {
        let (registered, running) = (self.registered, self.is_running());
        *self = Handler {
            runs_on: self.runs_on,
            ..Handler::NONE
        };
        match (registered, running) {
            (_, true) => Err(Error::Pending),
            (true, false) => Ok(()),
            (false, false) => Err(Error::Denied),
        }
    }

    /// PRIVATE_RESET and SHARED_RESET, of one event.
    pub(super) fn reset(&mut self) -> Result<(), Error> {
        match self.unregister() {
            Err(Error::Pending) => Err(Error::Denied),
            _ => Ok(()),
        }
    }

    /// EVENT_ROUTING_SET.
    pub(super) fn reroute(&mut self, to: Route) -> Result<(), Error> {
        if !self.registered || self.enabled || self.is_running() {
            return Err(Error::Denied);
        }
        self.set_route(to);
        Ok(())
    }

    fn set_route(&mut self, to: Route) {
        self.route = match to {
            Route::Any => 0,
            Route::Cpu(cpu) => cpu + 1,
        };
    }

    /// Where the event goes, if it has a handler.
    pub(super) fn route(&self) -> Result<Route, Error> {
        match (self.registered, self.route.checked_sub(1)) {
            (false, _) => Err(Error::Denied),
            (true, None) => Ok(Route::Any),
            (true, Some(cpu)) => Ok(Route::Cpu(cpu)),
        }
    }

    /// EVENT_STATUS: bit 0 registered, 1 enabled, 2 running.
    pub(super) fn status(&self) -> i32 {
        i32::from(self.registered)
            | i32::from(self.enabled) << 1
            | i32::from(self.is_running()) << 2
    }

    fn is_running(&self) -> bool {
        self.runs_on != 0
    }

    /// The event has occurred, or has not after all.
    pub(super) fn set_pending(&mut self, pending: bool) {
        self.pending = pending;
    }

    /// Tells whether CPU number `cpu` is to run the handler as soon as it can.
    pub(super) fn is_due(&self, cpu: u32) -> bool {
        let here = self.route == 0 || self.route == cpu + 1;
        self.pending && self.enabled && !self.is_running() && here
    }

    /// The handler begins on CPU number `cpu`: its entry and argument.
    pub(super) fn begin(&mut self, cpu: u32) -> (Entry, u64) {
        self.pending = false;
        self.runs_on = cpu + 1;
        (self.entry, self.argument)
    }

    /// The handler has ended on CPU number `cpu`, if that is where it runs.
    pub(super) fn end(&mut self, cpu: u32) {
        if self.runs_on == cpu + 1 {
            self.runs_on = 0;
        }
    }

    /// The handler goes on on CPU number `cpu`, on which it had not ended after all. If another has begun
    /// it meanwhile, it is that one's.
    pub(super) fn go_on(&mut self, cpu: u32) {
        if !self.is_running() {
            self.runs_on = cpu + 1;
        }
    }
}

#[cfg(test)]
mod tests;
