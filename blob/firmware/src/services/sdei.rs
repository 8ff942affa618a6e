// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Software Delegated Exception Interface 1.1 (Arm DEN 0054): firmware that interrupts the guest
//! even where the guest has masked its interrupts.
//!
//! The guest registers a handler for an event. When the event occurs, the CPU leaves what it was
//! doing and runs the handler, with everything masked; the handler tells the firmware that it is
//! done, and the firmware puts the CPU back. Every SDEI has event 0, which is private to each CPU and
//! signalled by a call; a board may define others and raise them by [`Sdei::raise`].
//!
//! An event for the calling CPU is delivered by the return of the call that makes it deliverable. For
//! one that another CPU takes, that CPU is [interrupted](crate::Platform::interrupt), and delivers it
//! by the return from there. An event stays pending while its handler is disabled or runs, and while
//! its CPU is masked; one that occurs before there is a handler is lost. So is a signal to a CPU that
//! is off, whose sender is told by INVALID_PARAMETERS, the one code that DEN 0054 has for it.
//!
//! A shared event goes to any CPU or to one (routing modes RM_ANY and RM_PE). A handler of either kind of
//! event is registered by its address or, in relative mode, by its offset from the vectors of the CPU that
//! takes the event (VBAR_EL1), which is what version 1.1 has over 1.0.
//!
//! Not here: interrupts as events, which would take the interrupt controller away from the guest. There
//! are no slots for them (feature 0), and INTERRUPT_BIND says so.

use fakemon_abi::mpidr;

use crate::call::Call;
use crate::error::Code;
use crate::function_id::{FunctionId, functions, owner};
use crate::lock::Lock;
use crate::platform::Platform;
use crate::power::PowerChange;
use crate::service::Service;

mod delivery;
mod event;
mod handler;
mod interrupted;
mod state;

pub use event::{Event, Priority};
use handler::{Entry, Handler, Route};
use state::State;

// DEN 0054, 5.1; all of the 64-bit convention.
functions! {
    "SDEI_", fast64, owner::STANDARD;
    /// Version of SDEI.
    VERSION = 0x20, Query;
    /// Gives an event a handler.
    EVENT_REGISTER = 0x21, Action;
    /// Lets an event be delivered.
    EVENT_ENABLE = 0x22, Action;
    /// Keeps an event from being delivered.
    EVENT_DISABLE = 0x23, Action;
    /// A register of what a handler has interrupted.
    EVENT_CONTEXT = 0x24, Action;
    /// Ends a handler: the CPU goes on where it was.
    EVENT_COMPLETE = 0x25, Action;
    /// Ends a handler: the CPU takes what looks like an exception, to an address of its choice.
    EVENT_COMPLETE_AND_RESUME = 0x26, Action;
    /// Takes an event's handler away.
    EVENT_UNREGISTER = 0x27, Action;
    /// State of an event.
    EVENT_STATUS = 0x28, Query;
    /// What kind of event one is.
    EVENT_GET_INFO = 0x29, Query;
    /// Routes a shared event.
    EVENT_ROUTING_SET = 0x2a, Action;
    /// Keeps all events from the calling CPU.
    PE_MASK = 0x2b, Action;
    /// Lets events come to the calling CPU.
    PE_UNMASK = 0x2c, Action;
    /// Makes an event of an interrupt.
    INTERRUPT_BIND = 0x2d, Action;
    /// Makes an interrupt of an event again.
    INTERRUPT_RELEASE = 0x2e, Action;
    /// Signals event 0 to a CPU.
    EVENT_SIGNAL = 0x2f, Action;
    /// What this implementation can do.
    FEATURES = 0x30, Query;
    /// Takes the handlers of all private events of the calling CPU away.
    PRIVATE_RESET = 0x31, Action;
    /// Takes the handlers of all shared events away.
    SHARED_RESET = 0x32, Action;
}

/// Version 1.1 of vendor 0.
const VERSION_1_1: u64 = 1 << 48 | 1 << 32;
/// Flags of a shared event, RM_ANY and RM_PE: it goes to any CPU, or to one.
const ROUTE_ANY: u64 = 0;
const ROUTE_CPU: u64 = 1;
/// Flag of EVENT_REGISTER: the entry point is relative to VBAR_EL1.
const RELATIVE: u64 = 1 << 1;
/// FEATURES: how many interrupts can be bound, and whether there is [`RELATIVE`].
const BIND_SLOTS: u64 = 0;
const RELATIVE_MODE: u64 = 1;
/// Handlers are A64 code.
const ENTRY_ALIGN: u64 = 4;

/// Why a call is refused (DEN 0054, 5.1.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Error {
    /// There is no such function.
    NotSupported = -1,
    /// An argument is out of range.
    InvalidParameters = -2,
    /// Not in this state.
    Denied = -3,
    /// The event is still being handled.
    Pending = -5,
    /// No room for what was asked.
    OutOfResource = -10,
}

impl Code for Error {
    fn code(&self) -> i32 {
        *self as i32
    }
}

impl From<crate::Error> for Error {
    fn from(error: crate::Error) -> Self {
        match error {
            crate::Error::NotSupported => Error::NotSupported,
            crate::Error::InvalidParameters => Error::InvalidParameters,
            _ => Error::Denied,
        }
    }
}

/// The SDEI service of a machine whose CPUs have the MPIDRs that KVM gives them.
#[derive(Debug)]
pub struct Sdei<const PRIVATE: usize = 1, const SHARED: usize = 0> {
    private: [Event; PRIVATE],
    shared: [Event; SHARED],
    state: Lock<State<PRIVATE, SHARED>>,
}

impl Default for Sdei {
    fn default() -> Self {
        Sdei::new()
    }
}

impl Sdei {
    /// SDEI with event 0 alone, as it comes out of reset: nothing registered, all CPUs masked.
    pub const fn new() -> Self {
        Sdei::with_events([Event::SOFTWARE_SIGNALLED], [])
    }
}

impl<const PRIVATE: usize, const SHARED: usize> Sdei<PRIVATE, SHARED> {
    /// SDEI with these private events, of which event 0 is the first, and these shared ones.
    ///
    /// # Panics
    /// If event 0 is not the first private one. In a board's constant that is a compile error.
    pub const fn with_events(private: [Event; PRIVATE], shared: [Event; SHARED]) -> Self {
        assert!(PRIVATE > 0 && private[0].number == 0, "event 0 comes first");
        Sdei {
            private,
            shared,
            state: Lock::new(State::NEW),
        }
    }

    /// The event of `index`, which is one that [`Sdei::find`] has found.
    fn event(&self, index: usize) -> Event {
        match index.checked_sub(PRIVATE) {
            Some(shared) => self.shared[shared],
            None => self.private[index],
        }
    }

    /// Finds an event by its number.
    fn find(&self, number: u64) -> Result<usize, Error> {
        (0..PRIVATE + SHARED)
            .find(|&index| u64::from(self.event(index).number) == number)
            .ok_or(Error::InvalidParameters)
    }

    /// Does something with the handler of the event that x1 names, as the calling CPU sees it.
    fn handler<R>(
        &self,
        call: &mut Call<'_>,
        work: impl FnOnce(&mut Handler) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let index = self.find(call.arg(1))?;
        let cpu = call.platform().cpu();
        self.state.with(|state| work(state.handler(cpu, index)?))
    }

    /// EVENT_REGISTER(event, entry, argument, flags, affinity).
    fn register(&self, call: &mut Call<'_>) -> Result<(), Error> {
        let (address, argument, flags) = (call.arg(2), call.arg(3), call.arg(4));
        let is_relative = flags & RELATIVE != 0;
        let is_entry = address != 0 || is_relative;
        if !is_entry || !address.is_multiple_of(ENTRY_ALIGN) {
            return Err(Error::InvalidParameters);
        }
        if is_relative && !has_relative_mode(call) {
            return Err(Error::InvalidParameters);
        }
        let entry = Entry {
            address,
            is_relative,
        };
        let route = route(flags & !RELATIVE, call.arg(5), call.platform().cpus())?;
        let is_shared = self.find(call.arg(1))? >= PRIVATE;
        // A private event has nowhere else to go.
        let route = if is_shared { route } else { Route::Any };
        self.handler(call, |handler| handler.register(entry, argument, route))
    }

    /// EVENT_ROUTING_SET(event, flags, affinity), of a shared event.
    fn reroute(&self, call: &mut Call<'_>) -> Result<(), Error> {
        let route = route(call.arg(2), call.arg(3), call.platform().cpus())?;
        self.shared(call.arg(1))?;
        self.handler(call, |handler| handler.reroute(route))
    }

    fn shared(&self, number: u64) -> Result<(), Error> {
        if self.find(number)? < PRIVATE {
            return Err(Error::InvalidParameters);
        }
        Ok(())
    }

    /// EVENT_GET_INFO(event, what).
    fn info(&self, call: &mut Call<'_>) -> Result<u64, Error> {
        let index = self.find(call.arg(1))?;
        let is_shared = index >= PRIVATE;
        match call.arg(2) {
            // Type.
            0 => Ok(is_shared.into()),
            // Signalled by software: event 0 alone.
            1 => Ok((self.event(index).number == 0).into()),
            2 => Ok(self.event(index).priority as u64),
            // Routing.
            what @ (3 | 4) => {
                self.shared(call.arg(1))?;
                match (what, self.handler(call, |handler| handler.route())?) {
                    (3, Route::Any) => Ok(ROUTE_ANY),
                    (3, Route::Cpu(_)) => Ok(ROUTE_CPU),
                    (_, Route::Cpu(cpu)) => Ok(mpidr::kvm(cpu)),
                    (_, Route::Any) => Err(Error::InvalidParameters),
                }
            }
            _ => Err(Error::InvalidParameters),
        }
    }

    /// EVENT_SIGNAL(event, MPIDR).
    fn signal(&self, call: &mut Call<'_>) -> Result<(), Error> {
        let (event, target) = (call.arg(1), call.arg(2));
        let platform = call.platform();
        let target = mpidr::number(target, platform.cpus()).ok_or(Error::InvalidParameters)?;
        if event != u64::from(Event::SOFTWARE_SIGNALLED.number) {
            return Err(Error::InvalidParameters);
        }
        self.raise_private(platform, 0, target)
    }

    /// EVENT_CONTEXT: x0 to x17 of what was interrupted.
    fn context(&self, call: &mut Call<'_>) -> Result<u64, Error> {
        let (cpu, register) = (call.platform().cpu(), call.arg(1));
        self.state.with(|state| state.context(cpu, register))
    }

    /// Ends the handler of the calling CPU; a call without one has no effect.
    fn complete(&self, call: &mut Call<'_>) {
        let cpu = call.platform().cpu();
        let Some(interrupted) = self.state.with(|state| state.end(cpu)) else {
            return call.answer(Error::Denied);
        };
        let elsewhere = (call.id() == EVENT_COMPLETE_AND_RESUME).then(|| call.arg(1));
        interrupted.restore(call.context(), elsewhere);
    }
}

/// Tells whether the platform knows where the caller's vectors are.
fn has_relative_mode(call: &mut Call<'_>) -> bool {
    call.platform().vector_base().is_ok()
}

/// Where the flags and the affinity of a call send a shared event, of a machine with so many CPUs.
fn route(flags: u64, affinity: u64, cpus: u32) -> Result<Route, Error> {
    match flags {
        ROUTE_ANY => Ok(Route::Any),
        ROUTE_CPU => mpidr::number(affinity, cpus)
            .map(Route::Cpu)
            .ok_or(Error::InvalidParameters),
        _ => Err(Error::InvalidParameters),
    }
}

impl<const PRIVATE: usize, const SHARED: usize> Service for Sdei<PRIVATE, SHARED> {
    fn owns(&self, id: FunctionId) -> bool {
        // DEN 0054 reserves 32 numbers.
        id == FunctionId::fast64(owner::STANDARD, id.number())
            && (0x20..=0x3f).contains(&id.number())
    }

    fn handle(&self, call: &mut Call<'_>) {
        let cpu = call.platform().cpu();
        self.state.with(|state| state.arrive(cpu));
        let done: Result<u64, Error> = match call.id() {
            VERSION => Ok(VERSION_1_1),
            EVENT_REGISTER => self.register(call).map(|()| 0),
            EVENT_ENABLE => self
                .handler(call, |handler| handler.enable(true))
                .map(|()| 0),
            EVENT_DISABLE => self
                .handler(call, |handler| handler.enable(false))
                .map(|()| 0),
            EVENT_UNREGISTER => self.handler(call, Handler::unregister).map(|()| 0),
            EVENT_STATUS => self.handler(call, |handler| Ok(handler.status() as u64)),
            EVENT_GET_INFO => self.info(call),
            EVENT_CONTEXT => self.context(call),
            EVENT_ROUTING_SET => self.reroute(call).map(|()| 0),
            EVENT_COMPLETE | EVENT_COMPLETE_AND_RESUME => {
                self.complete(call);
                return self.deliver(call);
            }
            // There is no event to make of an interrupt.
            INTERRUPT_BIND => Err(Error::OutOfResource),
            INTERRUPT_RELEASE => Err(Error::InvalidParameters),
            // 1 if this had an effect.
            PE_MASK => self
                .state
                .with(|state| state.unmask(cpu, false))
                .map(u64::from),
            PE_UNMASK => self.state.with(|state| state.unmask(cpu, true)).map(|_| 0),
            EVENT_SIGNAL => self.signal(call).map(|()| 0),
            FEATURES => match call.arg(1) {
                BIND_SLOTS => Ok(0),
                RELATIVE_MODE => Ok(has_relative_mode(call).into()),
                _ => Err(Error::InvalidParameters),
            },
            PRIVATE_RESET => self
                .state
                .with(|state| state.reset_private(cpu))
                .map(|()| 0),
            SHARED_RESET => self.state.with(State::reset_shared).map(|()| 0),
            _ => Err(Error::NotSupported),
        };
        match done {
            Ok(value) => call.set(0, value),
            Err(error) => call.answer(error),
        }
        self.deliver(call);
    }

    fn cpu_power(&self, platform: &mut dyn Platform, change: PowerChange) {
        let cpu = platform.cpu();
        self.state.with(|state| state.power(cpu, change));
        // A shared event that this CPU had taken may have occurred again, and is another's now. If it
        // is the platform that cannot tell that CPU, the event stays pending.
        let _ = self.pass_on(platform);
    }
}

#[cfg(test)]
mod tests;
