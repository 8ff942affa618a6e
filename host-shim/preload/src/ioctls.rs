// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The ioctls of KVM's that the VMM makes: passed on, and what KVM has taken is noted.
//!
//! Structures are read as KVM has just read them, from where the VMM has them.

use std::io;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::sync::Arc;

use kvm_bindings::{
    KVM_ARM_VCPU_PVTIME_CTRL, KVM_ARM_VCPU_PVTIME_IPA, KVM_CAP_DIRTY_LOG_RING,
    KVM_CAP_DIRTY_LOG_RING_ACQ_REL, kvm_device_attr, kvm_dirty_log, kvm_enable_cap,
    kvm_guest_debug, kvm_mp_state, kvm_userspace_memory_region, kvm_vcpu_init,
};
use libc::{c_int, c_void};

use crate::slots::Slot;
use crate::table::{self, Object};
use crate::vm::Vm;
use crate::vm::vcpu::{self, Vcpu};
use crate::{errno, kvm, registers, run, say, settings};

/// An ioctl of KVM's type.
///
/// # Safety
/// As ioctl(2).
pub(crate) unsafe fn on_kvm(fd: c_int, request: u32, argument: *mut c_void) -> io::Result<c_int> {
    match (table::find(fd), request) {
        // SAFETY: as the caller says.
        (None, kvm::CREATE_VM) => unsafe { create_vm(fd, argument) },
        // SAFETY: as the caller says.
        (Some(Object::Vm(vm)), _) => unsafe { on_vm(&vm, fd, request, argument) },
        (Some(Object::Vcpu(vcpu)), kvm::RUN) => run::run(&vcpu),
        // SAFETY: as the caller says.
        (Some(Object::Vcpu(vcpu)), _) => unsafe { on_vcpu(&vcpu, fd, request, argument) },
        // SAFETY: as the caller says.
        (None, _) => unsafe { kvm::ioctl(fd, request, argument) },
    }
}

/// Makes a VM, which has its filter when the VMM gets it.
///
/// # Safety
/// As ioctl(2).
unsafe fn create_vm(kvm: c_int, kind: *mut c_void) -> io::Result<c_int> {
    let Ok(settings) = settings::get() else {
        return errno::error(libc::EINVAL);
    };
    // SAFETY: as the caller says.
    let fd = unsafe { kvm::ioctl(kvm, kvm::CREATE_VM, kind) }?;
    let Some(settings) = settings else {
        return Ok(fd);
    };
    // SAFETY: the kernel has just made it, and nobody else knows of it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: KVM has just made a VM for it.
    let kvm = unsafe { vcpu::keep(kvm) }?;
    let vm = Vm::new(kvm, &fd, settings)?;
    let fd = fd.into_raw_fd();
    table::insert(fd, Object::Vm(Arc::new(vm)));
    Ok(fd)
}

/// An ioctl of a VM.
///
/// # Safety
/// As ioctl(2).
unsafe fn on_vm(vm: &Arc<Vm>, fd: c_int, request: u32, argument: *mut c_void) -> io::Result<c_int> {
    if request == kvm::ENABLE_CAP && vm.settings.writes_memory() {
        // SAFETY: the VMM says that this is what KVM reads.
        let capability = unsafe { argument.cast::<kvm_enable_cap>().read_volatile() }.cap;
        if matches!(
            capability,
            KVM_CAP_DIRTY_LOG_RING | KVM_CAP_DIRTY_LOG_RING_ACQ_REL
        ) {
            say!(
                "this blob writes the guest's memory, which a dirty ring cannot tell of: do without"
            );
            return errno::error(libc::EINVAL);
        }
    }
    // SAFETY: as the caller says.
    let result = unsafe { kvm::ioctl(fd, request, argument) }?;
    match request {
        // SAFETY: KVM has just made it.
        kvm::CREATE_VCPU => unsafe { add_vcpu(vm, result, argument.addr() as u32) }?,
        kvm::SET_USER_MEMORY_REGION | kvm::SET_USER_MEMORY_REGION2 => {
            // SAFETY: KVM has read this structure, with which the longer one begins.
            let region = unsafe {
                argument
                    .cast::<kvm_userspace_memory_region>()
                    .read_volatile()
            };
            let slot = Slot {
                flags: region.flags,
                guest: region.guest_phys_addr,
                size: region.memory_size,
                host: region.userspace_addr,
            };
            // SAFETY: KVM has taken it, and what is a slot's memory stays that until KVM is told
            // otherwise (KVM API, 4.35).
            unsafe { vm.set_slot(region.slot, slot) };
        }
        kvm::ENABLE_CAP => {
            // SAFETY: KVM has read this structure.
            let capability = unsafe { argument.cast::<kvm_enable_cap>().read_volatile() };
            vm.note_capability(capability.cap);
        }
        kvm::GET_DIRTY_LOG => {
            // SAFETY: KVM has read this structure.
            let log = unsafe { argument.cast::<kvm_dirty_log>().read_volatile() };
            // SAFETY: its bitmap is what KVM has just written.
            unsafe { add_dirty_pages(vm, &log) };
        }
        _ => {}
    }
    Ok(result)
}

/// Notes a vCPU.
///
/// # Safety
/// KVM has just made it, and the VMM does not know of it.
unsafe fn add_vcpu(vm: &Arc<Vm>, fd: c_int, id: u32) -> io::Result<()> {
    // SAFETY: KVM has just made it, and the VMM does not know of it.
    let file = unsafe { vcpu::keep(fd) };
    let vcpu = match file.and_then(|file| Vcpu::new(vm, file, id)) {
        Ok(vcpu) => Arc::new(vcpu),
        Err(error) => {
            say!("CPU {id} cannot be served: {error}");
            // SAFETY: nobody else has it.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
            return Err(error);
        }
    };
    vm.add(&vcpu);
    table::insert(fd, Object::Vcpu(vcpu));
    Ok(())
}

/// Adds the pages that payloads have written to those that the guest has.
///
/// # Safety
/// KVM has just written the bitmap of this slot.
unsafe fn add_dirty_pages(vm: &Vm, log: &kvm_dirty_log) {
    let Some(pages) = vm.dirty_pages(log.slot) else {
        return;
    };
    // SAFETY: a pointer is what the VMM has put there.
    let bitmap = unsafe { log.__bindgen_anon_1.dirty_bitmap }.cast::<u64>();
    for (n, own) in pages.into_iter().enumerate().filter(|(_, own)| *own != 0) {
        let word = bitmap.wrapping_add(n);
        // SAFETY: KVM has written a bit for each page of the slot, as many as `pages` has, in words.
        let all = unsafe { word.read_unaligned() } | own;
        // SAFETY: as above.
        unsafe { word.write_unaligned(all) };
    }
}

/// An ioctl of a vCPU other than KVM_RUN.
///
/// # Safety
/// As ioctl(2).
unsafe fn on_vcpu(
    vcpu: &Vcpu,
    fd: c_int,
    request: u32,
    argument: *mut c_void,
) -> io::Result<c_int> {
    match request {
        // SAFETY: as the caller says.
        kvm::GET_REG_LIST => return unsafe { registers::list(vcpu, fd, argument) },
        kvm::GET_ONE_REG | kvm::SET_ONE_REG => {
            // SAFETY: as the caller says.
            if let Some(result) = unsafe { registers::access(vcpu, request, argument) } {
                return result;
            }
        }
        kvm::ARM_VCPU_INIT => vcpu.vm.before_init(vcpu),
        _ => {}
    }
    // SAFETY: as the caller says.
    let result = unsafe { kvm::ioctl(fd, request, argument) }?;
    match request {
        kvm::ARM_VCPU_INIT => {
            // SAFETY: KVM has read this structure.
            vcpu.note_init(unsafe { argument.cast::<kvm_vcpu_init>().read_volatile() });
        }
        kvm::SET_MP_STATE => {
            // SAFETY: KVM has read this structure.
            let state = unsafe { argument.cast::<kvm_mp_state>().read_volatile() };
            vcpu.note_mp_state(state.mp_state);
        }
        kvm::SET_GUEST_DEBUG => {
            // SAFETY: KVM has read this structure.
            let debug = unsafe { argument.cast::<kvm_guest_debug>().read_volatile() };
            vcpu.note_debug(debug.control);
        }
        kvm::SET_DEVICE_ATTR => {
            // SAFETY: KVM has read this structure.
            let attr = unsafe { argument.cast::<kvm_device_attr>().read_volatile() };
            let pvtime = (KVM_ARM_VCPU_PVTIME_CTRL, u64::from(KVM_ARM_VCPU_PVTIME_IPA));
            if (attr.group, attr.attr) == pvtime {
                let address = std::ptr::with_exposed_provenance::<u64>(attr.addr as usize);
                // SAFETY: KVM has read 64 bits there for this attribute.
                vcpu.note_stolen_time(unsafe { address.read_unaligned() });
            }
        }
        kvm::SET_SIGNAL_MASK if !argument.is_null() => {
            // SAFETY: KVM has read this structure.
            unsafe { let_kick_through(vcpu, fd, argument) }?;
        }
        _ => {}
    }
    Ok(result)
}

/// Has a vCPU's own signal mask leave out the signal that gets it out of KVM_RUN.
///
/// # Safety
/// KVM has read a `struct kvm_signal_mask` there.
unsafe fn let_kick_through(vcpu: &Vcpu, fd: c_int, mask: *mut c_void) -> io::Result<()> {
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Mask {
        len: u32,
        set: [u8; 8],
    }
    // SAFETY: as the caller says; the kernel takes sets of this size alone.
    let mut mask = unsafe { mask.cast::<Mask>().read_unaligned() };
    let kick = 1_u64 << (vcpu.vm.settings.config.kick_signal - 1);
    mask.set = (u64::from_ne_bytes(mask.set) & !kick).to_ne_bytes();
    // SAFETY: KVM reads a mask of this size.
    unsafe { kvm::ioctl(fd, kvm::SET_SIGNAL_MASK, (&raw mut mask).cast()) }.map(drop)
}
