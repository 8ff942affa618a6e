// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a host call reaches the host: words in the frame, then one load from the doorbell.
//!
//! The doorbell is an address without memory behind it, one page in each vCPU's block. A load from
//! it leaves the monitor VM; the host reads the frame, does what it says, writes the answer there
//! and lets the load complete. The loaded value goes to the zero register, so the load changes
//! nothing else.

use core::arch::asm;
use core::mem::offset_of;

use aarch64_cpu::registers::{Readable, TPIDR_EL1};
use fakemon_abi::frame::{Frame, PanicRecord};
use fakemon_abi::hostcall::{self, HostCall};
use fakemon_abi::layout::{DOORBELL, DOORBELL_CALL, FRAME};
use fakemon_abi::status::{INTERNAL_FAILURE, SUCCESS};

use crate::host::Host;

/// How far below the frame the doorbell's register for host calls lies, in bytes.
const DOORBELL_DISTANCE: usize = (FRAME - DOORBELL - DOORBELL_CALL) as usize;

/// The frame of the vCPU that runs, which the host reads and writes as well: hence volatile
/// accesses, no references.
#[derive(Debug)]
pub(crate) struct FrameHost {
    frame: *mut Frame,
}

impl FrameHost {
    /// Finds the frame of the vCPU that runs: the gate has put its address into TPIDR_EL1.
    pub(crate) fn current() -> Self {
        // The shim made the frame, so no object of this program lends its provenance.
        FrameHost {
            frame: core::ptr::with_exposed_provenance_mut(TPIDR_EL1.get() as usize),
        }
    }

    /// Leaves `record` for the host and gives up.
    pub(crate) fn panic(&mut self, record: PanicRecord) -> ! {
        let place = self.field::<PanicRecord>(offset_of!(Frame, panic));
        // SAFETY: `place` is the panic record of this vCPU's frame, which the shim keeps mapped and
        // aligned.
        unsafe { place.write_volatile(record) };
        loop {
            // The host does not come back from this; should it, asking again is all there is to do.
            let _ = self.call(hostcall::PANIC, [0; 6]);
        }
    }

    fn field<T>(&self, offset: usize) -> *mut T {
        self.frame.wrapping_byte_add(offset).cast()
    }

    fn answer<T>(&self, offset: usize) -> *mut T {
        self.field(offset_of!(Frame, call) + offset)
    }

    fn ring(&self) {
        let doorbell = self.frame.wrapping_byte_sub(DOORBELL_DISTANCE);
        // SAFETY: the doorbell page of this vCPU is mapped, and a load from it changes no register.
        // The host reads and writes the frame meanwhile, which an asm block without `nomem` lets
        // the compiler expect.
        unsafe {
            asm!("ldr wzr, [{at}]", at = in(reg) doorbell, options(nostack, preserves_flags));
        }
    }
}

impl Host for FrameHost {
    fn call(&mut self, nr: u64, args: [u64; 6]) -> Result<[u64; 4], i32> {
        let place = self.field::<HostCall>(offset_of!(Frame, call));
        let asked = HostCall {
            nr,
            args,
            status: i64::from(INTERNAL_FAILURE),
            results: [0; 4],
        };
        // SAFETY: `place` is the host call of this vCPU's frame, which the shim keeps mapped and
        // aligned.
        unsafe { place.write_volatile(asked) };
        self.ring();
        // SAFETY: as above; the host writes there, but not while this vCPU runs, and any bits are
        // an integer.
        let status = unsafe {
            self.answer::<i64>(offset_of!(HostCall, status))
                .read_volatile()
        };
        // SAFETY: as above.
        let results = unsafe {
            self.answer::<[u64; 4]>(offset_of!(HostCall, results))
                .read_volatile()
        };
        match i32::try_from(status) {
            Ok(SUCCESS) => Ok(results),
            Ok(code) => Err(code),
            Err(_) => Err(INTERNAL_FAILURE),
        }
    }

    fn cpu(&self) -> u32 {
        // SAFETY: the shim keeps the frame mapped and aligned, and never changes this word.
        unsafe { self.field::<u32>(offset_of!(Frame, cpu)).read_volatile() }
    }

    fn cpus(&self) -> u32 {
        // SAFETY: the shim keeps the frame mapped and aligned, and never changes this word.
        unsafe { self.field::<u32>(offset_of!(Frame, cpus)).read_volatile() }
    }
}
