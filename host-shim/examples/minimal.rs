// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A whole VMM: one vCPU, one page of RAM, and one SMC that a blob answers.
//!
//! Run it on arm64 Linux with /dev/kvm, and give it the blob of board virt: `minimal
//! target/blobs/virt.elf`.

#[cfg(not(all(target_arch = "aarch64", target_os = "linux")))]
fn main() {
    eprintln!("this example needs KVM on arm64 Linux; `cargo xtask test minimal` runs it in one");
}

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use fakemon_host::{Blob, BlobFault, Config, Host, Policy, Served, Trap, Width};
    use fakemon_host::{World, abi, set_policy};
    use kvm_bindings::{kvm_userspace_memory_region, kvm_vcpu_init};
    use kvm_ioctls::{Kvm, VcpuExit};

    /// What the blob asks of this VMM: it has no devices and no second CPU.
    struct Vmm;
    impl Host for Vmm {
        fn console(&mut self, text: &[u8]) {
            print!("{}", String::from_utf8_lossy(text));
        }
        fn cpu_on(&mut self, _mpidr: u64, _entry: u64, _context: u64) -> i32 {
            abi::status::NOT_PRESENT
        }
        fn cpu_affinity(&mut self, _mpidr: u64, _level: u64) -> i32 {
            abi::status::INVALID_PARAMETERS
        }
        fn mmio_read(&mut self, _address: u64, data: &mut [u8]) {
            data.fill(0);
        }
        fn mmio_write(&mut self, _address: u64, _data: &[u8]) {}
        fn event(&mut self, _code: u64, _args: [u64; 3]) {}
        fn fault(&mut self, _fault: &BlobFault) {}
    }

    // The guest: PSCI_VERSION by SMC, then a store of the answer to an address where there is only
    // the VMM.
    const GUEST: [u32; 4] = [
        0x52b0_8000, // mov w0, #0x84000000
        0xd400_0003, // smc #0
        0x52a1_2001, // mov w1, #0x09000000
        0xb900_0020, // str w0, [x1]
    ];
    const RAM: u64 = 0x4000_0000;
    // A page of any host's: the largest have 64 KiB.
    const PAGE: usize = 0x1_0000;
    #[repr(align(0x1_0000))]
    struct Page([u32; PAGE / 4]);
    let mut ram = Box::new(Page([0; PAGE / 4]));
    ram.0[..4].copy_from_slice(&GUEST);
    let host_addr = (&raw mut *ram).expose_provenance() as u64;

    let path = std::env::args().nth(1).ok_or("usage: minimal BLOB.elf")?;
    let blob = Blob::parse(&std::fs::read(path)?)?;
    let kvm = Kvm::new()?;
    let vm = kvm.create_vm()?;
    set_policy(&vm, Policy::Blob, &[&blob])?;
    let region = kvm_userspace_memory_region {
        slot: 0,
        flags: 0,
        guest_phys_addr: RAM,
        memory_size: PAGE as u64,
        userspace_addr: host_addr,
    };
    // SAFETY: `ram` is a page that outlives the VM's only run, and nothing else uses it.
    unsafe { vm.set_user_memory_region(region)? };
    // This blob needs nothing of the guest's memory, or `add_memory` would be next.
    let world = World::new(&kvm, &[&blob], 1, Config::default())?;

    let mut vcpu = vm.create_vcpu(0)?;
    let mut init = kvm_vcpu_init::default();
    vm.get_preferred_target(&mut init)?;
    vcpu.vcpu_init(&init)?;
    fakemon_host::regs::Registers::of(&vcpu).start_at(Width::AArch64, RAM, 0)?;
    let mut firmware = world.lane(0, &vcpu, Width::AArch64)?;
    loop {
        match vcpu.run()? {
            // `longmode` is where this crate shows the low half of the arm64 exit's flags.
            VcpuExit::Hypercall(call) => {
                let trap = Trap::from_exit(call.nr, call.longmode.into());
                assert_eq!(firmware.serve(trap, &mut Vmm)?, Served::Run);
            }
            VcpuExit::MmioWrite(_, data) => {
                println!("PSCI version {}.{}", data[2], data[0]);
                return Ok(());
            }
            other => return Err(format!("unexpected exit {other:?}").into()),
        }
    }
}
