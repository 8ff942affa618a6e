// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A call reaches the blob and comes back.

use fakemon_tests::elf::{FUNCTION, blob};
use fakemon_tests::machine::{Machine, Stop};
use fakemon_tests::program;
use libtest_mimic::Trial;

program!(add, "add x0, x1, x2", "eret",);

program!(
    call_once,
    "movz x0, #0xc300, lsl #16",
    "mov x1, #40",
    "mov x2, #2",
    "smc #0",
    "movz x1, #0x0900, lsl #16",
    "str x0, [x1]",
    "str x0, [x1, #0x1000]",
    "b .",
);

fn the_blob_answers() {
    let (machine, stop) = Machine::run(&blob(add()), call_once());
    assert!(matches!(stop, Stop::Ended), "{stop:?}");
    assert_eq!(machine.cpus[0].log.reports, [(0, 42)]);
    assert_eq!(FUNCTION, 0xc300_0000);
}

pub(crate) fn tests() -> Vec<Trial> {
    vec![Trial::test("the_blob_answers", || {
        the_blob_answers();
        Ok(())
    })]
}
