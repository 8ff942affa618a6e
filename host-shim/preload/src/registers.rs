// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Registers of the guest's first vCPU that KVM does not have: the words that its firmware remembers.
//!
//! VMMs that save a guest ask KVM which registers a vCPU has (KVM_GET_REG_LIST), and keep all of those,
//! whether they know them or not: KVM gets more with each release. So what is shown there goes along
//! wherever the guest goes, and a VMM without this library, or with another blob, is told of registers that
//! it does not have, and refuses the guest.

use std::io;

use kvm_bindings::{KVM_REG_ARM64, KVM_REG_SIZE_U64, kvm_one_reg};
use libc::{c_int, c_void};

use crate::vm::vcpu::Vcpu;
use crate::{errno, kvm};

/// The group of these registers, where KVM has such as KVM_REG_ARM_CORE: none of KVM's, and not one that it
/// is about to use, as it counts up from 0x10.
const GROUP: u64 = 0x0fac << 16;
/// The bits below it.
const NUMBER: u64 = 0xffff;
/// The vCPU that has them.
const FIRST: u32 = 0;

/// The identifier of a vCPU's first such register. The bits that KVM does not use tell the blobs apart.
fn first(vcpu: &Vcpu) -> u64 {
    let blobs = vcpu.vm.settings.digest >> 44 << 32;
    KVM_REG_ARM64 | KVM_REG_SIZE_U64 | blobs | GROUP
}

/// How many a vCPU has.
fn count(vcpu: &Vcpu) -> usize {
    match vcpu.id {
        FIRST => vcpu.vm.saved_words(),
        _ => 0,
    }
}

/// KVM_GET_REG_LIST: KVM's, and then these.
///
/// # Safety
/// As ioctl(2).
pub(crate) unsafe fn list(vcpu: &Vcpu, fd: c_int, argument: *mut c_void) -> io::Result<c_int> {
    // The number of registers that there is room for, and then that many.
    let list = argument.cast::<u64>();
    let own = count(vcpu) as u64;
    if own == 0 || list.is_null() {
        // SAFETY: as the caller says.
        return unsafe { kvm::ioctl(fd, kvm::GET_REG_LIST, argument) };
    }
    // SAFETY: the VMM says that KVM reads its room there.
    let room = unsafe { list.read_unaligned() };
    // SAFETY: as the caller says.
    let result = unsafe { kvm::ioctl(fd, kvm::GET_REG_LIST, argument) };
    let is_small = |error: &io::Error| error.raw_os_error() == Some(libc::E2BIG);
    if !result.as_ref().err().is_none_or(is_small) {
        return result;
    }
    // SAFETY: KVM has written there how many it has.
    let kvms = unsafe { list.read_unaligned() };
    // SAFETY: as above.
    unsafe { list.write_unaligned(kvms + own) };
    if result.is_err() || room < kvms + own {
        return errno::error(libc::E2BIG);
    }
    for n in 0..own {
        let place = list.wrapping_add((1 + kvms + n) as usize);
        // SAFETY: the VMM has room for as many registers after the first word.
        unsafe { place.write_unaligned(first(vcpu) + n) };
    }
    result
}

/// KVM_GET_ONE_REG and KVM_SET_ONE_REG, if it is one of these; else it is KVM's to answer.
///
/// # Safety
/// As ioctl(2).
pub(crate) unsafe fn access(
    vcpu: &Vcpu,
    request: u32,
    argument: *mut c_void,
) -> Option<io::Result<c_int>> {
    let register = argument.cast::<kvm_one_reg>();
    if vcpu.id != FIRST || register.is_null() {
        return None;
    }
    // SAFETY: the VMM says that this is what KVM reads.
    let register = unsafe { register.read_unaligned() };
    if register.id & !NUMBER != first(vcpu) {
        return None;
    }
    let n = (register.id & NUMBER) as usize;
    let place = std::ptr::with_exposed_provenance_mut::<u64>(register.addr as usize);
    let done = if request == kvm::GET_ONE_REG {
        vcpu.vm.saved_word(n).map(|word| {
            // SAFETY: the VMM has room for a register of this size there.
            unsafe { place.write_unaligned(word) };
        })
    } else {
        // SAFETY: the VMM has a register of this size there.
        vcpu.vm.restore_word(n, unsafe { place.read_unaligned() })
    };
    Some(done.map_or(errno::error(libc::ENOENT), |()| Ok(0)))
}
