// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A GICv3 for a measured guest, which KVM then has to look at in each KVM_RUN
//! (Documentation/virt/kvm/devices/arm-vgic-v3.rst).

use kvm_bindings::{
    KVM_CREATE_DEVICE_TEST, KVM_DEV_ARM_VGIC_CTRL_INIT, KVM_DEV_ARM_VGIC_GRP_ADDR,
    KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_VGIC_V3_ADDR_TYPE_DIST, KVM_VGIC_V3_ADDR_TYPE_REDIST,
    kvm_create_device, kvm_device_attr, kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_V3,
};
use kvm_ioctls::{DeviceFd, Kvm, VmFd};

/// Where nothing else of a machine is.
const DISTRIBUTOR: u64 = 0x0800_0000;
const REDISTRIBUTORS: u64 = 0x080a_0000;

/// Whether KVM has it here.
pub(crate) fn is_there() -> bool {
    let vm = Kvm::new().and_then(|kvm| kvm.create_vm());
    vm.is_ok_and(|vm| {
        vm.create_device(&mut request(KVM_CREATE_DEVICE_TEST))
            .is_ok()
    })
}

/// Gives a guest one, whose vCPUs have all been made and have not run.
pub(crate) fn create(vm: &VmFd) -> DeviceFd {
    let device = vm.create_device(&mut request(0)).expect("a GICv3");
    let set = |group, attribute: u32, address: u64| {
        let attribute = kvm_device_attr {
            group,
            attr: attribute.into(),
            addr: address,
            flags: 0,
        };
        device.set_device_attr(&attribute).expect("a GICv3");
    };
    for (kind, address) in [
        (KVM_VGIC_V3_ADDR_TYPE_DIST, DISTRIBUTOR),
        (KVM_VGIC_V3_ADDR_TYPE_REDIST, REDISTRIBUTORS),
    ] {
        let address = (&raw const address).expose_provenance() as u64;
        set(KVM_DEV_ARM_VGIC_GRP_ADDR, kind, address);
    }
    set(KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, 0);
    device
}

fn request(flags: u32) -> kvm_create_device {
    kvm_create_device {
        type_: kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_V3,
        fd: 0,
        flags,
    }
}
