// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a handler has interrupted, and the way there and back.

use fakemon_abi::frame::REGS;

use crate::context::{Context, Resume};

/// PSTATE of a handler: EL1 on its own stack, D, A, I and F masked (DEN 0054, 4.2.1).
const HANDLER: u64 = 0x3c5;

/// The part of a CPU's state that a handler does not keep itself: x0 to x17, PC, PSTATE.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interrupted {
    x: [u64; REGS],
    at: Resume,
}

impl Interrupted {
    /// Nothing.
    pub(super) const NONE: Interrupted = Interrupted {
        x: [0; REGS],
        at: Resume { pc: 0, pstate: 0 },
    };

    /// The CPU as it would go on now.
    pub(super) fn of(context: &mut Context<'_>) -> Self {
        Interrupted {
            x: core::array::from_fn(|n| context.register(n)),
            at: *context.resume(),
        }
    }

    /// EVENT_CONTEXT: a register.
    pub(super) fn register(&self, register: u64) -> Option<u64> {
        let register = usize::try_from(register).ok()?;
        self.x.get(register).copied()
    }

    /// Sends the CPU into the handler (DEN 0054, 4.2.1).
    pub(super) fn enter(&self, context: &mut Context<'_>, event: u32, entry: u64, argument: u64) {
        let Resume { pc, pstate } = self.at;
        for (n, value) in [event.into(), argument, pc, pstate].into_iter().enumerate() {
            context.set(n, value);
        }
        *context.resume() = Resume {
            pc: entry,
            pstate: HANDLER,
        };
    }

    /// Puts the CPU back to where it was, or has it take an exception there to address `elsewhere`.
    pub(super) fn restore(&self, context: &mut Context<'_>, elsewhere: Option<u64>) {
        for (n, value) in self.x.into_iter().enumerate() {
            context.set(n, value);
        }
        let Resume { pc, pstate } = self.at;
        *context.resume() = match elsewhere {
            None => self.at,
            Some(entry) => {
                // Only AArch32 callers are refused, and they do not reach SDEI.
                let _ = context.platform().set_exception(pc, pstate);
                Resume {
                    pc: entry,
                    pstate: HANDLER,
                }
            }
        };
    }
}
