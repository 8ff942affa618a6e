// SPDX-License-Identifier: Apache-2.0 OR MIT
//! All handlers of all CPUs, and which of them run where.
//!
//! Events are known by their index here: first the private ones, then the shared ones.

use fakemon_abi::layout::MAX_VCPUS;

use super::Error;
use super::event::{Event, Priority};
use super::handler::{Entry, Handler};
use super::interrupted::Interrupted;
use crate::power::PowerChange;

/// As many CPUs as a guest can have.
const CPUS: usize = MAX_VCPUS as usize;

/// A handler that runs on a CPU. There may be one of each priority.
#[derive(Clone, Copy, Debug)]
struct Running {
    active: bool,
    index: usize,
    interrupted: Interrupted,
}

/// Whether a CPU is about to lose something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    No = 0,
    /// Its registers, and with them what its handlers have interrupted.
    PowerDown,
    /// All that it has.
    Off,
}

/// One CPU. All zeros is how it comes out of reset, so that a machine full of them takes no room in
/// a blob's file.
#[derive(Clone, Copy, Debug)]
struct Cpu<const PRIVATE: usize> {
    /// Events are delivered.
    unmasked: bool,
    /// It has gone off, or into a power-down, and has not called since: what it loses by that is still
    /// here, as the machine may refuse.
    leaving: Leaving,
    private: [Handler; PRIVATE],
    /// By priority.
    running: [Running; 2],
}

impl<const PRIVATE: usize> Cpu<PRIVATE> {
    const NEW: Self = Cpu {
        unmasked: false,
        leaving: Leaving::No,
        private: [Handler::NONE; PRIVATE],
        running: [Running {
            active: false,
            index: 0,
            interrupted: Interrupted::NONE,
        }; 2],
    };

    /// The handler that runs and is not itself interrupted.
    fn innermost(&mut self) -> Option<&mut Running> {
        self.running.iter_mut().rev().find(|running| running.active)
    }

    /// Tells whether a handler of this priority could begin.
    fn takes(&self, priority: Priority) -> bool {
        let [normal, critical] = &self.running;
        let free = match priority {
            Priority::Normal => !normal.active && !critical.active,
            Priority::Critical => !critical.active,
        };
        self.unmasked && self.leaving == Leaving::No && free
    }
}

/// The state of SDEI in a machine.
#[derive(Debug)]
pub(super) struct State<const PRIVATE: usize, const SHARED: usize> {
    cpus: [Cpu<PRIVATE>; CPUS],
    shared: [Handler; SHARED],
}

impl<const PRIVATE: usize, const SHARED: usize> State<PRIVATE, SHARED> {
    /// Nothing is registered, and all CPUs are masked.
    pub(super) const NEW: Self = State {
        cpus: [Cpu::NEW; CPUS],
        shared: [Handler::NONE; SHARED],
    };

    /// The handler of event `index`, which for a private one is that of `cpu`.
    pub(super) fn handler(&mut self, cpu: u32, index: usize) -> Result<&mut Handler, Error> {
        let place = match index.checked_sub(PRIVATE) {
            Some(shared) => self.shared.get_mut(shared),
            None => self
                .cpus
                .get_mut(cpu as usize)
                .and_then(|cpu| cpu.private.get_mut(index)),
        };
        place.ok_or(Error::InvalidParameters)
    }

    /// Masks or unmasks `cpu`, and returns whether it was unmasked before.
    pub(super) fn unmask(&mut self, cpu: u32, unmasked: bool) -> Result<bool, Error> {
        let cpu = self.cpus.get_mut(cpu as usize).ok_or(Error::Denied)?;
        Ok(core::mem::replace(&mut cpu.unmasked, unmasked))
    }

    /// PRIVATE_RESET of `cpu`.
    pub(super) fn reset_private(&mut self, cpu: u32) -> Result<(), Error> {
        let cpu = self.cpus.get_mut(cpu as usize).ok_or(Error::Denied)?;
        reset(&mut cpu.private)
    }

    /// SHARED_RESET.
    pub(super) fn reset_shared(&mut self) -> Result<(), Error> {
        reset(&mut self.shared)
    }

    /// Begins the most urgent handler that is due on `cpu`: its event's index, entry and argument.
    /// `interrupted` is what it interrupts.
    pub(super) fn begin(
        &mut self,
        cpu: u32,
        events: &dyn Fn(usize) -> Event,
        interrupted: &Interrupted,
    ) -> Option<(usize, Entry, u64)> {
        self.arrive(cpu);
        for priority in [Priority::Critical, Priority::Normal] {
            if !self.cpus.get(cpu as usize)?.takes(priority) {
                continue;
            }
            for index in (0..PRIVATE + SHARED).filter(|&at| events(at).priority == priority) {
                let handler = self.handler(cpu, index).ok()?;
                if handler.is_due(cpu) {
                    let (entry, argument) = handler.begin(cpu);
                    let cpu = self.cpus.get_mut(cpu as usize)?;
                    cpu.running[priority as usize] = Running {
                        active: true,
                        index,
                        interrupted: *interrupted,
                    };
                    return Some((index, entry, argument));
                }
            }
        }
        None
    }

    /// Ends the handler that runs on `cpu`: what it has interrupted.
    pub(super) fn end(&mut self, cpu: u32) -> Option<Interrupted> {
        let running = self.cpus.get_mut(cpu as usize)?.innermost()?;
        running.active = false;
        let (index, interrupted) = (running.index, running.interrupted);
        if let Ok(handler) = self.handler(cpu, index) {
            handler.end(cpu);
        }
        Some(interrupted)
    }

    /// EVENT_CONTEXT of the handler that runs on `cpu`.
    pub(super) fn context(&mut self, cpu: u32, register: u64) -> Result<u64, Error> {
        let cpu = self.cpus.get_mut(cpu as usize).ok_or(Error::Denied)?;
        let running = cpu.innermost().ok_or(Error::Denied)?;
        let value = running.interrupted.register(register);
        value.ok_or(Error::InvalidParameters)
    }

    /// Finds the first of `cpus` CPUs on which event `index` would be delivered now.
    pub(super) fn taker(&mut self, index: usize, priority: Priority, cpus: u32) -> Option<u32> {
        (0..cpus).find(|&cpu| {
            let takes = self
                .cpus
                .get(cpu as usize)
                .is_some_and(|cpu| cpu.takes(priority));
            takes
                && self
                    .handler(cpu, index)
                    .is_ok_and(|handler| handler.is_due(cpu))
        })
    }

    /// The power of `cpu` changes. What it shares with others is free for them at once; what is its own
    /// goes when it is here [again](Self::arrive), since the machine may refuse.
    pub(super) fn power(&mut self, cpu: u32, change: PowerChange) {
        let Some(state) = self.cpus.get_mut(cpu as usize) else {
            return;
        };
        state.leaving = match change {
            PowerChange::Off => Leaving::Off,
            PowerChange::PowerDown => Leaving::PowerDown,
            PowerChange::Refused => Leaving::No,
        };
        let goes_on = state.leaving == Leaving::No;
        for running in state.running.iter().filter(|running| running.active) {
            let shared = running.index.checked_sub(PRIVATE);
            let Some(handler) = shared.and_then(|shared| self.shared.get_mut(shared)) else {
                continue;
            };
            match goes_on {
                true => handler.go_on(cpu),
                false => handler.end(cpu),
            }
        }
    }

    /// `cpu` is in the firmware, and so on: what it has lost meanwhile is gone now. After a power-down it is
    /// masked, and its handlers are registered.
    pub(super) fn arrive(&mut self, cpu: u32) {
        let Some(state) = self.cpus.get_mut(cpu as usize) else {
            return;
        };
        match state.leaving {
            Leaving::No => {}
            Leaving::PowerDown => {
                *state = Cpu {
                    private: state.private,
                    ..Cpu::NEW
                };
                for handler in &mut state.private {
                    handler.end(cpu);
                }
            }
            Leaving::Off => *state = Cpu::NEW,
        }
    }
}

/// Resets all of these, even if one of them runs.
fn reset(handlers: &mut [Handler]) -> Result<(), Error> {
    let mut done = Ok(());
    for handler in handlers {
        done = handler.reset().and(done);
    }
    done
}
