// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest's life with event 0.

use super::*;
use crate::board::Board;
use crate::call::Resume;
use crate::dispatch;
use crate::fake::{Asked, FakePlatform};
use fakemon_abi::Width;

struct Firmware(Sdei);

impl Board for Firmware {
    const NEW: Self = Firmware(Sdei::new());

    fn call(&self, call: &mut Call<'_>) {
        dispatch::smccc(&[&self.0], call);
    }
}

/// The caller's place before each call.
const AT: Resume = Resume {
    pc: 0x4000_1004,
    pstate: 0x6000_0005,
};
const HANDLER: u64 = 0x4000_8000;
const ARGUMENT: u64 = 0xaaaa;

struct Guest {
    board: Firmware,
    platform: FakePlatform,
}

impl Guest {
    fn new() -> Self {
        Guest {
            board: Firmware::NEW,
            platform: FakePlatform::new(2),
        }
    }

    /// A guest with a handler for event 0 that would be delivered.
    fn ready() -> Self {
        let mut guest = Guest::new();
        assert_eq!(guest.call(EVENT_REGISTER, &[0, HANDLER, ARGUMENT]), 0);
        assert_eq!(guest.call(EVENT_ENABLE, &[0]), 0);
        assert_eq!(guest.call(PE_UNMASK, &[]), 0);
        guest
    }

    fn x(&mut self, id: FunctionId, args: &[u64]) -> [u64; 18] {
        let mut regs = [0; 18];
        for (n, value) in regs.iter_mut().enumerate() {
            *value = 0x100 + n as u64;
        }
        regs[0] = u64::from(id.0);
        regs[1..=args.len()].copy_from_slice(args);
        self.platform.resume = AT;
        self.platform.smc(&self.board, Width::AArch64, &regs)
    }

    fn call(&mut self, id: FunctionId, args: &[u64]) -> i64 {
        self.x(id, args)[0].cast_signed()
    }
}

#[test]
fn it_is_version_1_0_with_one_event_and_nothing_to_bind() {
    let mut guest = Guest::new();
    assert_eq!(guest.call(VERSION, &[]), 1 << 48);
    assert_eq!(guest.call(FEATURES, &[0]), 0);
    assert_eq!(guest.call(FEATURES, &[1]), -2);
    for (what, answer) in [(0, 0), (1, 1), (2, 0), (3, -2), (4, -2)] {
        assert_eq!(guest.call(EVENT_GET_INFO, &[0, what]), answer);
    }
    assert_eq!(guest.call(EVENT_GET_INFO, &[1, 0]), -2);
    assert_eq!(guest.call(INTERRUPT_BIND, &[33]), -10);
    assert_eq!(guest.call(INTERRUPT_RELEASE, &[1]), -2);
    assert_eq!(guest.call(EVENT_ROUTING_SET, &[0, 0, 0]), -2);
    for number in [0x33, 0x3f] {
        let id = FunctionId::fast64(owner::STANDARD, number);
        assert_eq!(guest.call(id, &[]), -1, "{number:#x}");
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
    assert_eq!(guest.call(EVENT_REGISTER, &[0, HANDLER, 0]), 0);
    assert_eq!(guest.call(EVENT_REGISTER, &[0, HANDLER, 0]), -3);
    assert_eq!(guest.call(EVENT_STATUS, &[0]), 1);
    assert_eq!(guest.call(EVENT_ENABLE, &[0]), 0);
    assert_eq!(guest.call(EVENT_STATUS, &[0]), 3);
    assert_eq!(guest.call(EVENT_UNREGISTER, &[0]), 0);
    assert_eq!(guest.call(EVENT_STATUS, &[0]), 0);
}

#[test]
fn a_signalled_event_interrupts_its_signaller_and_goes_back() {
    let mut guest = Guest::ready();
    let x = guest.x(EVENT_SIGNAL, &[0, 0]);
    assert_eq!(x[..4], [0, ARGUMENT, AT.pc, AT.pstate]);
    assert_eq!((x[4], x[17]), (0x104, 0x111), "the rest is as it was");
    let handler = Resume {
        pc: HANDLER,
        pstate: 0x3c5,
    };
    assert_eq!(guest.platform.resume, handler);

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
    assert_eq!(guest.platform.resume.pstate, 0x3c5);
    assert_eq!(
        guest.platform.asked,
        [Asked::SetException(AT.pc, AT.pstate)]
    );
}

#[test]
fn an_event_waits_for_enable_and_unmask() {
    let mut guest = Guest::new();
    assert_eq!(guest.call(EVENT_SIGNAL, &[0, 0]), 0);
    assert_eq!(guest.call(EVENT_REGISTER, &[0, HANDLER, ARGUMENT]), 0);
    assert_eq!(guest.call(PE_UNMASK, &[]), 0);
    assert_eq!(guest.platform.resume, AT, "not enabled yet");
    guest.call(EVENT_ENABLE, &[0]);
    assert_eq!(guest.platform.resume.pc, HANDLER);
    // Signalled again from its handler, it is delivered once more when that is done.
    guest.call(EVENT_SIGNAL, &[0, 0]);
    assert_eq!(guest.platform.resume, AT);
    guest.call(EVENT_COMPLETE, &[0]);
    assert_eq!(guest.platform.resume.pc, HANDLER);
    guest.call(EVENT_COMPLETE, &[0]);
    assert_eq!(guest.platform.resume, AT);
}

#[test]
fn a_handler_that_unregisters_itself_runs_to_its_end() {
    let mut guest = Guest::ready();
    guest.call(EVENT_SIGNAL, &[0, 0]);
    assert_eq!(guest.call(EVENT_UNREGISTER, &[0]), -5);
    assert_eq!(guest.call(EVENT_STATUS, &[0]), 4, "only running");
    assert_eq!(guest.call(EVENT_ENABLE, &[0]), -3);
    guest.call(EVENT_COMPLETE, &[0]);
    assert_eq!(guest.platform.resume, AT);
    assert_eq!(guest.call(EVENT_STATUS, &[0]), 0);
}

#[test]
fn an_event_for_another_cpu_waits_there() {
    let mut guest = Guest::new();
    guest.platform.cpu = 1;
    assert_eq!(guest.call(EVENT_REGISTER, &[0, HANDLER, ARGUMENT]), 0);
    assert_eq!(guest.call(EVENT_ENABLE, &[0]), 0);
    assert_eq!(guest.call(PE_UNMASK, &[]), 0);
    guest.platform.cpu = 0;
    assert_eq!(guest.call(EVENT_SIGNAL, &[0, 1]), 0);
    assert_eq!(guest.platform.resume, AT);
    assert_eq!(
        guest.call(EVENT_STATUS, &[0]),
        0,
        "nothing is registered here"
    );
    guest.platform.cpu = 1;
    guest.call(EVENT_STATUS, &[0]);
    assert_eq!(guest.platform.resume.pc, HANDLER);
    guest.platform.cpu = 0;
    assert_eq!(
        guest.call(EVENT_SIGNAL, &[0, 2]),
        -2,
        "there is no such CPU"
    );
    assert_eq!(guest.call(EVENT_SIGNAL, &[1, 0]), -2, "nor such an event");
}
