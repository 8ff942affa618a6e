// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Runs a guest's rounds of calls and times them.

use fakemon_host::regs::{self, x};
use fakemon_host::{BlobFault, Config, Engine, Host, Policy, Served, Trap, Width};
use fakemon_tests::machine::{Cpu, Machine, Options, REPORT};
use kvm_ioctls::VcpuExit;

use super::clock::{median, ticks};
use super::programs::LEGACY_ID;

/// Calls of one round.
pub(crate) const CALLS: u64 = 8;
/// Rounds whose times count: 1,000 calls.
const ROUNDS: usize = 125;
/// Rounds before these, in which memory and caches find their place.
const WARM_UP: usize = 8;

/// A VMM that has one device, which reads as a constant.
#[derive(Debug)]
pub(crate) struct Quiet;

impl Host for Quiet {
    fn console(&mut self, _text: &[u8]) {}
    fn cpu_on(&mut self, _mpidr: u64, _entry: u64, _context: u64) -> i32 {
        fakemon_abi::status::NOT_SUPPORTED
    }
    fn cpu_affinity(&mut self, _mpidr: u64, _level: u64) -> i32 {
        fakemon_abi::status::NOT_SUPPORTED
    }
    fn mmio_read(&mut self, _address: u64, data: &mut [u8]) {
        data.fill(0x5a);
    }
    fn mmio_write(&mut self, _address: u64, _data: &[u8]) {}
    fn event(&mut self, _code: u64, _args: [u64; 3]) {}
    fn fault(&mut self, _fault: &BlobFault) {}
}

/// What a machine for measuring is made with.
pub(crate) fn options(policy: Policy, engine: Engine, width: Width, cpus: u32) -> Options {
    let options = Options::default();
    let config = Config {
        engine,
        ..options.config
    };
    Options {
        cpus,
        width,
        policy,
        config,
        ..options
    }
}

/// Tells a guest what to call.
pub(crate) fn prepare(machine: &Machine, width: Width, function: u32) {
    for cpu in &machine.cpus {
        match width {
            Width::AArch64 => cpu.set(x(21), function.into()),
            Width::AArch32 => {
                cpu.set(x(7), LEGACY_ID.into());
                cpu.set(x(10), REPORT);
            }
        }
    }
}

/// Serves a call by the blob, or what the blob wants of the VMM while KVM carries the call.
pub(crate) fn by_blob(cpu: &mut Cpu, trap: Trap) {
    let firmware = cpu.firmware.as_mut().expect("a blob");
    let mut step = firmware.serve(trap, &mut Quiet);
    while matches!(step, Ok(Served::Interrupted)) {
        step = firmware.serve_on(&mut Quiet);
    }
    assert!(matches!(step, Ok(Served::Run)), "{step:?}");
}

/// Serves a call in the VMM, from the same registers as a blob with three arguments.
pub(crate) fn by_vmm(cpu: &mut Cpu, _trap: Trap) {
    let sum = cpu.get(x(1)) + cpu.get(x(2)) + cpu.get(x(3));
    cpu.set(x(0), sum);
}

/// Runs `rounds` rounds of `calls` calls and hands out the ticks of each.
pub(crate) fn rounds(
    cpu: &mut Cpu,
    calls: u64,
    rounds: usize,
    serve: fn(&mut Cpu, Trap),
) -> Vec<u64> {
    let counter = if cpu.get(regs::PSTATE) & 0x10 == 0 {
        x(20)
    } else {
        x(8)
    };
    cpu.set(counter, calls);
    let mut samples = Vec::with_capacity(rounds);
    let mut last = ticks();
    while samples.len() < rounds {
        let trap = match cpu.fd.run() {
            Ok(VcpuExit::Hypercall(call)) => Some(Trap::from_exit(call.nr, call.longmode.into())),
            Ok(VcpuExit::MmioWrite(REPORT, _)) => None,
            Err(error) if error.errno() == libc::EINTR => continue,
            other => panic!("the guest stopped: {other:?}"),
        };
        match trap {
            Some(trap) => serve(cpu, trap),
            None => {
                let now = ticks();
                samples.push(now - last);
                last = now;
            }
        }
    }
    samples
}

/// Nanoseconds of a round of `calls` calls: the median of many.
pub(crate) fn round(cpu: &mut Cpu, calls: u64, serve: fn(&mut Cpu, Trap)) -> f64 {
    rounds(cpu, calls, WARM_UP, serve);
    median(rounds(cpu, calls, ROUNDS, serve))
}

/// Nanoseconds of one entry without a call: what rounds with one of them take longer than rounds
/// without.
pub(crate) fn entry(machine: &mut Machine) -> f64 {
    let world = machine.world.clone().expect("a blob");
    let cpu = &mut machine.cpus[0];
    let trip = round(cpu, 0, by_blob);
    let mut samples = Vec::with_capacity(ROUNDS);
    let mut last = ticks();
    for n in 0..WARM_UP + ROUNDS {
        while !matches!(cpu.fd.run(), Ok(VcpuExit::MmioWrite(REPORT, _))) {}
        world.interrupt(0, 0);
        let stop = cpu.deliver();
        assert!(stop.is_none(), "{stop:?}");
        let now = ticks();
        if n >= WARM_UP {
            samples.push(now - last);
        }
        last = now;
    }
    median(samples) - trip
}

/// Nanoseconds of one call: what rounds with calls take longer than rounds without.
pub(crate) fn call(cpu: &mut Cpu, serve: fn(&mut Cpu, Trap)) -> f64 {
    let trip = round(cpu, 0, serve);
    (round(cpu, CALLS, serve) - trip) / CALLS as f64
}

/// Nanoseconds of one call while all vCPUs of a machine make calls: the median of all their rounds.
pub(crate) fn call_on_all(machine: &mut Machine, serve: fn(&mut Cpu, Trap)) -> f64 {
    let mut round = |calls| {
        let each = |cpu: &mut Cpu| {
            rounds(cpu, calls, WARM_UP, serve);
            rounds(cpu, calls, ROUNDS, serve)
        };
        let samples = std::thread::scope(|scope| {
            let threads: Vec<_> = (machine.cpus.iter_mut())
                .map(|cpu| scope.spawn(|| each(cpu)))
                .collect();
            let samples = threads.into_iter().map(|thread| thread.join());
            samples
                .flat_map(|samples| samples.expect("rounds"))
                .collect()
        });
        median(samples)
    };
    (round(CALLS) - round(0)) / CALLS as f64
}

/// Nanoseconds of something that the VMM does: the median of as many samples of as many.
pub(crate) fn repeat(mut action: impl FnMut()) -> f64 {
    let samples = (0..ROUNDS).map(|_| {
        let start = ticks();
        for _ in 0..CALLS {
            action();
        }
        ticks() - start
    });
    median(samples.collect()) / CALLS as f64
}
