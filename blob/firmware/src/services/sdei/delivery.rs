// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How an event comes to a CPU: it occurs, the CPU that takes it is found, and that is sent into the handler.

use fakemon_abi::mpidr;

use super::handler::Entry;
use super::interrupted::Interrupted;
use super::{Error, Sdei};
use crate::call::Call;
use crate::context::Context;
use crate::platform::{Platform, PowerState};

/// Where a handler begins on the calling CPU.
fn address(entry: Entry, platform: &mut dyn Platform) -> Result<u64, crate::Error> {
    let base = match entry.is_relative {
        true => platform.vector_base()?,
        false => 0,
    };
    Ok(base.wrapping_add(entry.address))
}

impl<const PRIVATE: usize, const SHARED: usize> Sdei<PRIVATE, SHARED> {
    /// Makes private event `index` occur on CPU number `target`.
    pub(super) fn raise_private(
        &self,
        platform: &mut dyn Platform,
        index: usize,
        target: u32,
    ) -> Result<(), Error> {
        let own = target == platform.cpu();
        if !own && platform.cpu_affinity(mpidr::kvm(target), 0)? != PowerState::On {
            return Err(Error::InvalidParameters);
        }
        let set = |pending| {
            self.state.with(|state| -> Result<(), Error> {
                state.handler(target, index)?.set_pending(pending);
                Ok(())
            })
        };
        set(true)?;
        if own {
            return Ok(());
        }
        platform.interrupt(mpidr::kvm(target)).map_err(|error| {
            // Nobody will come for it.
            let _ = set(false);
            error.into()
        })
    }

    /// Makes an event of the board's occur, in the course of a call or an interrupt: a private one on
    /// the calling CPU. The caller finds itself in the handler if it is the one to take the event.
    ///
    /// # Errors
    /// [`Error::InvalidParameters`] if there is no such event; what keeps the platform from
    /// interrupting the CPU that would take it.
    pub fn raise(&self, context: &mut Context<'_>, number: u32) -> Result<(), Error> {
        let index = self.find(number.into())?;
        let cpu = context.platform().cpu();
        self.state.with(|state| -> Result<(), Error> {
            state.arrive(cpu);
            state.handler(cpu, index)?.set_pending(true);
            Ok(())
        })?;
        self.interrupt(context);
        self.pass_on(context.platform())
    }

    /// Has each shared event that is due delivered by a CPU that can take it.
    pub(super) fn pass_on(&self, platform: &mut dyn Platform) -> Result<(), Error> {
        let cpus = platform.cpus();
        for index in PRIVATE..PRIVATE + SHARED {
            let priority = self.event(index).priority;
            let taker = self.state.with(|state| state.taker(index, priority, cpus));
            if let Some(cpu) = taker {
                platform.interrupt(mpidr::kvm(cpu))?;
            }
        }
        Ok(())
    }

    /// Sends the CPU into a handler if an event is due. A board does this where its firmware was
    /// entered without a call.
    pub fn interrupt(&self, context: &mut Context<'_>) {
        let cpu = context.platform().cpu();
        let interrupted = Interrupted::of(context);
        let events = |index| self.event(index);
        let due = self
            .state
            .with(|state| state.begin(cpu, &events, &interrupted));
        let Some((index, entry, argument)) = due else {
            return;
        };
        match address(entry, context.platform()) {
            Ok(entry) => interrupted.enter(context, self.event(index).number, entry, argument),
            // The platform has been able to tell when the handler was registered. Without an address there
            // is no handler to run.
            Err(_) => {
                let _ = self.state.with(|state| state.end(cpu));
            }
        }
    }

    /// Delivers what a call has made deliverable, here and elsewhere.
    pub(super) fn deliver(&self, call: &mut Call<'_>) {
        self.interrupt(call.context());
        // It is the platform that could not; the event stays pending.
        let _ = self.pass_on(call.platform());
    }
}
