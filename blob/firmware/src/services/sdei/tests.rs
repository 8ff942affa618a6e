// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest's life with events.

use fakemon_abi::Width;
use fakemon_abi::frame::REGS;

use super::*;
use crate::board::Board;
use crate::context::Context;
use crate::context::Resume;
use crate::dispatch;
use crate::fake::{Asked, FakePlatform};
use crate::services::psci::Psci;

mod cpus;
mod nesting;
mod relative;
mod shared;

/// A private critical event, and shared ones of both priorities.
const CRITICAL: u64 = 8;
const SHARED: u64 = 16;
const SHARED_CRITICAL: u64 = 17;

struct Firmware(Sdei<2, 2>);

impl Board for Firmware {
    const NEW: Self = Firmware(Sdei::with_events(
        [Event::SOFTWARE_SIGNALLED, Event::critical(CRITICAL as u32)],
        [
            Event::normal(SHARED as u32),
            Event::critical(SHARED_CRITICAL as u32),
        ],
    ));

    fn call(&self, call: &mut Call<'_>) {
        dispatch::smccc(&[&Psci::new(), &self.0], call);
    }

    fn interrupt(&self, context: &mut Context<'_>) {
        self.0.interrupt(context);
    }
}

/// The caller's place before each call.
const AT: Resume = Resume {
    pc: 0x4000_1004,
    pstate: 0x6000_0005,
};
const HANDLER: u64 = 0x4000_8000;
const ARGUMENT: u64 = 0xaaaa;
/// PSTATE of a handler.
const MASKED: u64 = 0x3c5;

struct Guest {
    board: Box<Firmware>,
    platform: FakePlatform,
}

impl Guest {
    fn new() -> Self {
        Guest {
            board: Box::new(Firmware::NEW),
            platform: FakePlatform::new(4),
        }
    }

    /// A guest whose CPU 0 has a handler for event 0 that would be delivered.
    fn ready() -> Self {
        let mut guest = Guest::new();
        guest.prepare(0);
        guest.call(PE_UNMASK, &[]);
        guest
    }

    /// Registers and enables an event, whose handler lies at [`HANDLER`] plus 16 for each number.
    #[track_caller]
    fn prepare(&mut self, event: u64) {
        let entry = HANDLER + 16 * event;
        assert_eq!(
            self.call(EVENT_REGISTER, &[event, entry, ARGUMENT, 0, 0]),
            0
        );
        assert_eq!(self.call(EVENT_ENABLE, &[event]), 0);
    }

    /// Prepares all events but event 0.
    fn prepare_all(&mut self) {
        for event in [CRITICAL, SHARED, SHARED_CRITICAL] {
            self.prepare(event);
        }
    }

    /// Makes a call of CPU `cpu` from now on.
    fn on(&mut self, cpu: u32) -> &mut Self {
        self.platform.cpu = cpu;
        self
    }

    fn x(&mut self, id: FunctionId, args: &[u64]) -> [u64; REGS] {
        let mut regs = registers();
        regs[0] = u64::from(id.0);
        regs[1..=args.len()].copy_from_slice(args);
        self.platform.resume = AT;
        self.platform.smc(&*self.board, Width::AArch64, &regs)
    }

    fn call(&mut self, id: FunctionId, args: &[u64]) -> i64 {
        self.x(id, args)[0].cast_signed()
    }

    /// Has the calling CPU enter the firmware without a call.
    fn interrupt(&mut self) -> [u64; REGS] {
        let mut regs = registers();
        self.platform.resume = AT;
        let mut resume = AT;
        let mut context = Context::new(&mut regs, Width::AArch64, &mut resume, &mut self.platform);
        dispatch::interrupt(&*self.board, &mut context);
        self.platform.resume = resume;
        regs
    }

    /// Has the calling CPU's power change, with which the machine agrees.
    fn power(&mut self, change: PowerChange) {
        self.board.0.cpu_power(&mut self.platform, change);
    }

    /// Makes an event of the board's occur while the calling CPU is in the firmware.
    fn raise(&mut self, event: u64) -> Result<(), Error> {
        let mut regs = registers();
        let mut resume = AT;
        let mut context = Context::new(&mut regs, Width::AArch64, &mut resume, &mut self.platform);
        let raised = self.board.0.raise(&mut context, event as u32);
        self.platform.resume = resume;
        raised
    }

    /// Whose handler the calling CPU is about to run, if any.
    fn handles(&self) -> Option<u64> {
        let Resume { pc, pstate } = self.platform.resume;
        if (pc, pstate) == (AT.pc, AT.pstate) {
            return None;
        }
        assert_eq!(pstate, MASKED);
        Some((pc - HANDLER) / 16)
    }

    /// What the platform was asked to interrupt since the last time.
    fn interrupted(&mut self) -> Vec<u64> {
        let asked = self.platform.asked.drain(..);
        asked
            .filter_map(|asked| match asked {
                Asked::Interrupt(mpidr) => Some(mpidr),
                _ => None,
            })
            .collect()
    }
}

/// What a CPU's registers hold: 0x100 and up.
fn registers() -> [u64; REGS] {
    core::array::from_fn(|n| 0x100 + n as u64)
}

#[test]
fn it_is_version_1_1_with_nothing_to_bind() {
    let mut guest = Guest::new();
    assert_eq!(guest.call(VERSION, &[]), 1 << 48 | 1 << 32);
    assert_eq!(guest.call(FEATURES, &[0]), 0);
    assert_eq!(guest.call(FEATURES, &[2]), -2);
    assert_eq!(guest.call(INTERRUPT_BIND, &[33]), -10);
    assert_eq!(guest.call(INTERRUPT_RELEASE, &[1]), -2);
    for number in [0x33, 0x3f] {
        let id = FunctionId::fast64(owner::STANDARD, number);
        assert_eq!(guest.call(id, &[]), -1, "{number:#x}");
    }
}

#[test]
fn an_event_tells_its_type_signal_and_priority() {
    let mut guest = Guest::new();
    for (event, info) in [
        (0, [0, 1, 0, -2, -2]),
        (CRITICAL, [0, 0, 1, -2, -2]),
        // Its routing is known when it has a handler.
        (SHARED, [1, 0, 0, -3, -3]),
        (SHARED_CRITICAL, [1, 0, 1, -3, -3]),
        (1, [-2; 5]),
        (1 << 32, [-2; 5]),
    ] {
        for (what, answer) in info.into_iter().enumerate() {
            let told = guest.call(EVENT_GET_INFO, &[event, what as u64]);
            assert_eq!(told, answer, "{what} of {event}");
        }
    }
}

#[test]
fn linux_resets_and_unmasks_at_boot() {
    let mut guest = Guest::new();
    assert_eq!(guest.call(PRIVATE_RESET, &[]), 0);
    assert_eq!(guest.call(SHARED_RESET, &[]), 0);
    assert_eq!(guest.call(PE_MASK, &[]), 0, "masked out of reset");
    assert_eq!(guest.call(PE_UNMASK, &[]), 0);
    assert_eq!(guest.call(PE_MASK, &[]), 1, "this had an effect");
}

#[test]
fn an_event_without_a_handler_can_be_neither_enabled_nor_unregistered() {
    let mut guest = Guest::new();
    for id in [EVENT_ENABLE, EVENT_DISABLE, EVENT_UNREGISTER] {
        assert_eq!(guest.call(id, &[0]), -3);
        assert_eq!(guest.call(id, &[7]), -2, "there is no such event");
    }
    assert_eq!(guest.call(EVENT_STATUS, &[0]), 0);
    guest.prepare(0);
    assert_eq!(guest.call(EVENT_STATUS, &[0]), 3);
    assert_eq!(guest.call(EVENT_UNREGISTER, &[0]), 0);
    assert_eq!(guest.call(EVENT_STATUS, &[0]), 0);
}

#[test]
fn what_is_registered_is_checked() {
    let mut guest = Guest::new();
    for bad in [
        // No entry, and one that is no instruction.
        [0, 0, 0, 0, 0],
        [0, HANDLER + 2, 0, 0, 0],
        // Flags that there are not.
        [0, HANDLER, 0, 4, 0],
        // No instruction, wherever the vectors are.
        [0, 2, 0, 2, 0],
        [SHARED, HANDLER, 0, 1 << 32, 0],
        // A CPU that there is not.
        [SHARED, HANDLER, 0, 1, 4],
        [1, HANDLER, 0, 0, 0],
    ] {
        assert_eq!(guest.call(EVENT_REGISTER, &bad), -2, "{bad:x?}");
    }
    let any = [SHARED, HANDLER, 0, 0, 99];
    assert_eq!(guest.call(EVENT_REGISTER, &any), 0, "no CPU is named");
}

#[test]
fn a_signalled_event_interrupts_its_signaller_and_goes_back() {
    let mut guest = Guest::ready();
    let x = guest.x(EVENT_SIGNAL, &[0, 0]);
    assert_eq!(x[..4], [0, ARGUMENT, AT.pc, AT.pstate]);
    assert_eq!((x[4], x[17]), (0x104, 0x111), "the rest is as it was");
    assert_eq!(guest.handles(), Some(0));

    assert_eq!(
        guest.call(EVENT_STATUS, &[0]),
        7,
        "registered, enabled, running"
    );
    assert_eq!(guest.call(EVENT_CONTEXT, &[0]), 0, "the signal succeeded");
    assert_eq!(guest.call(EVENT_CONTEXT, &[17]), 0x111);
    assert_eq!(guest.call(EVENT_CONTEXT, &[18]), -2);

    let x = guest.x(EVENT_COMPLETE, &[0]);
    assert_eq!((x[0], x[1], x[2], x[17]), (0, 0, 0, 0x111));
    assert_eq!(guest.platform.resume, AT);
    assert_eq!(guest.call(EVENT_COMPLETE, &[0]), -3, "no handler runs");
    assert_eq!(guest.call(EVENT_CONTEXT, &[0]), -3);
}

#[test]
fn a_handler_can_end_in_what_looks_like_an_exception() {
    let mut guest = Guest::ready();
    guest.call(EVENT_SIGNAL, &[0, 0]);
    guest.platform.asked.clear();
    let x = guest.x(EVENT_COMPLETE_AND_RESUME, &[0x4000_0280]);
    assert_eq!((x[0], x[17]), (0, 0x111));
    assert_eq!(guest.platform.resume.pc, 0x4000_0280);
    assert_eq!(guest.platform.resume.pstate, MASKED);
    let set = Asked::SetException(AT.pc, AT.pstate);
    assert_eq!(guest.platform.asked, [set]);
}

#[test]
fn an_event_waits_for_enable_and_unmask() {
    let mut guest = Guest::new();
    let register = [0, HANDLER, ARGUMENT, 0, 0];
    assert_eq!(guest.call(EVENT_SIGNAL, &[0, 0]), 0);
    assert_eq!(guest.call(EVENT_REGISTER, &register), 0);
    guest.call(EVENT_ENABLE, &[0]);
    guest.call(PE_UNMASK, &[]);
    assert_eq!(guest.handles(), None, "that was before the handler");
    guest.call(EVENT_DISABLE, &[0]);
    guest.call(PE_MASK, &[]);
    assert_eq!(guest.call(EVENT_SIGNAL, &[0, 0]), 0);
    guest.call(PE_UNMASK, &[]);
    assert_eq!(guest.handles(), None, "not enabled yet");
    guest.call(EVENT_ENABLE, &[0]);
    assert_eq!(guest.handles(), Some(0));
    // Signalled again from its handler, it is delivered once more when that is done.
    guest.call(EVENT_SIGNAL, &[0, 0]);
    assert_eq!(guest.handles(), None);
    guest.call(EVENT_COMPLETE, &[0]);
    assert_eq!(guest.handles(), Some(0));
    guest.call(EVENT_COMPLETE, &[0]);
    assert_eq!(guest.handles(), None);
}

#[test]
fn a_handler_that_unregisters_itself_runs_to_its_end() {
    let mut guest = Guest::ready();
    guest.call(EVENT_SIGNAL, &[0, 0]);
    assert_eq!(guest.call(EVENT_UNREGISTER, &[0]), -5);
    assert_eq!(guest.call(EVENT_STATUS, &[0]), 4, "only running");
    assert_eq!(guest.call(EVENT_ENABLE, &[0]), -3);
    assert_eq!(guest.call(PRIVATE_RESET, &[]), -3);
    guest.call(EVENT_COMPLETE, &[0]);
    assert_eq!(guest.platform.resume, AT);
    assert_eq!(guest.call(EVENT_STATUS, &[0]), 0);
}
