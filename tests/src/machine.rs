// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest VM of a few pages, with its monitor VM, driven step by step by a test.

use std::os::fd::AsRawFd;
use std::time::Duration;

use fakemon_host::regs::{self, Registers};
use fakemon_host::{
    Blob, Config, Error, GuestMemory, Monitor, MonitorVcpu, Policy, Step, Trap, Width,
    inject_undefined, set_policy,
};
use kvm_bindings::{
    KVM_ARM_VCPU_EL1_32BIT, KVM_ARM_VCPU_PSCI_0_2, KVM_CAP_ARM_NISV_TO_USER, KVM_EXIT_ARM_NISV,
    kvm_enable_cap, kvm_userspace_memory_region, kvm_vcpu_events, kvm_vcpu_init,
};
use kvm_ioctls::{Kvm, VcpuExit, VcpuFd, VmFd};

use crate::log::value;
pub use crate::log::{Access, Log};
use crate::ram::Ram;
use crate::turn::Turn;

/// Guest physical address of RAM; programs start here.
pub const RAM: u64 = 0x4000_0000;
/// Bytes of RAM.
pub const RAM_SIZE: u64 = 0x20_0000;
/// A store here is recorded by the machine; nothing else happens.
pub const REPORT: u64 = 0x0900_0000;
/// A store here ends the vCPU's program.
pub const END: u64 = 0x0900_1000;

/// What a vCPU's program did until it ended or the test has to act.
#[derive(Debug)]
pub enum Stop {
    /// It stored to [`END`].
    Ended,
    /// A call ended in a step that the machine does not carry out by itself.
    Step(Step),
    /// The engine failed.
    Error(Error),
    /// KVM stopped the vCPU.
    Exit(String),
}

/// A guest VM with its monitor VM.
#[derive(Debug)]
pub struct Machine {
    /// The guest's vCPUs, in order.
    pub cpus: Vec<Cpu>,
    /// The monitor VM, unless the policy is another.
    pub monitor: Option<Monitor>,
    ram: Ram,
    /// The guest's VM.
    // Last: the guest's memory is unmapped from the VM only when that is closed.
    pub vm: VmFd,
    _turn: Option<Turn>,
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
                ..Config::default()
            },
        }
    }
}

/// One vCPU of the guest and its monitor vCPU.
#[derive(Debug)]
pub struct Cpu {
    /// The guest's vCPU.
    pub fd: VcpuFd,
    /// Its half in the monitor VM.
    pub firmware: Option<MonitorVcpu>,
    /// What the test's blob and program left with the VMM.
    pub log: Log,
    width: Width,
    policy: Policy,
}

impl Machine {
    /// Makes a machine whose vCPUs all start at the beginning of `program`, with their number in x0
    /// or r0.
    pub fn new(blob: &Blob, program: &[u8], options: &Options) -> Machine {
        let turn = (options.width == Width::AArch32).then(Turn::take);
        let kvm = Kvm::new().expect("/dev/kvm");
        let vm = kvm.create_vm().expect("a VM");
        set_policy(&vm, options.policy, Some(blob)).expect("a policy");
        // Accesses without syndrome, such as atomics to a hole, come to us instead of failing
        // KVM_RUN.
        let nisv = kvm_enable_cap {
            cap: KVM_CAP_ARM_NISV_TO_USER,
            ..Default::default()
        };
        vm.enable_cap(&nisv).expect("KVM_CAP_ARM_NISV_TO_USER");
        let ram = Ram::new();
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
        let memory = [GuestMemory {
            guest_addr: RAM,
            host_addr: ram.address(),
            size: RAM_SIZE,
        }];
        let monitor = (options.policy == Policy::Blob).then(|| {
            let cpus = options.cpus + options.spare_cpus;
            // SAFETY: as above.
            unsafe { Monitor::new(blob, &memory, cpus, options.config.clone()) }
                .expect("a monitor VM")
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
                let firmware = monitor
                    .as_ref()
                    .map(|m| m.vcpu(cpu, &fd, options.width).expect("a monitor vCPU"));
                let (width, policy) = (options.width, options.policy);
                Cpu {
                    fd,
                    firmware,
                    log: Log::default(),
                    width,
                    policy,
                }
            })
            .collect();
        Machine {
            cpus,
            monitor,
            ram,
            vm,
            _turn: turn,
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

    /// Copies bytes out of the guest's RAM.
    pub fn read_ram(&self, address: u64, size: usize) -> Vec<u8> {
        self.ram.read(address, size)
    }

    /// Copies bytes into the guest's RAM.
    pub fn write_ram(&self, address: u64, bytes: &[u8]) {
        self.ram.write(address, bytes);
    }
}

impl Cpu {
    /// Reads one of the guest's registers, by its id in [`regs`].
    pub fn get(&self, register: u64) -> u64 {
        Registers::of(&self.fd).get(register).expect("a register")
    }

    /// Writes one of the guest's registers.
    pub fn set(&self, register: u64, value: u64) {
        Registers::of(&self.fd)
            .set(register, value)
            .expect("a register");
    }

    /// x0 to x30 of the guest.
    pub fn x(&self) -> [u64; 31] {
        std::array::from_fn(|n| self.get(regs::x(n as u64)))
    }

    /// Runs until the next call of the guest has exited, without serving it.
    pub fn run_to_call(&mut self) -> Result<Trap, Stop> {
        loop {
            match self.fd.run() {
                Ok(VcpuExit::Hypercall(call)) => {
                    return Ok(Trap::from_exit(call.nr, call.longmode.into()));
                }
                Ok(VcpuExit::MmioWrite(END, _)) => return Err(Stop::Ended),
                Ok(VcpuExit::MmioWrite(address, data)) if (REPORT..END).contains(&address) => {
                    let value = value(data);
                    self.log.reports.push((address - REPORT, value));
                }
                Ok(VcpuExit::MmioWrite(address, _)) => self.log.holes.push((address, true)),
                Ok(VcpuExit::MmioRead(address, data)) => {
                    data.fill(0xff);
                    self.log.holes.push((address, false));
                }
                Ok(VcpuExit::Unsupported(KVM_EXIT_ARM_NISV)) => self.refuse_blind_access(),
                Ok(other) => return Err(Stop::Exit(format!("{other:?}"))),
                Err(error) if error.errno() == libc::EINTR => self.fd.set_kvm_immediate_exit(0),
                Err(error) => return Err(Stop::Exit(error.to_string())),
            }
        }
    }

    /// Begins a call.
    pub fn begin(&mut self, trap: Trap) -> Result<Step, Error> {
        let firmware = self.firmware.as_mut().expect("a blob");
        firmware.call(trap, &mut self.log)
    }

    /// Goes on with a call that was left.
    pub fn resume(&mut self) -> Result<Step, Error> {
        let firmware = self.firmware.as_mut().expect("a blob");
        firmware.resume(&mut self.log)
    }

    /// Runs [`caller`](crate::program::caller) to its next call, and gives that call these inputs
    /// from x1 up.
    pub fn next_call(&mut self, inputs: &[u64]) -> Trap {
        let trap = self.run_to_call().expect("a guest that calls");
        for (n, &value) in (1..).zip(inputs) {
            self.set(regs::x(n), value);
        }
        trap
    }

    /// Makes a call of [`caller`](crate::program::caller) with these inputs from x1 up; [`None`]
    /// when it is done.
    pub fn ask(&mut self, inputs: &[u64]) -> Option<Stop> {
        let trap = self.next_call(inputs);
        self.serve(trap)
    }

    /// Serves a call; [`None`] when the guest can go on.
    pub fn serve(&mut self, trap: Trap) -> Option<Stop> {
        if self.firmware.is_none() {
            assert_eq!(
                self.policy,
                Policy::Undef,
                "no other policy forwards without a blob"
            );
            inject_undefined(&self.fd, self.width).expect("an exception");
            return None;
        }
        let mut step = self.begin(trap);
        while matches!(step, Ok(Step::Interrupted)) {
            step = self.resume();
        }
        match step {
            Ok(Step::Done) => None,
            Ok(step) => Some(Stop::Step(step)),
            Err(error) => Some(Stop::Error(error)),
        }
    }

    /// Makes the guest take an external abort for an access that KVM could not describe.
    fn refuse_blind_access(&mut self) {
        let exit = &self.fd.get_kvm_run().__bindgen_anon_1;
        // SAFETY: KVM_EXIT_ARM_NISV says that KVM has filled in this member.
        self.log.blind.push(unsafe { exit.arm_nisv.fault_ipa });
        let mut events = kvm_vcpu_events::default();
        events.exception.ext_dabt_pending = 1;
        self.fd.set_vcpu_events(&events).expect("an abort");
    }

    /// Runs the program until it ends or the test has to act.
    pub fn run(&mut self) -> Stop {
        loop {
            match self.run_to_call() {
                Ok(trap) => {
                    if let Some(stop) = self.serve(trap) {
                        return stop;
                    }
                }
                Err(stop) => return stop,
            }
        }
    }

    /// The guest's vCPU as a file descriptor.
    pub fn as_raw_fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }
}
