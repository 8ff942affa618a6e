// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Looks at this host by asking it: nothing is judged by a version.

use std::fs;
use std::os::unix::fs::MetadataExt;

use fakemon_host::regs::{self, Register, Registers};
use fakemon_host::{Policy, has_kernel_engine, set_policy};
use kvm_bindings::{
    KVM_CAP_ARM_EL1_32BIT, KVM_CAP_STEAL_TIME, kvm_create_device,
    kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_V2, kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_V3,
    kvm_vcpu_init,
};
use kvm_ioctls::VmFd;

use super::{Host, Kvm, NoKvm};

/// KVM's file.
const DEVICE: &str = "/dev/kvm";
/// The CPU's memory features, as a guest sees them.
const ID_AA64MMFR2: Register = regs::sysreg(3, 0, 0, 7, 2);
/// Where FEAT_S2FWB is in it: four bits.
const FWB: u32 = 40;

impl Host {
    /// Looks at this host.
    ///
    /// # Errors
    /// The kernel does not tell what it is.
    pub fn look() -> Result<Host, String> {
        const RELEASE: &str = "/proc/sys/kernel/osrelease";
        let linux = fs::read_to_string(RELEASE)
            .map_err(|error| format!("cannot read {RELEASE}: {error}"))?;
        Ok(Host {
            linux: linux.trim().to_owned(),
            page: crate::vm::page_size(),
            kvm: kvm(),
        })
    }
}

fn kvm() -> Result<Kvm, NoKvm> {
    let refused = |what: &str, error: kvm_ioctls::Error| NoKvm::Refused(format!("{what}: {error}"));
    let kvm = kvm_ioctls::Kvm::new().map_err(|error| match error.errno() {
        libc::ENOENT | libc::ENODEV | libc::ENXIO => NoKvm::Absent,
        libc::EACCES | libc::EPERM => NoKvm::Forbidden(group()),
        _ => refused(&format!("cannot open {DEVICE}"), error),
    })?;
    let make = || {
        kvm.create_vm()
            .map_err(|error| refused("cannot make a VM", error))
    };
    let filter = set_policy(&make()?, Policy::Deny, &[]).map_err(|error| error.to_string());
    let has = |capability: u32| kvm.check_extension_raw(capability.into()) > 0;
    Ok(Kvm {
        filter,
        aarch32: has(KVM_CAP_ARM_EL1_32BIT),
        gics: gics(&kvm),
        address_bits: crate::vm::address_bits(&kvm),
        vcpus: kvm.get_max_vcpus(),
        kernel_engine: has_kernel_engine(&kvm),
        s2fwb: s2fwb(&make()?),
        stolen_time: has(KVM_CAP_STEAL_TIME),
    })
}

/// The interrupt controllers that a guest can have. One VM has one at most.
fn gics(kvm: &kvm_ioctls::Kvm) -> Vec<u8> {
    let kinds = [
        (3, kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_V3),
        (2, kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_V2),
    ];
    let there = |kind: u32| {
        let mut request = kvm_create_device {
            type_: kind,
            ..Default::default()
        };
        let vm = kvm.create_vm();
        vm.is_ok_and(|vm| vm.create_device(&mut request).is_ok())
    };
    let there = kinds.into_iter().filter(|&(_, kind)| there(kind));
    there.map(|(version, _)| version).collect()
}

/// Whether the CPU has FEAT_S2FWB. Linux tells programs nothing of it, but a guest.
fn s2fwb(vm: &VmFd) -> Option<bool> {
    let mut init = kvm_vcpu_init::default();
    vm.get_preferred_target(&mut init).ok()?;
    let vcpu = vm.create_vcpu(0).ok()?;
    vcpu.vcpu_init(&init).ok()?;
    let features = Registers::of(&vcpu).get(ID_AA64MMFR2).ok()?;
    Some(features >> FWB & 0xf != 0)
}

/// The name of the group that may use KVM, or else its number.
fn group() -> String {
    let Ok(file) = fs::metadata(DEVICE) else {
        return "kvm".to_owned();
    };
    let number = file.gid().to_string();
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let name = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.to_owned())
    });
    name.unwrap_or(number)
}
