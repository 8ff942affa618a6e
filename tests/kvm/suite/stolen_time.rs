// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The stolen time that a guest reads is the time that its vCPU's thread has waited for a CPU.

use fakemon_host::keep_stolen_time;
use fakemon_tests::elf::blob;
use fakemon_tests::machine::{Cpu, END, Machine, Options, RAM, Stop};
use fakemon_tests::{program, sched, trials};
use libtest_mimic::Trial;

/// Where the structures lie, 64 bytes for each vCPU.
const STRUCTURES: u64 = RAM + 0x1_0000;

program!(
    /// Keeps a CPU busy, and ends again and again.
    busy,
    "1: mov x1, #0x3000000",
    "2: subs x1, x1, #1",
    "b.ne 2b",
    "ldr x1, ={END}",
    "str xzr, [x1]",
    "b 1b",
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

fn the_guest_reads_what_its_thread_has_waited() {
    let mut machine = machine();
    for (number, cpu) in (0..).zip(&machine.cpus) {
        keep_stolen_time(&cpu.fd, STRUCTURES + 64 * number).expect("stolen time");
    }
    let waits: Vec<[u64; 2]> = std::thread::scope(|scope| {
        let run = |cpu: &mut Cpu| {
            // Both on one CPU.
            sched::pin();
            [(); 2].map(|()| {
                let stop = cpu.run();
                assert!(matches!(stop, Stop::Ended), "{stop:?}");
                sched::waited()
            })
        };
        let threads: Vec<_> = machine
            .cpus
            .iter_mut()
            .map(|cpu| scope.spawn(move || run(cpu)))
            .collect();
        let waits = threads.into_iter().map(|thread| thread.join());
        waits.map(|wait| wait.expect("no panic")).collect()
    });
    for (number, [before, after]) in (0..).zip(waits) {
        let bytes = machine.read_ram(STRUCTURES + 64 * number, 16);
        let (head, time) = bytes.split_at(8);
        assert_eq!(head, [0; 8], "revision and attributes");
        let stolen = u64::from_le_bytes(time.try_into().expect("8 bytes"));
        // KVM brings it up to date when the vCPU gets a CPU: at the latest when it began the second
        // half, and no more after its end.
        assert!(before > 0);
        assert!(
            (before..=after).contains(&stolen),
            "{before}, {stolen}, {after}"
        );
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
