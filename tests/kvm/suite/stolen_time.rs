// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The stolen time that a guest reads is the time that its vCPU's thread has waited for a CPU.

use std::fs;
use std::io;

use fakemon_host::keep_stolen_time;
use fakemon_tests::elf::blob;
use fakemon_tests::machine::{Cpu, END, Machine, Options, RAM, Stop};
use fakemon_tests::{program, trials};
use libtest_mimic::Trial;

/// Where the structures lie, 64 bytes for each vCPU.
const STRUCTURES: u64 = RAM + 0x1_0000;

program!(
    /// Keeps a CPU busy.
    busy,
    "mov x1, #0x6000000",
    "1: subs x1, x1, #1",
    "b.ne 1b",
    "ldr x1, ={END}",
    "str xzr, [x1]",
    ".ltorg";
    END = END,
);

program!(no_blob, "eret");

fn machine() -> Machine {
    let options = Options {
        cpus: 2,
        ..Options::default()
    };
    Machine::new(&blob(no_blob()), busy(), &options)
}

/// Keeps the calling thread on the first CPU.
fn pin() {
    // SAFETY: a set of CPUs is an array of bits, for which zero is a value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: CPU 0 is a bit of the set.
    unsafe { libc::CPU_SET(0, &mut set) };
    // SAFETY: `set` is valid for its size.
    let pinned = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
    assert_eq!(pinned, 0, "{}", io::Error::last_os_error());
}

/// Nanoseconds that the calling thread was ready to run and did not (proc(5), schedstat).
fn waited() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("schedstat");
    let second = text.split_whitespace().nth(1);
    second.and_then(|text| text.parse().ok()).expect("a number")
}

fn the_guest_reads_what_its_thread_has_waited() {
    let mut machine = machine();
    for (number, cpu) in (0..).zip(&machine.cpus) {
        keep_stolen_time(&cpu.fd, STRUCTURES + 64 * number).expect("stolen time");
    }
    let waits: Vec<u64> = std::thread::scope(|scope| {
        let run = |cpu: &mut Cpu| {
            pin();
            let stop = cpu.run();
            assert!(matches!(stop, Stop::Ended), "{stop:?}");
            waited()
        };
        let threads: Vec<_> = machine
            .cpus
            .iter_mut()
            .map(|cpu| scope.spawn(move || run(cpu)))
            .collect();
        let waits = threads.into_iter().map(|thread| thread.join());
        waits.map(|wait| wait.expect("no panic")).collect()
    });
    for (number, waited) in (0..).zip(waits) {
        let bytes = machine.read_ram(STRUCTURES + 64 * number, 16);
        let (head, time) = bytes.split_at(8);
        assert_eq!(head, [0; 8], "revision and attributes");
        let stolen = u64::from_le_bytes(time.try_into().expect("8 bytes"));
        // KVM brings it up to date whenever the vCPU gets its CPU back; what the thread waits after
        // its last instruction in the guest is not the guest's.
        assert!(stolen <= waited, "{stolen} of {waited}");
        assert!(stolen > waited / 2, "{stolen} of {waited}");
    }
}

fn a_bad_address_and_a_second_one_are_refused() {
    let machine = machine();
    let cpu = &machine.cpus[0];
    let refused = |address| keep_stolen_time(&cpu.fd, address).expect_err("refused");
    for address in [STRUCTURES + 8, END] {
        assert_eq!(refused(address).raw_os_error(), Some(libc::EINVAL));
    }
    keep_stolen_time(&cpu.fd, STRUCTURES).expect("stolen time");
    assert_eq!(refused(STRUCTURES).raw_os_error(), Some(libc::EEXIST));
}

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        the_guest_reads_what_its_thread_has_waited,
        a_bad_address_and_a_second_one_are_refused,
    ]
}
