// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A VMM in the shape of cloud-hypervisor and its like: a thread for each vCPU, whose loop hands what it cannot
//! do to a manager; and a CPU that is plugged in while the guest runs. The blob is the guest's PSCI.
//!
//! Run it on arm64 Linux with /dev/kvm, and give it the blob of board virt: `hotplug
//! target/blobs/virt.elf`.

#[cfg(not(all(target_arch = "aarch64", target_os = "linux")))]
fn main() {
    eprintln!("this example needs KVM on arm64 Linux; `cargo xtask test hotplug` runs it in one");
}

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod guest;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod manager;

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    use fakemon_host::{Blob, Config, Policy, World, set_policy};
    use manager::{CpuManager, Exit};

    /// CPUs that there is room for.
    const MOST: u32 = 3;
    let path = std::env::args().nth(1).ok_or("usage: hotplug BLOB.elf")?;
    let blob = Blob::parse(&std::fs::read(path)?)?;
    let kvm = kvm_ioctls::Kvm::new()?;
    let vm = kvm.create_vm()?;
    set_policy(&vm, Policy::Blob, &[&blob])?;
    guest::Ram::new().give_to(&vm)?;
    let world = World::new(&kvm, &[&blob], MOST, Config::default())?;

    let manager = CpuManager::new(vm, world);
    let first = manager.add()?;
    manager.add()?;
    manager.start(first, guest::ENTRY);
    loop {
        match manager.next()? {
            (cpu, Exit::Store(number)) => println!("CPU {cpu} runs as number {number}"),
            (cpu, Exit::Off) => {
                println!("CPU {cpu} is off");
                // The guest asks for one more until it is there.
                if cpu + 1 < MOST as usize {
                    println!("CPU {} is plugged in", manager.add()?);
                }
            }
            (cpu, Exit::Shutdown) => {
                println!("CPU {cpu} has switched the machine off");
                return Ok(());
            }
            (_, Exit::Failed(error)) => return Err(error),
        }
    }
}
