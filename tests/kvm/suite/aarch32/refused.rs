// SPDX-License-Identifier: Apache-2.0 OR MIT
//! 32-bit calls that no blob answers.

use fakemon_abi::note::{CALLER_AARCH32, CALLER_AARCH64, Note};
use fakemon_host::{Config, Error, Policy, Width, World, regs};
use fakemon_tests::elf::blob_with;
use fakemon_tests::machine::{END, Machine, Options, RAM, REPORT, Stop};
use fakemon_tests::trials;
use kvm_ioctls::Kvm;
use libtest_mimic::Trial;

use super::{FLAGS, SVC, THUMB, arm, call, legacy, legacy_note, thumb, undefined, witness};

fn without_a_blob_the_call_is_an_undefined_instruction() {
    const VECTORS: u64 = RAM + 0x1000;
    for (code, state, link) in [(arm(), 0, 4), (thumb(), THUMB, 2)] {
        let options = Options {
            width: Width::AArch32,
            policy: Policy::Undef,
            ..Options::default()
        };
        let mut machine = Machine::new(&legacy(witness()), code, &options);
        machine.write_ram(VECTORS + 4, undefined());
        let cpu = &mut machine.cpus[0];
        cpu.set(regs::VBAR_EL1, VECTORS);
        cpu.set(regs::PSTATE, SVC | state | FLAGS);
        assert!(call(cpu).is_none());
        assert_eq!(cpu.get(regs::PC), VECTORS + 4);
        let cpsr = cpu.get(regs::PSTATE);
        assert_eq!(cpsr & 0x1f, 0x1b, "Undefined mode");
        assert_eq!(cpsr & (THUMB | FLAGS), FLAGS, "ARM state, flags kept");
        assert_eq!(cpu.get(regs::SPSR_UND), SVC | state | FLAGS);
        assert_eq!(cpu.get(regs::LR_UND), RAM + link);
        // The guest's own handler runs.
        cpu.set(regs::x(3), REPORT);
        cpu.set(regs::x(2), END);
        let stop = cpu.run();
        assert!(matches!(stop, Stop::Ended), "{stop:?}");
        assert_eq!(cpu.log.reports, [(0, RAM + link)]);
    }
}

fn a_blob_refuses_callers_of_a_width_that_it_does_not_serve() {
    let widths = [
        (CALLER_AARCH32, Width::AArch32),
        (CALLER_AARCH64, Width::AArch64),
    ];
    for ((callers, served), (_, other)) in widths.into_iter().zip(widths.into_iter().rev()) {
        let blob = blob_with(
            Note {
                callers,
                ..legacy_note()
            },
            witness(),
            witness(),
        );
        let options = Options {
            width: served,
            ..Options::default()
        };
        let machine = Machine::new(&blob, arm(), &options);
        let kvm = Kvm::new().expect("/dev/kvm");
        let world = World::new(&kvm, &[&blob], 1, Config::default());
        let refused = world.expect("a world").lane(0, &machine.cpus[0].fd, other);
        let Err(Error::WrongCaller { board, width }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!((board.as_str(), width), ("legacy", other));
    }
}

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        without_a_blob_the_call_is_an_undefined_instruction,
        a_blob_refuses_callers_of_a_width_that_it_does_not_serve
    ]
}
