// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a host call reaches the host: words in the frame, then one load from the doorbell.
//!
//! The doorbell is an address without memory, one page in each vCPU's block. A load from
//! it leaves the monitor VM; the host reads the frame, does what it says, writes the answer there
//! and lets the load complete. The loaded value goes to the zero register, so the load changes
//! nothing else.

use core::arch::asm;
use core::mem::offset_of;

use aarch64_cpu::asm::barrier;
use aarch64_cpu::registers::{Readable, TPIDR_EL1};
use fakemon_abi::frame::{Frame, PanicRecord};
use fakemon_abi::hostcall::{self, HostCall};
use fakemon_abi::layout::{DOORBELL, DOORBELL_CALL, FRAME};
use fakemon_abi::status::{INTERNAL_FAILURE, SUCCESS};
use fakemon_firmware::memory::{self, Region};
use fakemon_firmware::{Error, Lock};

use crate::platform::{Doorbell, Host};
use crate::regions::Regions;

/// How far below the frame the doorbell's register for host calls lies, in bytes.
const DOORBELL_DISTANCE: usize = (FRAME - DOORBELL - DOORBELL_CALL) as usize;

/// The guest's memory, as far as the host has been asked about it.
static REGIONS: Lock<Regions> = Lock::new(Regions::UNKNOWN);

/// The access that GUEST_MEMORY gives for a region that the blob may write.
const ACCESS_WRITE: u64 = 2;

/// The frame of the vCPU that runs, which the host reads and writes as well: hence volatile
/// accesses, no references.
#[derive(Debug)]
pub(crate) struct FrameDoorbell {
    frame: *mut Frame,
}

impl FrameDoorbell {
    /// Finds the frame of the vCPU that runs: the gate has put its address into TPIDR_EL1.
    pub(crate) fn current() -> Self {
        // The shim made the frame, so no object of this program lends its provenance.
        FrameDoorbell {
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
            let _ = self.ring(0, 0, 0, 0, hostcall::PANIC);
        }
    }

    /// Checks that `size` bytes from `address` are memory of the guest's.
    fn reach(&mut self, address: u64, size: usize, write: bool) -> Result<(), Error> {
        let changes = self.memory_changes();
        let mut regions = REGIONS.get();
        // Not under the lock: a host call is made here.
        if regions.refresh(changes, |n| self.region(n).ok()) {
            REGIONS.set(regions);
        }
        memory::find(regions.known(), address, size, write).map(drop)
    }

    /// How often the guest's memory has changed.
    fn memory_changes(&self) -> u64 {
        // SAFETY: the shim keeps the frame mapped and aligned; it may write this word at any time, as
        // a whole, and any bits are an integer.
        unsafe { self.field::<u64>(offset_of!(Frame, memory)).read_volatile() }
    }

    /// Returns the guest's `n`-th region of memory as far as the blob may reach it.
    fn region(&mut self, n: u64) -> Result<Region, Error> {
        self.ring(n, 0, 0, 0, hostcall::GUEST_MEMORY)?;
        Ok(Region {
            base: self.result(0),
            size: self.result(1),
            writable: self.result(2) == ACCESS_WRITE,
        })
    }

    fn field<T>(&self, offset: usize) -> *mut T {
        self.frame.wrapping_byte_add(offset).cast()
    }

    fn answer<T>(&self, offset: usize) -> *mut T {
        self.field(offset_of!(Frame, call) + offset)
    }

    fn touch(&self) {
        let doorbell = self.frame.wrapping_byte_sub(DOORBELL_DISTANCE);
        // SAFETY: the doorbell page of this vCPU is mapped, and a load from it changes no register.
        // The host reads and writes the frame meanwhile, which an asm block without `nomem` lets
        // the compiler expect.
        unsafe {
            asm!("ldr wzr, [{at}]", at = in(reg) doorbell, options(nostack, preserves_flags));
        }
    }
}

/// Makes these bytes the same in the caches and in memory, and the caches empty of them.
///
/// The guest may have mapped the memory without caches, as it does with what it shares with
/// firmware or devices, and on a CPU without FEAT_S2FWB its accesses then bypass what the blob's own
/// have left there (Arm ARM B2.12, mismatched memory attributes).
fn clean_and_invalidate(start: *const u8, size: usize) {
    let ctr: usize;
    // SAFETY: reads a constant of the CPU, the cache type register, and nothing else.
    unsafe {
        asm!("mrs {ctr}, ctr_el0", ctr = out(reg) ctr, options(nomem, nostack, preserves_flags))
    };
    // DminLine, bits 19:16: the smallest line in words of four bytes, as a power of two.
    let line = 4 << (ctr >> 16 & 0xf);
    let first = start.addr() & !(line - 1);
    for at in (first..start.addr() + size).step_by(line) {
        // SAFETY: cleans and invalidates a line in which guest memory lies, which changes no
        // value: what was dirty is in memory afterwards.
        unsafe { asm!("dc civac, {at}", at = in(reg) at, options(nostack, preserves_flags)) };
    }
    barrier::dsb(barrier::SY);
}

impl Doorbell for FrameDoorbell {
    #[inline(never)]
    fn ring(&mut self, a: u64, b: u64, c: u64, d: u64, nr: u64) -> Result<(), Error> {
        let place = self.field::<HostCall>(offset_of!(Frame, call));
        let asked = HostCall {
            nr,
            args: [a, b, c, d, 0, 0],
            status: i64::from(INTERNAL_FAILURE),
            results: [0; 4],
        };
        // SAFETY: `place` is the host call of this vCPU's frame, which the shim keeps mapped and
        // aligned.
        unsafe { place.write_volatile(asked) };
        self.touch();
        // SAFETY: as above; the host writes there, but not while this vCPU runs, and any bits are
        // an integer.
        let status = unsafe {
            self.answer::<i64>(offset_of!(HostCall, status))
                .read_volatile()
        };
        match i32::try_from(status) {
            Ok(SUCCESS) => Ok(()),
            Ok(code) => Err(Error::from_code(code)),
            Err(_) => Err(Error::InternalFailure),
        }
    }

    fn result(&self, n: usize) -> u64 {
        let results = self.answer::<u64>(offset_of!(HostCall, results));
        // Of no more than there are.
        let place = results.wrapping_add(n & 3);
        // SAFETY: `place` is one of the four results in this vCPU's frame, which the shim keeps mapped
        // and aligned; the host writes there, but not while this vCPU runs, and any bits are an
        // integer.
        unsafe { place.read_volatile() }
    }

    fn read_memory(&mut self, address: u64, to: &mut [u8]) -> Result<(), Error> {
        self.reach(address, to.len(), false)?;
        let from = core::ptr::with_exposed_provenance::<u8>(address as usize);
        clean_and_invalidate(from, to.len());
        for (n, byte) in to.iter_mut().enumerate() {
            // SAFETY: `reach` has found these bytes in the guest's memory, which stage 1 maps
            // readable. The guest may write them meanwhile; any bits are a byte.
            *byte = unsafe { from.wrapping_add(n).read_volatile() };
        }
        Ok(())
    }

    fn write_memory(&mut self, address: u64, from: &[u8]) -> Result<(), Error> {
        self.reach(address, from.len(), true)?;
        let to = core::ptr::with_exposed_provenance_mut::<u8>(address as usize);
        clean_and_invalidate(to, from.len());
        for (n, byte) in from.iter().enumerate() {
            // SAFETY: `reach` has found these bytes in guest memory that stage 1 maps writable, and
            // nothing of the blob's own lies there.
            unsafe { to.wrapping_add(n).write_volatile(*byte) };
        }
        clean_and_invalidate(to, from.len());
        Ok(())
    }

    fn cpus(&self) -> (u32, u32) {
        // SAFETY: the shim keeps the frame mapped and aligned, and never changes this word.
        let cpu = unsafe { self.field::<u32>(offset_of!(Frame, cpu)).read_volatile() };
        // SAFETY: as above.
        let cpus = unsafe { self.field::<u32>(offset_of!(Frame, cpus)).read_volatile() };
        (cpu, cpus)
    }
}

/// Returns the host as the firmware sees it from the vCPU that runs.
pub(crate) fn host() -> Host<FrameDoorbell> {
    Host(FrameDoorbell::current())
}
