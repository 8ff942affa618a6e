// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Makes the calls of a table and compares what came back with what it expects.

use crate::REGISTERS;
use crate::table::{Call, Table};

/// What calls are made on.
pub trait Machine {
    /// Executes the call's SMC with these registers, and leaves in them what came back.
    fn smc(&mut self, immediate: u8, thumb: bool, registers: &mut [u32; REGISTERS]);
    /// Reads a word at a physical address.
    fn read(&mut self, address: u32) -> u32;
    /// Writes a word at a physical address.
    fn write(&mut self, address: u32, value: u32);
    /// Prints a character.
    fn print(&mut self, character: u8);
}

/// The most words of a call that must have changed.
pub const MAX_CHANGED: usize = 16;

/// Makes all calls and reports each; tells whether all went as expected.
pub fn run(table: &Table<'_>, machine: &mut impl Machine) -> bool {
    let mut ok = 0_u32;
    let mut failed = 0_u32;
    for (number, call) in (1..).zip(table.calls()) {
        if one(number, &call, machine) {
            report(machine, number, |machine| {
                call.name().for_each(|character| machine.print(character));
                text(machine, " ok");
            });
            ok += 1;
        } else {
            failed += 1;
        }
    }
    text(machine, "replay: ");
    decimal(machine, ok);
    text(machine, " ok, ");
    decimal(machine, failed);
    text(machine, " failed\n");
    failed == 0
}

/// Makes one call and reports what is wrong with it.
fn one(number: u32, call: &Call<'_>, machine: &mut impl Machine) -> bool {
    for pair in call.before.chunks_exact(2) {
        machine.write(pair[0], pair[1]);
    }
    let mut old = [0; MAX_CHANGED];
    for (value, &address) in old.iter_mut().zip(call.changed) {
        *value = machine.read(address);
    }
    let mut registers = [0; REGISTERS];
    for (register, &value) in registers.iter_mut().zip(call.input) {
        *register = value;
    }
    machine.smc(call.immediate, call.thumb, &mut registers);

    let mut good = true;
    for (n, &value) in registers.iter().enumerate() {
        let is = |mask: u32| mask >> n & 1 != 0;
        let wanted = if is(call.out) {
            call.output[n]
        } else {
            call.input[n]
        };
        if value != wanted && !is(call.clobbered) {
            good = false;
            report(machine, number, |machine| {
                text(machine, "r");
                decimal(machine, n as u32);
                is_not(machine, value, wanted);
            });
        }
    }
    for pair in call.after.chunks_exact(2) {
        let value = machine.read(pair[0]);
        if value != pair[1] {
            good = false;
            report(machine, number, |machine| {
                place(machine, pair[0]);
                is_not(machine, value, pair[1]);
            });
        }
    }
    for (&value, &address) in old.iter().zip(call.changed) {
        if machine.read(address) == value {
            good = false;
            report(machine, number, |machine| {
                place(machine, address);
                text(machine, " is still ");
                hexadecimal(machine, value);
            });
        }
    }
    good
}

/// Prints a line about call `number`.
pub fn report<M: Machine>(machine: &mut M, number: u32, what: impl FnOnce(&mut M)) {
    text(machine, "replay: ");
    decimal(machine, number);
    text(machine, " ");
    what(machine);
    text(machine, "\n");
}

fn is_not(machine: &mut impl Machine, value: u32, wanted: u32) {
    text(machine, " is ");
    hexadecimal(machine, value);
    text(machine, ", not ");
    hexadecimal(machine, wanted);
}

fn place(machine: &mut impl Machine, address: u32) {
    text(machine, "[");
    hexadecimal(machine, address);
    text(machine, "]");
}

/// Prints text.
pub fn text(machine: &mut impl Machine, text: &str) {
    text.bytes().for_each(|character| machine.print(character));
}

/// Prints a number as `0x` and its digits.
pub fn hexadecimal(machine: &mut impl Machine, value: u32) {
    text(machine, "0x");
    digits(machine, value, 16);
}

fn decimal(machine: &mut impl Machine, value: u32) {
    digits(machine, value, 10);
}

fn digits(machine: &mut impl Machine, value: u32, base: u32) {
    if value >= base {
        digits(machine, value / base, base);
    }
    let digit = (value % base) as u8;
    machine.print(if digit < 10 {
        b'0' + digit
    } else {
        b'a' + digit - 10
    });
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::collections::BTreeMap;
    use std::string::String;
    use std::vec::Vec;

    use super::*;
    use crate::table::tests::one_call;

    /// A machine whose firmware does to registers and memory what a test says.
    struct Fake<F> {
        firmware: F,
        memory: BTreeMap<u32, u32>,
        calls: Vec<(u8, bool)>,
        console: String,
    }

    impl<F: FnMut(&mut [u32; REGISTERS], &mut BTreeMap<u32, u32>)> Machine for Fake<F> {
        fn smc(&mut self, immediate: u8, thumb: bool, registers: &mut [u32; REGISTERS]) {
            self.calls.push((immediate, thumb));
            (self.firmware)(registers, &mut self.memory);
        }

        fn read(&mut self, address: u32) -> u32 {
            self.memory.get(&address).copied().unwrap_or(0)
        }

        fn write(&mut self, address: u32, value: u32) {
            self.memory.insert(address, value);
        }

        fn print(&mut self, character: u8) {
            self.console.push(char::from(character));
        }
    }

    /// Replays the one call on `firmware` and returns whether that went well, and the console.
    fn replay(
        firmware: impl FnMut(&mut [u32; REGISTERS], &mut BTreeMap<u32, u32>),
    ) -> (bool, String) {
        let words = one_call();
        let mut machine = Fake {
            firmware,
            memory: BTreeMap::new(),
            calls: Vec::new(),
            console: String::new(),
        };
        let good = run(&Table::parse(&words).expect("a table"), &mut machine);
        assert_eq!(machine.calls, [(1, true)]);
        (good, machine.console)
    }

    #[test]
    fn a_call_that_does_all_that_is_expected_is_good() {
        let (good, console) = replay(|registers, memory| {
            assert_eq!(registers[..], (5..18).collect::<Vec<_>>());
            assert_eq!(memory[&0x100], 1, "written before");
            registers[0] = 7;
            registers[1] = 0xdead;
            memory.insert(0x100, 2);
            memory.insert(0x104, 1);
        });
        assert_eq!(console, "replay: 1 a_cal ok\nreplay: 1 ok, 0 failed\n");
        assert!(good);
    }

    #[test]
    fn everything_else_is_named() {
        let (good, console) = replay(|registers, _| registers[12] = 0xffff_ffff);
        assert_eq!(
            console,
            "replay: 1 r0 is 0x5, not 0x7\n\
             replay: 1 r12 is 0xffffffff, not 0x11\n\
             replay: 1 [0x100] is 0x1, not 0x2\n\
             replay: 1 [0x104] is still 0x0\n\
             replay: 0 ok, 1 failed\n"
        );
        assert!(!good);
    }
}
