// SPDX-License-Identifier: Apache-2.0 OR MIT
//! KVM's ioctls by their numbers, and the system call itself.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use kvm_bindings::{kvm_mp_state, kvm_vcpu_init};
use libc::{c_int, c_ulong, c_void};

use crate::errno;

/// The byte that all of KVM's requests have as their type.
pub(crate) const KVMIO: u32 = 0xae;

/// `_IO`, `_IOW` and `_IOWR` of <asm-generic/ioctl.h>.
const fn io(number: u32) -> u32 {
    KVMIO << 8 | number
}
const fn iow(number: u32, size: usize) -> u32 {
    1 << 30 | (size as u32) << 16 | io(number)
}

pub(crate) const CREATE_VM: u32 = io(0x01);
pub(crate) const CREATE_VCPU: u32 = io(0x41);
pub(crate) const GET_DIRTY_LOG: u32 = iow(0x42, 16);
pub(crate) const SET_USER_MEMORY_REGION: u32 = iow(0x46, 32);
pub(crate) const SET_USER_MEMORY_REGION2: u32 = iow(0x49, 160);
pub(crate) const RUN: u32 = io(0x80);
pub(crate) const SET_SIGNAL_MASK: u32 = iow(0x8b, 4);
pub(crate) const SET_MP_STATE: u32 = iow(0x99, size_of::<kvm_mp_state>());
pub(crate) const ENABLE_CAP: u32 = iow(0xa3, 104);
pub(crate) const ARM_VCPU_INIT: u32 = iow(0xae, size_of::<kvm_vcpu_init>());
pub(crate) const SET_DEVICE_ATTR: u32 = iow(0xe1, 24);

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
