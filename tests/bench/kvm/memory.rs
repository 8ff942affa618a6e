// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a monitor VM costs before it serves anything: the memory that it touches, and the time to
//! make it.

use std::io;

use fakemon_host::{Blob, Config, Engine, Policy, Width, World};
use fakemon_tests::machine::Machine;
use kvm_ioctls::Kvm;
use serde_json::{Value, json};

use super::calls::{by_blob, options, prepare, round};
use super::clock::{nanoseconds, ticks};
use super::programs::smc;

/// PSCI_VERSION, which every board's blob for AArch64 answers.
const PSCI_VERSION: u32 = 0x8400_0000;
/// The second number of vCPUs, from which the share of one follows.
const CPUS: u32 = 4;

/// Measures with the blob of a real board.
pub(crate) fn measure(blob: &Blob, engine: Engine) -> io::Result<Value> {
    let (one, more) = (touched(blob, engine, 1)?, touched(blob, engine, CPUS)?);
    let vcpu = (more - one) / u64::from(CPUS - 1);
    Ok(json!({
        "vm_bytes": one - vcpu,
        "vcpu_bytes": vcpu,
        "build_ns": build(blob, engine),
    }))
}

/// Bytes of the monitor's memory that are there after each vCPU has made calls.
fn touched(blob: &Blob, engine: Engine, cpus: u32) -> io::Result<u64> {
    let options = options(Policy::Blob, engine, Width::AArch64, cpus);
    let mut machine = Machine::new(blob, smc(), &options);
    prepare(&machine, Width::AArch64, PSCI_VERSION);
    for cpu in &mut machine.cpus {
        round(cpu, 1, by_blob);
    }
    machine.payload().touched_memory()
}

/// Nanoseconds until a monitor VM with one vCPU is ready for a guest's first call.
fn build(blob: &Blob, engine: Engine) -> f64 {
    let options = options(Policy::Undef, engine, Width::AArch64, 1);
    let machine = Machine::new(blob, smc(), &options);
    let config = Config {
        engine,
        ..Config::default()
    };
    let kvm = Kvm::new().expect("/dev/kvm");
    let mut samples: Vec<u64> = (0..9)
        .map(|_| {
            let start = ticks();
            let world = World::new(&kvm, &[blob], 1, config.clone()).expect("a world");
            let lane = world.lane(0, &machine.cpus[0].fd, Width::AArch64);
            let time = ticks() - start;
            lane.expect("a lane");
            time
        })
        .collect();
    samples.sort_unstable();
    nanoseconds(samples[samples.len() / 2])
}
