// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The blob reaches the VMM's devices, by a host call or by plain loads and stores, as a secure
//! master.

use fakemon_abi::{hostcall, status};
use fakemon_tests::elf::blob;
use fakemon_tests::machine::{Access, Machine, Options, RAM};
use fakemon_tests::program::caller;
use fakemon_tests::{program, trials};
use libtest_mimic::Trial;

use super::{host_call, machine};

program!(
    loads_and_stores,
    "mov x9, x1",
    "str x2, [x9]",
    "str w2, [x9, #8]",
    "strh w2, [x9, #16]",
    "strb w2, [x9, #24]",
    "ldr x0, [x9, #32]",
    "ldr w1, [x9, #40]",
    "ldrh w2, [x9, #48]",
    "ldrsb x3, [x9, #56]",
    "eret",
);

const VALUE: u64 = 0x1122_3344_5566_7788;

/// Stores of 8, 4, 2 and 1 bytes of [`VALUE`], 8 bytes apart, and loads of the same sizes after
/// them.
fn eight_accesses(device: u64) -> Vec<Access> {
    let store = |n: u64, size, stored| Access {
        address: device + 8 * n,
        size,
        stored: Some(stored),
    };
    let load = |n: u64, size| Access {
        address: device + 8 * n,
        size,
        stored: None,
    };
    vec![
        store(0, 8, VALUE),
        store(1, 4, 0x5566_7788),
        store(2, 2, 0x7788),
        store(3, 1, 0x88),
        load(4, 8),
        load(5, 4),
        load(6, 2),
        load(7, 1),
    ]
}

fn mmio_host_calls_are_secure_accesses() {
    const DEVICE: u64 = 0x0a00_0000;
    let mut machine = machine();
    let cpu = &mut machine.cpus[0];
    for (n, size) in [(0, 8), (1, 4), (2, 2), (3, 1)] {
        let answer = host_call(cpu, hostcall::MMIO, &[DEVICE + 8 * n, size, VALUE, 1]);
        assert_eq!(answer.0, status::SUCCESS);
    }
    for (n, size) in [(4, 8), (5, 4), (6, 2), (7, 1)] {
        let answer = host_call(cpu, hostcall::MMIO, &[DEVICE + 8 * n, size, VALUE, 0]);
        let expected = 0x5a5a_5a5a_5a5a_5a5a >> (64 - 8 * size);
        assert_eq!(answer, (status::SUCCESS, [expected, 0, 0, 0]));
    }
    assert_eq!(cpu.log.secure, eight_accesses(DEVICE));
}

fn mmio_of_an_odd_size_is_refused() {
    let mut machine = machine();
    let cpu = &mut machine.cpus[0];
    for size in [0, 3, 16, u64::MAX] {
        let answer = host_call(cpu, hostcall::MMIO, &[RAM, size, VALUE, 1]);
        assert_eq!(answer, (status::INVALID_PARAMETERS, [0; 4]));
    }
    assert!(cpu.log.secure.is_empty());
}

/// The blob's map begins at zero, so a null pointer reaches the VMM, and so does RAM that it has
/// not asked for.
fn loads_and_stores_are_secure_accesses() {
    for device in [0x0a00_0000, 0, RAM, 0x7e_ffff_f000] {
        let mut machine = Machine::new(&blob(loads_and_stores()), caller(), &Options::default());
        let cpu = &mut machine.cpus[0];
        let stop = cpu.ask(&[device, VALUE]);
        assert!(stop.is_none(), "{stop:?}");
        assert_eq!(cpu.log.secure, eight_accesses(device));
        assert_eq!(
            cpu.x()[..4],
            [0x5a5a_5a5a_5a5a_5a5a, 0x5a5a_5a5a, 0x5a5a, 0x5a]
        );
    }
}

pub(super) fn tests() -> Vec<Trial> {
    trials![
        mmio_host_calls_are_secure_accesses,
        mmio_of_an_odd_size_is_refused,
        loads_and_stores_are_secure_accesses,
    ]
}
