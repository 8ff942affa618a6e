// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pins, as the kernel's pin control driver finds them and as a ZCU102's device tree sets them.

use std::collections::BTreeMap;

use super::*;

const GPIO0: u32 = 7;
const I2C0: u32 = 8;
const UART0: u32 = 41;

const BIAS: u32 = 1;
const PULL: u32 = 2;
const DRIVE: u32 = 4;
const VOLTAGE: u32 = 5;
const TRISTATE: u32 = 6;

/// What the kernel's driver makes of the chip: pins of each group, by the name it gives the group.
fn groups(machine: &mut Machine) -> BTreeMap<String, Vec<u32>> {
    let mut pins_of = BTreeMap::<u16, Vec<u32>>::new();
    for pin in 0..machine.get(api::QUERY_DATA, &[6]) {
        for group in list(machine, 11, pin) {
            pins_of.entry(group).or_default().push(pin);
        }
    }
    let mut found = BTreeMap::new();
    for function in 0..machine.get(api::QUERY_DATA, &[7]) {
        let name = machine.words(api::QUERY_DATA, [9, function, 0, 0]);
        let name: Vec<u8> = name.iter().flat_map(|word| word.to_le_bytes()).collect();
        let name = String::from_utf8(name).unwrap();
        let numbers = list(machine, 10, function);
        let count = machine.get(api::QUERY_DATA, &[8, function]);
        assert_eq!(numbers.len(), count as usize, "{name}");
        for (place, number) in numbers.iter().enumerate() {
            let name = format!("{}_{place}_grp", name.trim_end_matches('\0'));
            let pins = pins_of
                .remove(number)
                .expect("no group without pins, nor twice");
            found.insert(name, pins);
        }
    }
    assert!(pins_of.is_empty(), "groups without a function: {pins_of:?}");
    found
}

/// The numbers of all groups of a function or pin, six at a time.
fn list(machine: &mut Machine, query: u32, id: u32) -> Vec<u16> {
    let mut all = vec![];
    loop {
        let arg = [query, id, all.len() as u32, 0];
        let [status, words @ ..] = machine.words(api::QUERY_DATA, arg);
        assert_eq!(Status(status), Status::SUCCESS);
        let six = words
            .iter()
            .flat_map(|word| [*word as u16, (word >> 16) as u16]);
        let some: Vec<u16> = six.take_while(|&group| group != u16::MAX).collect();
        all.extend(&some);
        if some.len() < 6 {
            return all;
        }
    }
}

#[test]
fn the_kernel_finds_functions_groups_and_pins() {
    let mut machine = Machine::new();
    let groups = groups(&mut machine);
    assert_eq!(groups.len(), 505, "each number is one group");
    for (name, pins) in [
        ("i2c0_3_grp", &[14, 15][..]),
        ("i2c1_4_grp", &[16, 17]),
        ("uart0_4_grp", &[18, 19]),
        ("uart1_18_grp", &[72, 73]),
        ("can1_19_grp", &[76, 77]),
        ("gpio0_77_grp", &[77]),
        (
            "usb0_0_grp",
            &[52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63],
        ),
        ("qspi0_1_grp", &[0, 1, 2, 3, 4]),
        ("sdio0_2_grp", &[64, 66, 67, 68, 69, 70, 71, 72, 73, 74]),
        ("sdio0_6_grp", &[38, 40, 45, 46, 47, 48]),
        ("sdio0_32_grp", &[64, 66, 74]),
        ("sdio1_0_grp", &[39, 40, 41, 42, 46, 47, 48, 49, 50, 51]),
        ("sdio1_3_grp", &[71, 72, 73, 74, 75, 76]),
        ("sdio1_15_grp", &[74, 75, 76]),
        ("sdio1_cd_0_grp", &[45]),
        ("spi1_ss_17_grp", &[71]),
        (
            "trace0_1_grp",
            &[
                26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 40, 41, 42, 43,
            ],
        ),
    ] {
        assert_eq!(groups[name], pins, "{name}");
    }
}

#[test]
fn group_numbers_are_those_of_the_firmware() {
    let mut machine = Machine::new();
    assert_eq!(list(&mut machine, 10, 5), [3], "ethernet3");
    assert_eq!(list(&mut machine, 10, 16), [14, 15], "qspi_ss");
    assert_eq!(list(&mut machine, 10, UART0).last(), Some(&193));
    let words = machine.words(api::QUERY_DATA, [10, GPIO0, 72, 0]);
    let pair = |low: u32| low | (low + 1) << 16;
    assert_eq!(words, [0, pair(448), pair(450), pair(452)]);
    let words = machine.words(api::QUERY_DATA, [10, GPIO0, u32::MAX, 0]);
    assert_eq!(words, [0, u32::MAX, u32::MAX, u32::MAX]);
}

#[test]
fn what_is_not_there_is_told() {
    let mut machine = Machine::new();
    for query in [8, 10] {
        assert_eq!(machine.fails(api::QUERY_DATA, &[query, 57]), Status::ARGS);
    }
    assert_eq!(machine.fails(api::QUERY_DATA, &[11, 78]), Status::ARGS);
    let name = machine.words(api::QUERY_DATA, [9, 57, 0, 0]);
    assert_eq!(name.map(u32::to_le_bytes).concat(), b"END_OF_FUNCTION\0");
}

#[test]
fn a_pin_is_requested_before_it_is_changed() {
    let mut machine = Machine::new();
    let change = [19, I2C0];
    assert_eq!(machine.get(api::PINCTRL_GET_FUNCTION, &[19]), UART0);
    assert_eq!(
        machine.fails(api::PINCTRL_SET_FUNCTION, &change),
        Status::NO_ACCESS
    );
    let release = machine.fails(api::PINCTRL_RELEASE, &[19]);
    assert_eq!(release, Status::ARGS);
    machine.get(api::PINCTRL_REQUEST, &[19]);
    machine.get(api::PINCTRL_REQUEST, &[19]);
    machine.get(api::PINCTRL_SET_FUNCTION, &change);
    assert_eq!(machine.get(api::PINCTRL_GET_FUNCTION, &[19]), I2C0);
    for (pin, function) in [(19, 2), (19, 57), (19, u32::MAX)] {
        assert_eq!(
            machine.fails(api::PINCTRL_SET_FUNCTION, &[pin, function]),
            Status::INVALID_PARAM
        );
    }
    machine.get(api::PINCTRL_RELEASE, &[19]);
    let tristate = [19, TRISTATE, 1];
    assert_eq!(
        machine.fails(api::PINCTRL_CONFIG_PARAM_SET, &tristate),
        Status::NO_ACCESS
    );
    for api in [api::PINCTRL_REQUEST, api::PINCTRL_GET_FUNCTION] {
        assert_eq!(machine.fails(api, &[78]), Status::INVALID_PARAM);
    }
}

#[test]
fn settings_are_a_zcu102s_until_they_are_changed() {
    let mut machine = Machine::new();
    let read = |machine: &mut Machine, pin| {
        [0, 1, 2, 3, 4, 5, 6].map(|n| machine.get(api::PINCTRL_CONFIG_PARAM_GET, &[pin, n]))
    };
    assert_eq!(read(&mut machine, 18), [0, 1, 1, 0, 3, 1, 1], "receives");
    assert_eq!(read(&mut machine, 19), [0, 1, 1, 0, 3, 1, 0], "sends");
    machine.get(api::PINCTRL_REQUEST, &[18]);
    for (setting, value) in [(BIAS, 0), (PULL, 0), (DRIVE, 2), (TRISTATE, 0)] {
        machine.get(api::PINCTRL_CONFIG_PARAM_SET, &[18, setting, value]);
    }
    assert_eq!(read(&mut machine, 18), [0, 0, 0, 0, 2, 1, 0]);
    for (setting, value) in [(BIAS, 2), (DRIVE, 4), (VOLTAGE, 1), (7, 0), (u32::MAX, 0)] {
        assert_eq!(
            machine.fails(api::PINCTRL_CONFIG_PARAM_SET, &[18, setting, value]),
            Status::INVALID_PARAM
        );
    }
    assert_eq!(
        machine.fails(api::PINCTRL_CONFIG_PARAM_GET, &[18, 7]),
        Status::INVALID_PARAM
    );
}

/// The driver switches an output off only if firmware says that it can.
#[test]
fn tristate_is_announced() {
    let mut machine = Machine::new();
    let version = machine.get(api::FEATURE_CHECK, &[api::PINCTRL_CONFIG_PARAM_SET]);
    assert_eq!(version, 2);
}

#[test]
fn there_is_no_design_in_the_logic() {
    const DONE: u32 = 1 << 3;
    let status = Machine::new().get(api::FPGA_GET_STATUS, &[]);
    assert_eq!(status & DONE, 0);
}
