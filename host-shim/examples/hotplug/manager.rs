// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The manager of the vCPUs, and their threads.

use std::error::Error;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use fakemon_host::abi::mpidr;
use fakemon_host::regs::Registers;
use fakemon_host::{BlobFault, Cpus, Host, Lane, PowerEvent, Served, Start, Trap, Width, World};
use kvm_bindings::kvm_vcpu_init;
use kvm_ioctls::{VcpuExit, VcpuFd, VmFd};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What a vCPU's thread hands to the manager.
pub(super) enum Exit {
    /// The guest has stored this to a device.
    Store(u8),
    /// The CPU is off.
    Off,
    /// The guest is.
    Shutdown,
    /// What the guest must not do, or the host could not.
    Failed(Box<dyn Error + Send + Sync>),
}

/// An exit that the manager is to handle, and which CPU's.
type Left = (usize, Exit);

/// What the manager shares with the threads.
#[derive(Default)]
struct Shared {
    cpus: Cpus,
    /// How each thread is told that a start is pending for its CPU.
    starts: Mutex<Vec<Sender<()>>>,
}

/// Owns the vCPUs.
pub(super) struct CpuManager {
    vm: VmFd,
    world: World,
    shared: Arc<Shared>,
    /// Each thread has a copy of the first.
    exits: (Sender<Left>, Receiver<Left>),
}

impl CpuManager {
    pub(super) fn new(vm: VmFd, world: World) -> CpuManager {
        let (shared, exits) = (Arc::default(), channel());
        CpuManager {
            vm,
            world,
            shared,
            exits,
        }
    }

    /// Adds a vCPU, before the guest runs or while it does. It is off.
    pub(super) fn add(&self) -> Result<usize> {
        let number = self.shared.cpus.count();
        let fd = self.vm.create_vcpu(number as u64)?;
        let mut init = kvm_vcpu_init::default();
        self.vm.get_preferred_target(&mut init)?;
        fd.vcpu_init(&init)?;
        let (start, started) = channel();
        let vcpu = Vcpu {
            number,
            init,
            firmware: self.world.lane(number as u32, &fd, Width::AArch64)?,
            fd,
            started,
            exits: self.exits.0.clone(),
            vmm: Vmm(self.shared.clone()),
        };
        let mut starts = self.shared.starts.lock();
        let starts = starts.as_mut().unwrap_or_else(PoisonError::get_mut);
        starts.push(start);
        // From now on the guest can start it.
        self.shared.cpus.add(mpidr::kvm(number as u32), false);
        thread::spawn(move || vcpu.work());
        Ok(number)
    }

    /// Starts a CPU, as the guest does by CPU_ON.
    pub(super) fn start(&self, number: usize, entry: u64) -> i32 {
        let mpidr = mpidr::kvm(number as u32);
        Vmm(self.shared.clone()).cpu_on(mpidr, entry, 0)
    }

    /// The next exit, and whose it is. A CPU that is off is so for the guest from here on.
    pub(super) fn next(&self) -> Result<(usize, Exit)> {
        let (number, exit) = self.exits.1.recv()?;
        if let Exit::Off = exit {
            self.shared.cpus.stop(number);
        }
        Ok((number, exit))
    }
}

/// A vCPU, in its thread.
struct Vcpu {
    number: usize,
    // Before the vCPU that it has borrowed.
    firmware: Lane,
    fd: VcpuFd,
    init: kvm_vcpu_init,
    started: Receiver<()>,
    exits: Sender<Left>,
    vmm: Vmm,
}

impl Vcpu {
    /// Waits for each start, and runs until the CPU is off again.
    fn work(mut self) {
        while self.started.recv().is_ok() {
            let Some(start) = self.vmm.0.cpus.take_start(self.number) else {
                continue;
            };
            let exit = self.run(start).unwrap_or_else(Exit::Failed);
            // Without a manager there is nobody to tell.
            let _ = self.exits.send((self.number, exit));
        }
    }

    /// Runs the vCPU from a start until it stops. What needs no stop is handed over on the way.
    fn run(&mut self, start: Start) -> Result<Exit> {
        self.fd.vcpu_init(&self.init)?;
        Registers::of(&self.fd).start_at(Width::AArch64, start.entry, start.context)?;
        loop {
            let exit = match self.fd.run()? {
                VcpuExit::Hypercall(call) => {
                    let trap = Trap::from_exit(call.nr, call.longmode.into());
                    match self.firmware.serve(trap, &mut self.vmm)? {
                        Served::Run => continue,
                        Served::Power(PowerEvent::CpuOff) => return Ok(Exit::Off),
                        Served::Power(PowerEvent::SystemOff) => return Ok(Exit::Shutdown),
                        other => return Err(format!("unexpected {other:?}").into()),
                    }
                }
                VcpuExit::MmioWrite(_, data) => Exit::Store(data[0]),
                other => return Err(format!("unexpected exit {other:?}").into()),
            };
            self.exits.send((self.number, exit))?;
        }
    }
}

/// What the blob asks for, on the thread of the vCPU that calls.
struct Vmm(Arc<Shared>);

impl Host for Vmm {
    fn console(&mut self, text: &[u8]) {
        print!("{}", String::from_utf8_lossy(text));
    }
    fn cpu_on(&mut self, mpidr: u64, entry: u64, context: u64) -> i32 {
        let number = match self.0.cpus.start(mpidr, Start { entry, context }) {
            Ok(number) => number,
            Err(status) => return status,
        };
        let starts = self.0.starts.lock();
        let starts = starts.unwrap_or_else(PoisonError::into_inner);
        // A thread that has ended has told the manager why.
        let _ = starts[number].send(());
        fakemon_host::abi::status::SUCCESS
    }
    fn cpu_affinity(&mut self, mpidr: u64, level: u64) -> i32 {
        self.0.cpus.affinity(mpidr, level)
    }
    fn mmio_read(&mut self, _address: u64, data: &mut [u8]) {
        data.fill(0);
    }
    fn mmio_write(&mut self, _address: u64, _data: &[u8]) {}
    fn event(&mut self, _code: u64, _args: [u64; 3]) {}
    fn fault(&mut self, _fault: &BlobFault) {}
}
