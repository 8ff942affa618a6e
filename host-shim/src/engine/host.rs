// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the engine needs of the VMM while a blob runs.

use std::fs::File;
use std::io::Read;
use std::time::{SystemTime, UNIX_EPOCH};

use fakemon_abi::status::NOT_SUPPORTED;

use crate::engine::record::clock_ns;
use crate::fault::BlobFault;

/// The VMM, as the engine sees it from one vCPU's thread.
///
/// Everything here is asked by a blob, so the arguments are whatever the blob says; the VMM checks
/// them.
pub trait Host {
    /// Shows bytes that the blob writes to its console, 256 at most.
    fn console(&mut self, text: &[u8]);

    /// Starts the CPU with this MPIDR at guest physical address `entry`, with `context` in x0 or
    /// r0. Returns a `fakemon_abi::status` code, as PSCI CPU_ON does.
    fn cpu_on(&mut self, mpidr: u64, entry: u64, context: u64) -> i32;

    /// Returns 0 (on), 1 (off) or 2 (start pending) for the CPUs that `mpidr` names at this
    /// affinity level, or a negative status code, as PSCI AFFINITY_INFO does.
    fn cpu_affinity(&mut self, mpidr: u64, level: u64) -> i32;

    /// Reads 1, 2, 4 or 8 bytes of a device, as a secure access.
    fn mmio_read(&mut self, address: u64, data: &mut [u8]);

    /// Writes 1, 2, 4 or 8 bytes of a device, as a secure access.
    fn mmio_write(&mut self, address: u64, data: &[u8]);

    /// Takes an event for the VMM's trace.
    fn event(&mut self, code: u64, args: [u64; 3]);

    /// Hears of a blob fault after which the guest goes on
    /// ([`OnFault::NotSupported`](crate::OnFault::NotSupported)).
    fn fault(&mut self, fault: &BlobFault);

    /// Resets the guest unless this is called again within `ns` nanoseconds; 0 puts an end to that.
    /// Returns a `fakemon_abi::status` code: NOT_SUPPORTED from a VMM that has no such timer.
    fn watchdog(&mut self, ns: u64) -> i32 {
        let _ = ns;
        NOT_SUPPORTED
    }

    /// Returns the guest physical address of this CPU's stolen time structure (Arm DEN 0057), if
    /// the VMM has told KVM to keep one (KVM_ARM_VCPU_PVTIME_IPA).
    fn stolen_time(&mut self) -> Option<u64> {
        None
    }

    /// Nanoseconds of monotonic time, and since 1970.
    fn time(&mut self) -> (u64, u64) {
        let monotonic = clock_ns(libc::CLOCK_BOOTTIME);
        let real = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        (monotonic, real.as_nanos() as u64)
    }

    /// Fills `words` with random bits; false if there are none.
    fn entropy(&mut self, words: &mut [u64]) -> bool {
        let mut bytes = [0; 32];
        let want = &mut bytes[..8 * words.len().min(4)];
        if File::open("/dev/urandom")
            .and_then(|mut file| file.read_exact(want))
            .is_err()
        {
            return false;
        }
        for (word, chunk) in words.iter_mut().zip(want.as_chunks().0) {
            *word = u64::from_le_bytes(*chunk);
        }
        true
    }
}
