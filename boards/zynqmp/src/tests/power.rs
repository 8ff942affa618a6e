// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Nodes, resets, registers and shutdown.

use super::*;

const USB_0: u32 = 22;
const ETH_0: u32 = 29;
const DDR: u32 = 55;
const BLOCKING: u32 = 2;
const NO_ACK: u32 = 1;

const BOOT_PINS: u32 = 0xff5e_0250;

fn status(machine: &mut Machine, node: u32) -> [u32; 3] {
    let [status, rest @ ..] = machine.words(api::GET_NODE_STATUS, [node, 0, 0, 0]);
    assert_eq!(status, 0);
    rest
}

#[test]
fn a_domain_is_requested_used_and_released() {
    let mut machine = Machine::new();
    assert_eq!(status(&mut machine, USB_0), [1, 0, 0], "the boot loader's");
    machine.get(api::INIT_FINALIZE, &[]);
    assert_eq!(status(&mut machine, USB_0), [0, 0, 0], "nobody needs it");
    machine.get(api::REQUEST_NODE, &[USB_0, 0, 0, BLOCKING]);
    assert_eq!(status(&mut machine, USB_0), [0, 0, 1]);
    machine.get(api::SET_REQUIREMENT, &[USB_0, 1, 100, BLOCKING]);
    assert_eq!(status(&mut machine, USB_0), [1, 1, 1]);
    machine.get(api::SET_REQUIREMENT, &[USB_0, 0, 0, NO_ACK]);
    assert_eq!(status(&mut machine, USB_0), [0, 0, 1], "off, and ours");
    machine.get(api::RELEASE_NODE, &[USB_0]);
    assert_eq!(status(&mut machine, USB_0), [0, 0, 0]);
    assert_eq!(machine.fails(api::RELEASE_NODE, &[USB_0]), Status::ARGS);
}

#[test]
fn a_node_is_requested_once_and_before_it_is_used() {
    let mut machine = Machine::new();
    let require = [ETH_0, 1, 0, BLOCKING];
    assert_eq!(
        machine.fails(api::SET_REQUIREMENT, &require),
        Status::NO_ACCESS
    );
    machine.get(api::REQUEST_NODE, &[ETH_0, 1, 0, BLOCKING]);
    assert_eq!(
        machine.fails(api::REQUEST_NODE, &[ETH_0, 1, 0, BLOCKING]),
        Status::DOUBLE_REQUEST
    );
    for (bad, expected) in [
        ([0, 1, 0, BLOCKING], Status::INVALID_PARAM),
        ([62, 1, 0, BLOCKING], Status::INVALID_PARAM),
        ([u32::MAX, 1, 0, BLOCKING], Status::INVALID_PARAM),
        ([ETH_0, 8, 0, BLOCKING], Status::NO_FEATURE),
        ([ETH_0, 1, 0, 0], Status::INVALID_PARAM),
    ] {
        assert_eq!(machine.fails(api::SET_REQUIREMENT, &bad), expected);
    }
    machine.get(api::SET_REQUIREMENT, &[0, 1, 0, NO_ACK]);
    assert_eq!(
        machine.fails(api::GET_NODE_STATUS, &[0]),
        Status::INVALID_PARAM
    );
}

#[test]
fn memory_stays_on() {
    let mut machine = Machine::new();
    machine.get(api::INIT_FINALIZE, &[]);
    assert_eq!(machine.fails(api::RELEASE_NODE, &[DDR]), Status::NO_ACCESS);
    assert_eq!(
        machine.fails(api::SET_REQUIREMENT, &[DDR, 0, 0, BLOCKING]),
        Status::NO_ACCESS
    );
    assert_eq!(status(&mut machine, DDR), [1, 1, 1]);
}

#[test]
fn a_reset_line_is_asserted_released_and_pulsed() {
    let mut machine = Machine::new();
    const GEM0: u32 = 1029;
    let is_asserted = |machine: &mut Machine, line| machine.get(api::RESET_GET_STATUS, &[line]);
    assert_eq!(is_asserted(&mut machine, GEM0), 0);
    machine.get(api::RESET_ASSERT, &[GEM0, 1]);
    assert_eq!(is_asserted(&mut machine, GEM0), 1);
    assert_eq!(is_asserted(&mut machine, GEM0 + 1), 0);
    machine.get(api::RESET_ASSERT, &[GEM0, 0]);
    assert_eq!(is_asserted(&mut machine, GEM0), 0);
    machine.get(api::RESET_ASSERT, &[GEM0, 1]);
    machine.get(api::RESET_ASSERT, &[GEM0, 2]);
    assert_eq!(is_asserted(&mut machine, GEM0), 0, "a pulse ends");
    assert_eq!(is_asserted(&mut machine, 1054), 1, "no real-time processor");
}

#[test]
fn a_reset_that_is_not_there_or_not_the_callers_is_refused() {
    let mut machine = Machine::new();
    for line in [0, 999, 1120, u32::MAX] {
        let bad = Status::INVALID_PARAM;
        assert_eq!(machine.fails(api::RESET_ASSERT, &[line, 1]), bad);
        assert_eq!(machine.fails(api::RESET_GET_STATUS, &[line]), bad);
    }
    assert_eq!(
        machine.fails(api::RESET_ASSERT, &[1029, 3]),
        Status::INVALID_PARAM
    );
    for line in [1017, 1025, 1026, 1071, 1076, 1080] {
        assert_eq!(
            machine.fails(api::RESET_ASSERT, &[line, 1]),
            Status::NO_ACCESS
        );
        assert_eq!(machine.get(api::RESET_GET_STATUS, &[line]), 0);
    }
    assert!(machine.platform.asked.is_empty());
}

#[test]
fn the_mode_pins_show_the_switches_until_they_are_driven() {
    let mut machine = Machine::new();
    assert_eq!(machine.get(api::MMIO_READ, &[BOOT_PINS]), 0xe0);
    // The driver writes back what it has read, with pin 0 as a high and pin 1 as a low output.
    machine.get(api::MMIO_WRITE, &[BOOT_PINS, 0xf0f, 0x1e3]);
    assert_eq!(machine.get(api::MMIO_READ, &[BOOT_PINS]), 0x1d3);
    machine.get(api::MMIO_WRITE, &[BOOT_PINS, u32::MAX, 0xffff_f0f0]);
    assert_eq!(machine.get(api::MMIO_READ, &[BOOT_PINS]), 0xe0);
}

#[test]
fn storage_keeps_what_is_written() {
    let mut machine = Machine::new();
    for (write, read, base) in [(12, 13, 0xffd8_0030_u32), (14, 15, 0xffd8_0050)] {
        for index in 0..4 {
            assert_eq!(machine.get(api::IOCTL, &[0, read, index]), 0);
            machine.get(api::IOCTL, &[0, write, index, 0xcafe_0000 | index]);
        }
        for index in 0..4 {
            let word = 0xcafe_0000 | index;
            assert_eq!(machine.get(api::IOCTL, &[0, read, index]), word);
            assert_eq!(machine.get(api::MMIO_READ, &[base + 4 * index]), word);
        }
        for ioctl in [write, read] {
            assert_eq!(machine.fails(api::IOCTL, &[0, ioctl, 4]), Status::ARGS);
        }
    }
    machine.get(api::IOCTL, &[0, 17, 1]);
    assert_eq!(machine.get(api::MMIO_READ, &[0xffd8_0040]), 1, "healthy");
}

#[test]
fn other_registers_are_not_the_callers() {
    let mut machine = Machine::new();
    for address in [
        0,
        BOOT_PINS + 4,
        0xffd8_002c,
        0xffd8_0031,
        0xffd8_0044,
        0xffd8_0060,
        u32::MAX,
    ] {
        assert_eq!(
            machine.fails(api::MMIO_READ, &[address]),
            Status::NO_ACCESS,
            "{address:#x}"
        );
        let write = [address, 1, 1];
        assert_eq!(machine.fails(api::MMIO_WRITE, &write), Status::NO_ACCESS);
        machine.get(api::MMIO_WRITE, &[address, 0, 1]);
    }
}

#[test]
fn the_machine_is_switched_off_and_reset() {
    for (api, arg, asked) in [
        (api::SYSTEM_SHUTDOWN, [0, 2], Asked::SystemOff),
        (api::SYSTEM_SHUTDOWN, [1, 2], Asked::SystemReset(0, 0)),
        (api::RESET_ASSERT, [1028, 1], Asked::SystemReset(0, 0)),
        (api::RESET_ASSERT, [1114, 2], Asked::SystemReset(0, 0)),
    ] {
        let mut machine = Machine::new();
        // The platform does not come back unless it refuses.
        assert_eq!(machine.fails(api, &arg), Status::NO_ACCESS);
        assert_eq!(machine.platform.asked, [asked]);
    }
}

#[test]
fn scope_and_suspend_mode_are_checked() {
    let mut machine = Machine::new();
    for (api, good, bad) in [
        (api::SYSTEM_SHUTDOWN, [2, 1], [2, 3]),
        (api::SET_SUSPEND_MODE, [1, 0], [2, 0]),
    ] {
        machine.get(api, &good);
        machine.fails(api, &bad);
    }
    assert_eq!(
        machine.fails(api::SYSTEM_SHUTDOWN, &[3, 0]),
        Status::INVALID_PARAM
    );
    assert_eq!(
        machine.fails(api::SET_CONFIGURATION, &[0x1000]),
        Status::NO_ACCESS
    );
    assert!(machine.platform.asked.is_empty());
}
