// SPDX-License-Identifier: Apache-2.0 OR MIT
//! KVM's virtual GIC (Documentation/virt/kvm/devices/arm-vgic.rst and arm-vgic-v3.rst) and its
//! input lines.

use std::sync::Arc;

use fakemon_manifest::Board;
use kvm_bindings::{
    KVM_ARM_IRQ_TYPE_SHIFT, KVM_ARM_IRQ_TYPE_SPI, KVM_DEV_ARM_VGIC_CTRL_INIT,
    KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_GRP_NR_IRQS,
    KVM_VGIC_V2_ADDR_TYPE_CPU, KVM_VGIC_V2_ADDR_TYPE_DIST, KVM_VGIC_V3_ADDR_TYPE_DIST,
    KVM_VGIC_V3_ADDR_TYPE_REDIST, kvm_create_device, kvm_device_attr,
    kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_V2, kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_V3,
};
use kvm_ioctls::{DeviceFd, VmFd};

use super::VmError;
use crate::devices::IrqLine;

/// Interrupts below this number are private to a CPU.
const FIRST_SPI: u32 = 32;
/// The fewest interrupts that a guest gets, private ones included.
const MIN_IRQS: u32 = 256;

/// The GIC of a guest.
#[derive(Debug)]
pub(super) struct Gic {
    version: u32,
    _device: DeviceFd,
}

impl Gic {
    /// Architecture version.
    pub(super) fn version(&self) -> u32 {
        self.version
    }
}

/// Makes the GIC of a board for vCPUs that have all been created: `wanted`, or the first of its
/// versions that KVM has.
pub(super) fn create(
    vm: &VmFd,
    board: &Board,
    cpus: usize,
    wanted: Option<u32>,
) -> Result<Gic, VmError> {
    let gic = &board.machine.gic;
    let usable = gic.versions_for(cpus).map(u32::from);
    let usable = usable.filter(|version| wanted.is_none_or(|wanted| wanted == *version));
    let versions: Vec<u32> = usable.collect();
    for &version in &versions {
        let (kind, addresses) = match version {
            2 => (
                kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_V2,
                [
                    (KVM_VGIC_V2_ADDR_TYPE_DIST, Some(gic.dist)),
                    (KVM_VGIC_V2_ADDR_TYPE_CPU, gic.cpu),
                ],
            ),
            _ => (
                kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_V3,
                [
                    (KVM_VGIC_V3_ADDR_TYPE_DIST, Some(gic.dist)),
                    (KVM_VGIC_V3_ADDR_TYPE_REDIST, gic.redist),
                ],
            ),
        };
        let mut request = kvm_create_device {
            type_: kind,
            fd: 0,
            flags: 0,
        };
        let Ok(device) = vm.create_device(&mut request) else {
            continue;
        };
        check_page(board, version)?;
        for (which, address) in addresses {
            if let Some(address) = address {
                set_raw(&device, KVM_DEV_ARM_VGIC_GRP_ADDR, which, &address).map_err(|source| {
                    VmError::GicPlace {
                        board: board.name.clone(),
                        address,
                        source,
                    }
                })?;
            }
        }
        let irqs = (FIRST_SPI + board.machine.last_spi() + 1).next_multiple_of(32);
        let irqs = irqs.max(MIN_IRQS);
        set(
            &device,
            KVM_DEV_ARM_VGIC_GRP_NR_IRQS,
            0,
            &irqs,
            "size the GIC",
        )?;
        let init = KVM_DEV_ARM_VGIC_CTRL_INIT;
        set(
            &device,
            KVM_DEV_ARM_VGIC_GRP_CTRL,
            init,
            &0_u64,
            "initialise the GIC",
        )?;
        return Ok(Gic {
            version,
            _device: device,
        });
    }
    let wanted = versions
        .iter()
        .map(u32::to_string)
        .collect::<Vec<_>>()
        .join(" or GICv");
    Err(VmError::NoGic {
        board: board.name.clone(),
        wanted,
    })
}

/// Refuses a GICv2 whose CPU interface is not where a page of the host's begins. KVM maps the host's own
/// there, by whole pages, so the guest would find another part of it, and lose what else is in the page.
/// (Where the host's own is no whole page either, KVM emulates it, but does not tell.)
fn check_page(board: &Board, version: u32) -> Result<(), VmError> {
    let (gic, page) = (&board.machine.gic, super::page_size());
    match gic.cpu {
        Some(address) if !gic.fits_pages(version as u8, page) => Err(VmError::GicPage {
            board: board.name.clone(),
            address,
            page,
        }),
        _ => Ok(()),
    }
}

fn set<T>(
    device: &DeviceFd,
    group: u32,
    attribute: u32,
    value: &T,
    what: &'static str,
) -> Result<(), VmError> {
    set_raw(device, group, attribute, value).map_err(VmError::kvm(what))
}

fn set_raw<T>(
    device: &DeviceFd,
    group: u32,
    attribute: u32,
    value: &T,
) -> Result<(), kvm_ioctls::Error> {
    let attribute = kvm_device_attr {
        group,
        attr: attribute.into(),
        addr: (&raw const *value).expose_provenance() as u64,
        flags: 0,
    };
    device.set_device_attr(&attribute)
}

/// An SPI of the GIC as a device drives it.
struct Line {
    vm: Arc<VmFd>,
    irq: u32,
}

/// The line of an SPI, numbered from 0.
pub(super) fn line(vm: &Arc<VmFd>, spi: u32) -> impl IrqLine + use<> {
    let irq = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | (FIRST_SPI + spi);
    Line {
        vm: vm.clone(),
        irq,
    }
}

impl IrqLine for Line {
    fn set(&self, high: bool) {
        if let Err(error) = self.vm.set_irq_line(self.irq, high) {
            crate::say!("cannot set interrupt {:#x} to {high}: {error}", self.irq);
        }
    }
}
