// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Software Delegated Exception Interface 1.0 (Arm DEN 0054): firmware that interrupts the guest
//! even where the guest has masked its interrupts.
//!
//! The guest registers a handler for an event. When the event occurs, the CPU leaves what it was
//! doing and runs the handler, with everything masked; the handler tells the firmware that it is
//! done, and the firmware puts the CPU back. There is one event here, number 0, which every SDEI
//! has: private to each CPU and signalled by software.
//!
//! A blob is entered by calls alone. An event for the calling CPU is delivered by the return of the
//! call that makes it deliverable. One that is signalled to another CPU waits for that CPU's next
//! call of SDEI.

use fakemon_abi::status::{DENIED, INVALID_PARAMETERS, NOT_SUPPORTED, SUCCESS};

use crate::call::Call;
use crate::function_id::{FunctionId, owner};
use crate::lock::PerCpu;
use crate::service::Service;
use crate::services::psci::kvm_mpidr;

mod cpu;

use cpu::Cpu;

/// Defines the function IDs (DEN 0054, 5.1), all of the 64-bit convention.
macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        $($(#[$doc])* pub const $name: FunctionId = FunctionId::fast64(owner::STANDARD, $number);)*
    };
}

functions! {
    /// Version of SDEI.
    VERSION = 0x20;
    /// Gives an event a handler.
    EVENT_REGISTER = 0x21;
    /// Lets an event be delivered.
    EVENT_ENABLE = 0x22;
    /// Keeps an event from being delivered.
    EVENT_DISABLE = 0x23;
    /// A register of what a handler has interrupted.
    EVENT_CONTEXT = 0x24;
    /// Ends a handler: the CPU goes on where it was.
    EVENT_COMPLETE = 0x25;
    /// Ends a handler: the CPU takes what looks like an exception, to an address of its choice.
    EVENT_COMPLETE_AND_RESUME = 0x26;
    /// Takes an event's handler away.
    EVENT_UNREGISTER = 0x27;
    /// State of an event.
    EVENT_STATUS = 0x28;
    /// What kind of event one is.
    EVENT_GET_INFO = 0x29;
    /// Routes a shared event.
    EVENT_ROUTING_SET = 0x2a;
    /// Keeps all events from the calling CPU.
    PE_MASK = 0x2b;
    /// Lets events come to the calling CPU.
    PE_UNMASK = 0x2c;
    /// Makes an event of an interrupt.
    INTERRUPT_BIND = 0x2d;
    /// Makes an interrupt of an event again.
    INTERRUPT_RELEASE = 0x2e;
    /// Signals event 0 to a CPU.
    EVENT_SIGNAL = 0x2f;
    /// What this implementation can do.
    FEATURES = 0x30;
    /// Takes the handlers of all private events of the calling CPU away.
    PRIVATE_RESET = 0x31;
    /// Takes the handlers of all shared events away.
    SHARED_RESET = 0x32;
}

/// Version 1.0 of vendor 0.
const VERSION_1_0: u64 = 1 << 48;
/// No room for what was asked (DEN 0054, 5.1.1.1).
const OUT_OF_RESOURCE: i32 = -10;
/// The event is still being handled.
pub(crate) const PENDING: i32 = -5;
/// The event of every SDEI: private, normal priority, signalled by software.
const SOFTWARE_SIGNALLED: u64 = 0;

/// The SDEI service of a machine whose CPUs have the MPIDRs that KVM gives them.
#[derive(Debug)]
pub struct Sdei {
    cpus: PerCpu<Cpu>,
}

impl Default for Sdei {
    fn default() -> Self {
        Sdei::new()
    }
}

impl Sdei {
    /// SDEI as it comes out of reset: nothing registered, all CPUs masked.
    pub const fn new() -> Self {
        Sdei {
            cpus: PerCpu::new(Cpu::NEW),
        }
    }

    /// Does something with the state of the calling CPU.
    fn here(&self, call: &mut Call<'_>, work: impl FnOnce(&mut Cpu) -> i32) -> i32 {
        let number = call.platform().cpu();
        self.cpus.with(number, work).unwrap_or(DENIED)
    }

    /// EVENT_SIGNAL: for another CPU the event stays pending there.
    fn signal(&self, call: &mut Call<'_>) -> i32 {
        let (event, target) = (call.arg(1), call.arg(2));
        let cpus = call.platform().cpus();
        let number = (0..cpus).find(|&number| kvm_mpidr(number) == target);
        let (Some(number), SOFTWARE_SIGNALLED) = (number, event) else {
            return INVALID_PARAMETERS;
        };
        let signalled = self.cpus.with(number, |cpu| cpu.pending = true);
        signalled.map_or(INVALID_PARAMETERS, |()| SUCCESS)
    }
}

impl Service for Sdei {
    fn owns(&self, id: FunctionId) -> bool {
        // DEN 0054 reserves 32 numbers.
        id == FunctionId::fast64(owner::STANDARD, id.number())
            && (0x20..=0x3f).contains(&id.number())
    }

    fn handle(&self, call: &mut Call<'_>) {
        let event_is_ours = call.arg(1) == SOFTWARE_SIGNALLED;
        let code = match call.id() {
            VERSION => return call.set(0, VERSION_1_0),
            EVENT_REGISTER | EVENT_ENABLE | EVENT_DISABLE | EVENT_UNREGISTER | EVENT_STATUS
            | EVENT_GET_INFO
                if !event_is_ours =>
            {
                INVALID_PARAMETERS
            }
            EVENT_REGISTER => {
                let (entry, argument) = (call.arg(2), call.arg(3));
                self.here(call, |cpu| cpu.register(entry, argument))
            }
            EVENT_ENABLE => self.here(call, |cpu| cpu.enable(true)),
            EVENT_DISABLE => self.here(call, |cpu| cpu.enable(false)),
            EVENT_UNREGISTER => self.here(call, Cpu::unregister),
            EVENT_STATUS => self.here(call, |cpu| cpu.status()),
            EVENT_GET_INFO => info(call.arg(2)),
            EVENT_CONTEXT => return self.context(call),
            EVENT_COMPLETE | EVENT_COMPLETE_AND_RESUME => return self.complete(call),
            // Both are for shared events, of which there are none.
            EVENT_ROUTING_SET | INTERRUPT_RELEASE => INVALID_PARAMETERS,
            INTERRUPT_BIND => OUT_OF_RESOURCE,
            PE_MASK => self.here(call, |cpu| {
                i32::from(!core::mem::replace(&mut cpu.masked, true))
            }),
            PE_UNMASK => self.here(call, |cpu| {
                cpu.masked = false;
                SUCCESS
            }),
            EVENT_SIGNAL => self.signal(call),
            // Feature 0 counts the slots for bound interrupts.
            FEATURES if call.arg(1) == 0 => 0,
            FEATURES => INVALID_PARAMETERS,
            PRIVATE_RESET => self.here(call, Cpu::reset),
            SHARED_RESET => SUCCESS,
            _ => NOT_SUPPORTED,
        };
        call.answer(code);
        self.deliver(call);
    }
}

impl Sdei {
    /// EVENT_CONTEXT: x0 to x17 of what was interrupted.
    fn context(&self, call: &mut Call<'_>) {
        let (number, register) = (call.platform().cpu(), call.arg(1));
        let value = self.cpus.with(number, |cpu| cpu.context(register));
        match value.unwrap_or(Err(DENIED)) {
            Ok(value) => call.set(0, value),
            Err(code) => call.answer(code),
        }
    }

    /// Ends the handler of the calling CPU; a call without one has no effect.
    fn complete(&self, call: &mut Call<'_>) {
        let number = call.platform().cpu();
        let ended = self.cpus.with(number, Cpu::complete).flatten();
        let Some(interrupted) = ended else {
            return call.answer(DENIED);
        };
        let elsewhere = (call.id() == EVENT_COMPLETE_AND_RESUME).then(|| call.arg(1));
        interrupted.restore(call, elsewhere);
        self.deliver(call);
    }

    /// Sends the caller into its handler if an event is due.
    fn deliver(&self, call: &mut Call<'_>) {
        let number = call.platform().cpu();
        let interrupted = cpu::Interrupted::of(call);
        let due = self.cpus.with(number, |cpu| cpu.begin(interrupted));
        if let Some((entry, argument)) = due.flatten() {
            interrupted.enter(call, entry, SOFTWARE_SIGNALLED, argument);
        }
    }
}

/// EVENT_GET_INFO of event 0.
fn info(what: u64) -> i32 {
    match what {
        // Private to a CPU.
        0 => 0,
        // Signalled by software.
        1 => 1,
        // Normal priority.
        2 => 0,
        // Routing is for shared events.
        _ => INVALID_PARAMETERS,
    }
}

#[cfg(test)]
mod tests;
