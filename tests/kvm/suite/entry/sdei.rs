// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An SDEI event of the virt blob's for another CPU, which is entered without a call for it.

use fakemon_abi::hostcall;
use fakemon_abi::status::SUCCESS;
use fakemon_tests::machine::{END, Machine, Options, REPORT, Stop};
use fakemon_tests::{assets, program, trials_with_assets};
use libtest_mimic::Trial;

use super::{under_signals, world};

// CPU 1 registers a handler for event 0 and spins with all masked; CPU 0, of number x0, signals.
program!(
    signal_another,
    "ldr x28, ={REPORT}",
    "ldr x29, ={END}",
    "cbz x0, 3f",
    "mov x26, #0", // Before an event can come.
    "ldr x0, =0xc4000021", // SDEI_EVENT_REGISTER
    "mov x1, #0",
    "adr x2, 2f",
    "mov x3, #0x77",
    "mov x4, #0",
    "mov x5, #0",
    "smc #0",
    "str x0, [x28]",
    "ldr x0, =0xc4000022", // SDEI_EVENT_ENABLE
    "mov x1, #0",
    "smc #0",
    "str x0, [x28, #0x08]",
    "ldr x0, =0xc400002c", // SDEI_PE_UNMASK
    "smc #0",
    "str x0, [x28, #0x10]",
    "msr daifset, #0xf",
    "1: cbz x26, 1b",
    "str x26, [x28, #0x20]",
    "str xzr, [x29]",
    "b .",
    // The handler.
    "2: str x1, [x28, #0x18]",
    "mov x26, #0x99",
    "ldr x0, =0xc4000025", // SDEI_EVENT_COMPLETE
    "mov x1, #0",
    "smc #0",
    "b .",
    "3: ldr x0, =0xc400002f", // SDEI_EVENT_SIGNAL
    "mov x1, #0",
    "mov x2, #1",
    "smc #0",
    "str x0, [x28]",
    "str xzr, [x29]",
    "b .",
    ".ltorg";
    REPORT = REPORT,
    END = END,
);

fn an_sdei_event_reaches_another_cpu_that_has_all_interrupts_masked() {
    let options = Options {
        cpus: 2,
        ..Options::default()
    };
    let mut machine = Machine::new(&assets::blob("virt"), signal_another(), &options);
    let world = world(&machine);
    let [first, second] = &mut machine.cpus[..] else {
        panic!("two CPUs")
    };
    under_signals(|| {
        while second.log.reports.len() < 3 {
            assert!(second.run_on().is_none());
        }
        assert_eq!(second.log.reports, [(0, 0), (8, 0), (0x10, 0)]);
        first.log.all_on = true;
        let stop = first.run();
        assert!(matches!(stop, Stop::Ended), "{stop:?}");
        assert_eq!(first.log.reports, [(0, SUCCESS as u64)]);
        assert_eq!(first.log.interrupts, [(1, 0)], "{}", hostcall::INTERRUPT);
        world.interrupt(1, 0);
        let stop = loop {
            if let Some(stop) = second.run_on() {
                break stop;
            }
        };
        assert!(matches!(stop, Stop::Ended), "{stop:?}");
        assert_eq!(second.log.reports[3..], [(0x18, 0x77), (0x20, 0x99)]);
    });
}

pub(super) fn tests() -> Vec<Trial> {
    trials_with_assets![an_sdei_event_reaches_another_cpu_that_has_all_interrupts_masked]
}
