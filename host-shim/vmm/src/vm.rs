// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest's VM: built from nothing for each boot, run, and taken down again.

mod calls;
mod error;
mod gic;
mod kick;
mod pin;
mod power;
mod ring;
mod shared;
mod vcpu;
mod window;

use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use fakemon_host::{Blob, Config, Cpus, GuestMemory, Policy, Timers, Width, World, set_policy};
use kvm_bindings::{
    KVM_CAP_ARM_EL1_32BIT, KVM_CAP_ARM_SYSTEM_SUSPEND, kvm_enable_cap, kvm_userspace_memory_region,
};
use kvm_ioctls::{Kvm, VmFd};

pub use error::VmError;

use crate::console::Console;
use crate::control::Outcome;
use crate::devices::pl011::Pl011;
use crate::devices::pl031::Pl031;
use crate::devices::{Bus, pages};
use crate::dt;
use crate::events::{Events, Guest};
use crate::input::Input;
use crate::memory::Memory;
use crate::reports::Reports;
use crate::summary::Summary;
use crate::trace::Tracer;
use ring::Ring;
use shared::{Devices, Shared};
use vcpu::Vcpu;
use window::Page;

/// Bytes of the console's data register, the first.
const DR_SIZE: u32 = 4;

/// How to run a guest, beyond what it consists of.
#[derive(Debug)]
pub struct Options {
    /// Who answers firmware calls.
    pub policy: Policy,
    /// How the monitor VM treats its blob.
    pub config: Config,
    /// GIC version, if it is not up to board and KVM.
    pub gic: Option<u32>,
    /// The call trace, if one is wanted.
    pub tracer: Option<Arc<Tracer>>,
    /// What has been said of the guest so far.
    pub reports: Arc<Reports>,
    /// Keep each vCPU on the host's CPU of the same number.
    pub pin: bool,
}

/// A guest that is ready to run.
#[derive(Debug)]
pub struct Vm {
    // The order matters when these are dropped: vCPUs before the memory that they run in.
    vcpus: Vec<Vcpu>,
    uart: Arc<Mutex<Pl011>>,
    shared: Arc<Shared>,
    pin: bool,
    _gic: gic::Gic,
    _vm: Arc<VmFd>,
    _memory: Memory,
}

impl Vm {
    /// Builds the VM and loads the guest.
    ///
    /// # Errors
    /// The host lacks something, or the input does not fit together.
    pub fn new(
        input: &Input,
        options: &Options,
        console: &Arc<Mutex<Console>>,
    ) -> Result<Vm, VmError> {
        let machine = &input.board.machine;
        let kvm = open(input)?;
        let vm = kvm.create_vm_with_ipa_size(address_bits(&kvm));
        let vm = Arc::new(vm.map_err(VmError::kvm("create a VM"))?);
        suspend_exits(&vm)?;
        let blobs: Vec<_> = input.blobs.iter().collect();
        set_policy(&*vm, options.policy, &blobs)?;

        let granule = page_size();
        let in_memory = pages::in_memory(machine, granule);
        let ranges = pages::ranges(&in_memory, granule);
        let memory = Memory::new(machine.ram_base, input.ram, &ranges, granule)?;
        map(&vm, &memory)?;

        let kick_signal = options.config.kick_signal;
        kick::install_handler(kick_signal).map_err(VmError::Signal)?;
        let own_mpidr = machine.mpidr.is_some();
        let mut cpus = (0..).zip(&input.mpidr).map(|(number, &mpidr)| {
            let stolen_time = machine.stolen_time(number);
            vcpu::create(
                &vm,
                number,
                input.width,
                own_mpidr.then_some(mpidr),
                stolen_time,
            )
        });
        let cpus: Vec<_> = cpus.by_ref().collect::<Result<_, _>>()?;
        let gic = gic::create(&vm, &input.board, cpus.len(), options.gic)?;

        let irq = gic::line(&vm, machine.uart.irq);
        let uart = Pl011::new(Box::new(console.clone()), Box::new(irq));
        let uart = Arc::new(Mutex::new(uart));
        // A host without these has a console that takes longer.
        let ring = cpus.first();
        let ring = ring.and_then(|cpu| Ring::new(&vm, &cpu.fd, machine.uart.base, DR_SIZE).ok());
        let slot = memory.regions().len() as u32;
        if let Some(page) = Page::new(&vm, slot, machine.uart.base).filter(|_| ring.is_some()) {
            let mut uart = uart.lock().unwrap_or_else(PoisonError::into_inner);
            uart.show_in(Box::new(page));
        }
        let mut bus = Bus::default();
        bus.attach(machine.uart.base, Pl011::SIZE, uart.clone());
        let rtc = machine.rtc.map(|place| {
            let irq = gic::line(&vm, place.irq);
            let rtc = Arc::new(Mutex::new(Pl031::new(Box::new(seconds), Box::new(irq))));
            bus.attach(place.base, Pl031::SIZE, rtc.clone());
            rtc
        });
        pages::attach(&mut bus, &machine.pages, &in_memory);

        let shared = Arc::new(Shared::new(
            input.board.clone(),
            Devices { bus, rtc, ring },
            Cpus::new(input.mpidr.iter().copied()),
            memory.regions(),
            Timers::new().map_err(VmError::Timer)?,
            options,
        ));
        load(input, &memory, gic.version())?;
        let world = world(&kvm, &blobs, input, options, &memory)?;
        let mut vcpus = Vec::with_capacity(cpus.len());
        for (number, fd) in (0..).zip(cpus) {
            let lane = match &world {
                Some(world) => Some(world.lane(number, &fd.fd, input.width)?),
                None => None,
            };
            vcpus.push(Vcpu::new(
                number,
                fd,
                input.width,
                lane,
                options.policy,
                shared.clone(),
            ));
        }
        if let Some(world) = world {
            // Nobody else has set it.
            let _first = shared.world.set(world);
        }
        vcpus[0].boot(input.layout.kernel, input.layout.dtb)?;
        Ok(Vm {
            vcpus,
            uart,
            shared,
            pin: options.pin,
            _gic: gic,
            _vm: vm,
            _memory: memory,
        })
    }

    /// Runs the guest until it stops, and adds its calls to `summary`.
    pub fn run(
        mut self,
        events: &mut Events,
        console: &Mutex<Console>,
        summary: &mut Summary,
    ) -> Outcome {
        let control = &self.shared.control;
        thread::scope(|scope| {
            let mut threads = Vec::new();
            for vcpu in self.vcpus.drain(..) {
                let (number, pin) = (vcpu.number(), self.pin);
                let run = move || {
                    if pin && let Err(error) = pin::to_cpu(number) {
                        let why =
                            format!("cannot pin CPU {number}: {error}; has the host that many?");
                        control.stop(Outcome::Host(why));
                    }
                    vcpu.run()
                };
                let name = format!("cpu{number}");
                match thread::Builder::new().name(name).spawn_scoped(scope, run) {
                    Ok(thread) => threads.push(thread),
                    Err(error) => {
                        control.stop(Outcome::Host(format!("cannot start a thread: {error}")))
                    }
                }
            }
            let guest = Guest {
                control,
                uart: &self.uart,
                kick: &|| self.shared.kick_all(),
                drain: &|| self.shared.drain(),
                timer: self.shared.timers.as_fd(),
                look_at_timers: &|| self.shared.look_at_timers(),
                tick: &|| self.shared.tick(),
            };
            events.run_until_stopped(&guest, console);
            self.shared.kick_all();
            for (cpu, thread) in threads.into_iter().enumerate() {
                if let Ok(counts) = thread.join() {
                    summary.add(cpu, &counts);
                }
            }
        });
        // What the guest said last.
        self.shared.drain();
        control
            .outcome()
            .unwrap_or(Outcome::Host("the run ended without a reason".into()))
    }
}

/// Opens KVM and checks what this guest needs of it.
fn open(input: &Input) -> Result<Kvm, VmError> {
    let kvm = Kvm::new().map_err(VmError::open)?;
    if input.width == Width::AArch32 && kvm.check_extension_raw(KVM_CAP_ARM_EL1_32BIT.into()) <= 0 {
        return Err(VmError::No32Bit(input.board.name.clone()));
    }
    let limit = kvm.get_max_vcpus();
    if input.mpidr.len() > limit {
        return Err(VmError::TooManyCpus(limit));
    }
    Ok(kvm)
}

/// Bits of the guest's physical addresses: as many as KVM gives if nothing is said, or all that this host
/// has, if they are fewer.
pub(crate) fn address_bits(kvm: &Kvm) -> u32 {
    const DEFAULT: u32 = 40;
    match u32::try_from(kvm.get_host_ipa_limit()) {
        Ok(limit @ 1..) => limit.min(DEFAULT),
        _ => DEFAULT,
    }
}

/// Has KVM's own PSCI offer SYSTEM_SUSPEND and leave it to us; kernels before 6.0 have no such
/// thing.
fn suspend_exits(vm: &VmFd) -> Result<(), VmError> {
    if vm.check_extension_raw(KVM_CAP_ARM_SYSTEM_SUSPEND.into()) <= 0 {
        return Ok(());
    }
    let cap = kvm_enable_cap {
        cap: KVM_CAP_ARM_SYSTEM_SUSPEND,
        ..Default::default()
    };
    vm.enable_cap(&cap)
        .map_err(VmError::kvm("enable system suspend"))
}

fn map(vm: &VmFd, memory: &Memory) -> Result<(), VmError> {
    for (slot, region) in (0..).zip(memory.regions()) {
        let slot = kvm_userspace_memory_region {
            slot,
            flags: 0,
            guest_phys_addr: region.guest,
            memory_size: region.size,
            userspace_addr: region.host,
        };
        // SAFETY: the region is mapped writable, nothing else in this process refers to it, and
        // `Vm` drops its vCPUs before the memory.
        unsafe { vm.set_user_memory_region(slot) }
            .map_err(VmError::kvm("give the guest memory"))?;
    }
    Ok(())
}

fn load(input: &Input, memory: &Memory, gic: u32) -> Result<(), VmError> {
    let layout = &input.layout;
    memory.write(layout.kernel, &input.kernel.bytes)?;
    let initrd = input.initrd.as_ref().map(|initrd| (layout.initrd, initrd));
    if let Some((address, initrd)) = initrd {
        memory.write(address, initrd)?;
    }
    let description = dt::Description {
        board: &input.board,
        width: input.width,
        mpidr: &input.mpidr,
        gic,
        ram: input.ram,
        bootargs: &input.bootargs,
        initrd: initrd.map(|(address, initrd)| address..address + initrd.len() as u64),
    };
    let dtb = dt::build(&description, input.dtb.clone())?;
    Ok(memory.write(layout.dtb, &dtb)?)
}

/// The guest's secure world, unless nobody is to answer by a blob.
fn world(
    kvm: &Kvm,
    blobs: &[&Blob],
    input: &Input,
    options: &Options,
    memory: &Memory,
) -> Result<Option<World>, VmError> {
    if options.policy != Policy::Blob {
        return Ok(None);
    }
    let cpus = input.mpidr.len() as u32;
    let world = World::new(kvm, blobs, cpus, options.config.clone())?;
    for region in memory.regions() {
        let region = GuestMemory {
            guest_addr: region.guest,
            host_addr: region.host,
            size: region.size,
        };
        // SAFETY: the regions are mapped writable until the memory is dropped, and `Vm` drops the
        // lanes, and what the vCPUs share, before it.
        unsafe { world.add_memory(region) }?;
    }
    Ok(Some(world))
}

/// The host's wall clock; one from before 1970 is stopped.
fn seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

pub(crate) fn page_size() -> u64 {
    // SAFETY: sysconf has no memory arguments.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).unwrap_or(0x1_0000)
}
