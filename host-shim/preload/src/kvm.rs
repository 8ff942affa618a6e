// SPDX-License-Identifier: Apache-2.0 OR MIT
//! KVM's ioctls by their numbers, and the system call itself.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

pub(crate) use kvm_bindings::KVMIO;
use kvm_bindings::{
    KVM_CAP_NR_MEMSLOTS, kvm_device_attr, kvm_dirty_log, kvm_enable_cap, kvm_guest_debug,
    kvm_mp_state, kvm_one_reg, kvm_userspace_memory_region, kvm_userspace_memory_region2,
    kvm_vcpu_init,
};
use libc::{c_int, c_ulong, c_void};
use rustix::ioctl::opcode::{none, read_write, write};

use crate::errno;
use crate::slots::Slot;

/// The byte that all of KVM's requests have as their type.
const TYPE: u8 = KVMIO as u8;

pub(crate) const CREATE_VM: u32 = none(TYPE, 0x01);
const CHECK_EXTENSION: u32 = none(TYPE, 0x03);
pub(crate) const CREATE_VCPU: u32 = none(TYPE, 0x41);
pub(crate) const GET_DIRTY_LOG: u32 = write::<kvm_dirty_log>(TYPE, 0x42);
pub(crate) const SET_USER_MEMORY_REGION: u32 = write::<kvm_userspace_memory_region>(TYPE, 0x46);
pub(crate) const SET_USER_MEMORY_REGION2: u32 = write::<kvm_userspace_memory_region2>(TYPE, 0x49);
pub(crate) const RUN: u32 = none(TYPE, 0x80);
/// `struct kvm_signal_mask` ends with an array that has no length.
pub(crate) const SET_SIGNAL_MASK: u32 = write::<u32>(TYPE, 0x8b);
pub(crate) const SET_MP_STATE: u32 = write::<kvm_mp_state>(TYPE, 0x99);
pub(crate) const SET_GUEST_DEBUG: u32 = write::<kvm_guest_debug>(TYPE, 0x9b);
pub(crate) const ENABLE_CAP: u32 = write::<kvm_enable_cap>(TYPE, 0xa3);
pub(crate) const GET_ONE_REG: u32 = write::<kvm_one_reg>(TYPE, 0xab);
pub(crate) const SET_ONE_REG: u32 = write::<kvm_one_reg>(TYPE, 0xac);
/// `struct kvm_reg_list` is a number and an array that has no length.
pub(crate) const GET_REG_LIST: u32 = read_write::<u64>(TYPE, 0xb0);
pub(crate) const ARM_VCPU_INIT: u32 = write::<kvm_vcpu_init>(TYPE, 0xae);
pub(crate) const SET_DEVICE_ATTR: u32 = write::<kvm_device_attr>(TYPE, 0xe1);

/// The system call.
///
/// # Safety
/// `argument` is what the request asks for.
pub(crate) unsafe fn ioctl(fd: c_int, request: u32, argument: *mut c_void) -> io::Result<c_int> {
    let request = c_ulong::from(request);
    // SAFETY: as the caller says.
    errno::result(unsafe { libc::syscall(libc::SYS_ioctl, fd, request, argument) })
}

/// KVM_RUN.
pub(crate) fn run(vcpu: &OwnedFd) -> io::Result<c_int> {
    // SAFETY: KVM_RUN takes no argument, and runs a guest whose memory is what the VMM has given it.
    unsafe { ioctl(vcpu.as_raw_fd(), RUN, std::ptr::null_mut()) }
}

/// KVM_SET_MP_STATE.
pub(crate) fn set_mp_state(vcpu: &OwnedFd, mp_state: u32) -> io::Result<()> {
    let mut state = kvm_mp_state { mp_state };
    // SAFETY: KVM reads one kvm_mp_state.
    unsafe { ioctl(vcpu.as_raw_fd(), SET_MP_STATE, (&raw mut state).cast()) }.map(drop)
}

/// KVM_ARM_VCPU_INIT.
pub(crate) fn vcpu_init(vcpu: &OwnedFd, mut init: kvm_vcpu_init) -> io::Result<()> {
    // SAFETY: KVM reads one kvm_vcpu_init.
    unsafe { ioctl(vcpu.as_raw_fd(), ARM_VCPU_INIT, (&raw mut init).cast()) }.map(drop)
}

/// How many memory slots a VM has.
pub(crate) fn slots(vm: &OwnedFd) -> io::Result<u32> {
    let capability = std::ptr::without_provenance_mut(KVM_CAP_NR_MEMSLOTS as usize);
    // SAFETY: the argument is a number.
    unsafe { ioctl(vm.as_raw_fd(), CHECK_EXTENSION, capability) }.map(|count| count as u32)
}

/// KVM_SET_USER_MEMORY_REGION.
///
/// # Safety
/// The slot's memory is mapped, and the guest's to write, until KVM has another for this number.
pub(crate) unsafe fn set_slot(vm: &OwnedFd, number: u32, slot: &Slot) -> io::Result<()> {
    let mut region = kvm_userspace_memory_region {
        slot: number,
        flags: slot.flags,
        guest_phys_addr: slot.guest,
        memory_size: slot.size,
        userspace_addr: slot.host,
    };
    let region = (&raw mut region).cast();
    // SAFETY: KVM reads this structure; the rest is as the caller says.
    unsafe { ioctl(vm.as_raw_fd(), SET_USER_MEMORY_REGION, region) }.map(drop)
}
