// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest VM of a few pages, with its monitor VM, driven step by step by a test.
//!
//! With either engine, as the environment says: `FAKEMON_ENGINE` is `userspace` or `kernel`, or not
//! set, and then the engine is the library's choice.

use std::sync::Arc;
use std::time::Duration;

use fakemon_host::regs::Registers;
use fakemon_host::{Blob, Config, Engine, GuestMemory, Payload, Policy, Width, World, set_policy};
use fakemon_launch::env;
use kvm_bindings::{
    KVM_ARM_VCPU_EL1_32BIT, KVM_ARM_VCPU_PSCI_0_2, KVM_CAP_ARM_NISV_TO_USER, kvm_enable_cap,
    kvm_userspace_memory_region, kvm_vcpu_init,
};
use kvm_ioctls::{Kvm, VmFd};

pub use crate::cpu::Cpu;
pub use crate::host::page_size;
pub use crate::log::{Access, Log};
use crate::only_one_32bit::OnlyOne32Bit;
pub use crate::ram::{RAM, RAM_SIZE, Ram};
pub use crate::stop::{END, REPORT, Stop};

mod moved;

pub use moved::Saved;

/// A guest VM with its monitor VM.
#[derive(Debug)]
pub struct Machine {
    /// The guest's vCPUs, in order.
    pub cpus: Vec<Cpu>,
    /// The guest's payloads, unless the policy is another.
    pub world: Option<World>,
    ram: Arc<Ram>,
    more: Vec<Ram>,
    /// The guest's VM.
    // Last: the guest's memory is unmapped from the VM only when that is closed.
    pub vm: VmFd,
    _only: Option<OnlyOne32Bit>,
}

/// What a test wants.
#[derive(Clone, Debug)]
pub struct Options {
    /// Number of vCPUs.
    pub cpus: u32,
    /// How many more vCPUs the monitor VM hears of that are never made.
    pub spare_cpus: u32,
    /// Width of the guest's EL1.
    pub width: Width,
    /// Who answers.
    pub policy: Policy,
    /// How the engine treats the blob.
    pub config: Config,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            cpus: 1,
            spare_cpus: 0,
            width: Width::AArch64,
            policy: Policy::Blob,
            // Tests of the watchdog set a limit; no other may fail because the machine is busy.
            config: Config {
                watchdog: Duration::from_secs(60),
                watchdog_wall: Duration::from_secs(600),
                engine: engine(),
                ..Config::default()
            },
        }
    }
}

/// A machine with one vCPU that keeps its last call on record.
pub fn logging() -> Options {
    let mut options = Options::default();
    options.config.log = 1;
    options
}

/// Who carries calls, as the environment says.
///
/// # Panics
/// When it names no engine.
pub fn engine() -> Engine {
    env::engine().expect("a choice of engine")
}

impl Machine {
    /// Makes a machine whose vCPUs all start at the beginning of `program`, with their number in x0
    /// or r0.
    pub fn new(blob: &Blob, program: &[u8], options: &Options) -> Machine {
        Machine::with(&[blob], program, options)
    }

    /// Makes the machine with several blobs.
    ///
    /// # Panics
    /// As for [`new`](Self::new).
    pub fn with(blobs: &[&Blob], program: &[u8], options: &Options) -> Machine {
        let only = (options.width == Width::AArch32).then(OnlyOne32Bit::wait);
        let kvm = Kvm::new().expect("/dev/kvm");
        let vm = kvm.create_vm().expect("a VM");
        set_policy(&vm, options.policy, blobs).expect("a policy");
        // Accesses without syndrome, such as atomics to a hole, come to us instead of failing
        // KVM_RUN.
        let nisv = kvm_enable_cap {
            cap: KVM_CAP_ARM_NISV_TO_USER,
            ..Default::default()
        };
        vm.enable_cap(&nisv).expect("KVM_CAP_ARM_NISV_TO_USER");
        let ram = Arc::new(Ram::new());
        ram.write(RAM, program);
        let region = kvm_userspace_memory_region {
            slot: 0,
            flags: 0,
            guest_phys_addr: RAM,
            memory_size: RAM_SIZE,
            userspace_addr: ram.address(),
        };
        // SAFETY: `ram` is dropped with the machine, after its vCPUs, and accessed by copies only.
        unsafe { vm.set_user_memory_region(region) }.expect("RAM");
        let memory = GuestMemory {
            guest_addr: RAM,
            host_addr: ram.address(),
            size: RAM_SIZE,
        };
        let world = (options.policy == Policy::Blob).then(|| {
            let cpus = options.cpus + options.spare_cpus;
            let world = World::new(&kvm, blobs, cpus, options.config.clone()).expect("a world");
            // SAFETY: as above.
            unsafe { world.add_memory(memory) }.expect("guest memory");
            world
        });
        let cpus = (0..options.cpus)
            .map(|cpu| {
                let fd = vm.create_vcpu(cpu.into()).expect("a vCPU");
                let mut init = kvm_vcpu_init::default();
                vm.get_preferred_target(&mut init).expect("a CPU model");
                init.features[0] |= 1 << KVM_ARM_VCPU_PSCI_0_2;
                if options.width == Width::AArch32 {
                    init.features[0] |= 1 << KVM_ARM_VCPU_EL1_32BIT;
                }
                fd.vcpu_init(&init).expect("an initialised vCPU");
                Registers::of(&fd)
                    .start_at(options.width, RAM, cpu.into())
                    .expect("a start");
                let firmware = world
                    .as_ref()
                    .map(|world| world.lane(cpu, &fd, options.width).expect("a lane"));
                let carried = world
                    .as_ref()
                    .is_some_and(|world| world.engine() == Engine::Kernel);
                Cpu::new(
                    fd,
                    firmware,
                    ram.clone(),
                    options.width,
                    options.policy,
                    carried,
                )
            })
            .collect();
        Machine {
            cpus,
            world,
            ram,
            more: Vec::new(),
            vm,
            _only: only,
        }
    }

    /// A machine with one AArch64 vCPU, run until its program stops.
    pub fn run(blob: &Blob, program: &[u8]) -> (Machine, Stop) {
        let mut machine = Machine::new(blob, program, &Options::default());
        let stop = machine.cpus[0].run();
        (machine, stop)
    }

    /// Runs every vCPU on a thread of its own, until all their programs have stopped.
    pub fn run_all(&mut self) -> Vec<Stop> {
        std::thread::scope(|scope| {
            let start = |cpu| scope.spawn(|| Cpu::run(cpu));
            let threads: Vec<_> = self.cpus.iter_mut().map(start).collect();
            let stops = threads.into_iter().map(|thread| thread.join());
            stops.map(|stop| stop.expect("no panic")).collect()
        })
    }

    /// Gives the guest a page of the host's of its own at `page`, which the monitor does not hear of.
    pub fn add_page(&mut self, page: u64, bytes: &[u8]) {
        let more = Ram::new();
        more.write(RAM, bytes);
        let region = kvm_userspace_memory_region {
            slot: 1 + self.more.len() as u32,
            flags: 0,
            guest_phys_addr: page,
            memory_size: page_size(),
            userspace_addr: more.address(),
        };
        // SAFETY: as for RAM.
        unsafe { self.vm.set_user_memory_region(region) }.expect("a page");
        self.more.push(more);
    }

    /// The first payload.
    ///
    /// # Panics
    /// The policy is that no blob answers.
    pub fn payload(&self) -> &Payload {
        let first = self
            .world
            .as_ref()
            .and_then(|world| world.payloads().next());
        first.expect("a blob")
    }

    /// Copies bytes out of the guest's RAM.
    pub fn read_ram(&self, address: u64, size: usize) -> Vec<u8> {
        self.ram.read(address, size)
    }

    /// Copies bytes into the guest's RAM.
    pub fn write_ram(&self, address: u64, bytes: &[u8]) {
        self.ram.write(address, bytes);
    }
}
