// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Event 0 on one CPU, and what its handler has interrupted.

use fakemon_abi::frame::REGS;
use fakemon_abi::status::{DENIED, INVALID_PARAMETERS, SUCCESS};

use super::PENDING;
use crate::call::{Call, Resume};

/// PSTATE of a handler: EL1 on its own stack, D, A, I and F masked (DEN 0054, 4.2.1).
const HANDLER: u64 = 0x3c5;

/// The state of one CPU.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cpu {
    /// No event is delivered.
    pub(super) masked: bool,
    /// The event has occurred and was not delivered yet.
    pub(super) pending: bool,
    /// Entry and argument of the handler.
    handler: Option<(u64, u64)>,
    enabled: bool,
    /// What the handler that runs has interrupted.
    running: Option<Interrupted>,
    /// The handler is taken away when it has run to its end.
    unregister: bool,
}

impl Cpu {
    pub(super) const NEW: Cpu = Cpu {
        masked: true,
        pending: false,
        handler: None,
        enabled: false,
        running: None,
        unregister: false,
    };

    pub(super) fn register(&mut self, entry: u64, argument: u64) -> i32 {
        if self.handler.is_some() {
            return DENIED;
        }
        self.handler = Some((entry, argument));
        SUCCESS
    }

    pub(super) fn enable(&mut self, enabled: bool) -> i32 {
        if self.handler.is_none() || self.unregister {
            return DENIED;
        }
        self.enabled = enabled;
        SUCCESS
    }

    pub(super) fn unregister(&mut self) -> i32 {
        if self.handler.is_none() {
            return DENIED;
        }
        self.enabled = false;
        if self.running.is_some() {
            self.unregister = true;
            return PENDING;
        }
        self.forget();
        SUCCESS
    }

    /// PRIVATE_RESET.
    pub(super) fn reset(&mut self) -> i32 {
        if self.handler.is_none() {
            return SUCCESS;
        }
        self.unregister()
    }

    /// Bit 0 registered, 1 enabled, 2 running.
    pub(super) fn status(&self) -> i32 {
        let registered = self.handler.is_some() && !self.unregister;
        i32::from(registered)
            | i32::from(self.enabled) << 1
            | i32::from(self.running.is_some()) << 2
    }

    pub(super) fn context(&self, register: u64) -> Result<u64, i32> {
        let running = self.running.as_ref().ok_or(DENIED)?;
        let register = usize::try_from(register).ok();
        register
            .and_then(|register| running.x.get(register))
            .copied()
            .ok_or(INVALID_PARAMETERS)
    }

    /// Begins to handle the event if it is due: entry and argument of the handler.
    pub(super) fn begin(&mut self, interrupted: Interrupted) -> Option<(u64, u64)> {
        let due = self.pending && self.enabled && !self.masked && self.running.is_none();
        let handler = self.handler.filter(|_| due)?;
        self.pending = false;
        self.running = Some(interrupted);
        Some(handler)
    }

    /// Ends the handler that runs: what it has interrupted.
    pub(super) fn complete(&mut self) -> Option<Interrupted> {
        let interrupted = self.running.take()?;
        if self.unregister {
            self.forget();
        }
        Some(interrupted)
    }

    fn forget(&mut self) {
        *self = Cpu {
            masked: self.masked,
            ..Cpu::NEW
        };
    }
}

/// The part of a CPU's state that a handler does not keep itself: x0 to x17, PC, PSTATE.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interrupted {
    x: [u64; REGS],
    at: Resume,
}

impl Interrupted {
    /// The caller as it would go on now.
    pub(super) fn of(call: &mut Call<'_>) -> Self {
        Interrupted {
            x: core::array::from_fn(|n| call.register(n)),
            at: *call.resume(),
        }
    }

    /// Sends the caller into the handler (DEN 0054, 4.2.1).
    pub(super) fn enter(&self, call: &mut Call<'_>, entry: u64, event: u64, argument: u64) {
        let Resume { pc, pstate } = self.at;
        for (n, value) in [event, argument, pc, pstate].into_iter().enumerate() {
            call.set(n, value);
        }
        *call.resume() = Resume {
            pc: entry,
            pstate: HANDLER,
        };
    }

    /// Puts the caller back to where it was, or has it take an exception there to address
    /// `elsewhere`.
    pub(super) fn restore(&self, call: &mut Call<'_>, elsewhere: Option<u64>) {
        for (n, value) in self.x.into_iter().enumerate() {
            call.set(n, value);
        }
        let Resume { pc, pstate } = self.at;
        *call.resume() = match elsewhere {
            None => self.at,
            Some(entry) => {
                // Only AArch32 callers are refused, and they do not reach SDEI.
                let _ = call.platform().set_exception(pc, pstate);
                Resume {
                    pc: entry,
                    pstate: HANDLER,
                }
            }
        };
    }
}
