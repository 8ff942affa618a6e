// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pinning: vCPU n of the guest on CPU n of the host, and nowhere else.
//!
//! A host that is emulated needs this for 32-bit guests with several vCPUs. QEMU's TCG keeps the
//! SPSR of the AArch32 mode that a CPU is in apart from the register that a hypervisor saves and
//! restores, so that two such vCPUs which take turns on one CPU get each other's
//! (docs/decisions/0005-emulated-32-bit.md).

use std::io;
use std::mem::{size_of, zeroed};

/// Keeps the calling thread on the host's CPU number `cpu`.
pub(super) fn to_cpu(cpu: u32) -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid, empty cpu_set_t.
    let mut set: libc::cpu_set_t = unsafe { zeroed() };
    // SAFETY: `set` is valid for writing; CPU_SET ignores a number that has no bit in it.
    unsafe { libc::CPU_SET(cpu as usize, &mut set) };
    // SAFETY: the kernel reads `set`, whose size is given; 0 is the calling thread.
    match unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
