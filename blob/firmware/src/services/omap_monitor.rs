// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The monitor of Texas Instruments' OMAP5 and DRA7, whichever way its functions are called.
//!
//! The chips' boot ROM takes a function in r12 and its value in r0; where OP-TEE has taken the
//! ROM's place, the same numbers are yielding calls of the silicon partner, with the value in r1
//! (Linux' mach-omap2/{omap-smc.S,omap-secure.c}). A board takes the call apart and puts the two
//! parts in here.
//!
//! Each function writes a register that only the secure world can write. One is a device's, and is
//! written for all to read. Two are the CPU's, which KVM does not let a monitor change; their
//! values are kept, and left in the VMM's trace.

use crate::error::Code;
use crate::lock::PerCpu;
use crate::platform::Platform;

/// Writes the calling CPU's auxiliary control register, ACTLR.
pub const SET_ACR: u32 = 0x107;
/// Writes the wake-up generator's AMBA_IF_MODE: whether CPUs switch off together.
pub const SET_AMBA_IF_MODE: u32 = 0x108;
/// Writes the calling CPU's CNTFRQ: the frequency of its counter in Hz.
pub const SET_CNTFRQ: u32 = 0x109;

/// Why a function has not done its work; 0 is that it has (API_HAL_RET_VALUE_OK).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Error {
    /// It could not (API_HAL_RET_VALUE_FAIL).
    Fail = 1,
    /// There is no such function (API_HAL_RET_VALUE_SERVICE_UNKNWON).
    Unknown = -1,
}

impl Code for Error {
    fn code(&self) -> i32 {
        *self as i32
    }
}

/// CPUs that an OMAP5 or DRA7 can have.
const CPUS: usize = 2;

/// The monitor of one machine.
#[derive(Debug)]
pub struct OmapMonitor {
    amba_if_mode: u64,
    cpus: PerCpu<Cpu, CPUS>,
}

/// What the monitor has written into a CPU's registers since the reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    /// Auxiliary control register.
    pub acr: Option<u32>,
    /// Frequency of the counter, in Hz.
    pub cntfrq: Option<u32>,
}

impl OmapMonitor {
    /// The monitor of a machine with AMBA_IF_MODE at this address.
    pub const fn new(amba_if_mode: u64) -> Self {
        let untouched = Cpu {
            acr: None,
            cntfrq: None,
        };
        OmapMonitor {
            amba_if_mode,
            cpus: PerCpu::new(untouched),
        }
    }

    /// Serves `function` with `value`.
    ///
    /// Functions of a CPU also leave an event in the VMM's trace, whose code is the function, with
    /// the CPU's number and the value.
    ///
    /// # Errors
    /// [`Error::Unknown`], or [`Error::Fail`] for a device or CPU that is not there.
    pub fn serve(
        &self,
        platform: &mut dyn Platform,
        function: u32,
        value: u32,
    ) -> Result<(), Error> {
        match function {
            SET_AMBA_IF_MODE => {
                let done = platform.mmio_write(self.amba_if_mode, 4, value.into());
                done.map_err(|_| Error::Fail)
            }
            SET_ACR => self.keep(platform, function, value, |cpu| cpu.acr = Some(value)),
            SET_CNTFRQ => self.keep(platform, function, value, |cpu| cpu.cntfrq = Some(value)),
            _ => Err(Error::Unknown),
        }
    }

    /// Returns what has been written into the registers of CPU number `cpu`.
    pub fn cpu(&self, cpu: u32) -> Option<Cpu> {
        self.cpus.with(cpu, |cpu| *cpu)
    }

    fn keep(
        &self,
        platform: &mut dyn Platform,
        function: u32,
        value: u32,
        change: impl FnOnce(&mut Cpu),
    ) -> Result<(), Error> {
        let number = platform.cpu();
        self.cpus.with(number, change).ok_or(Error::Fail)?;
        platform.log_event(function.into(), [number.into(), value.into(), 0]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Asked, FakePlatform};

    const AMBA_IF_MODE: u64 = 0x4828_180c;

    #[test]
    fn amba_if_mode_is_written_on_the_bus() {
        let monitor = OmapMonitor::new(AMBA_IF_MODE);
        let mut platform = FakePlatform::new(1);
        assert_eq!(monitor.serve(&mut platform, SET_AMBA_IF_MODE, 0x20), Ok(()));
        let write = Asked::MmioWrite(AMBA_IF_MODE, 4, 0x20);
        assert_eq!(platform.asked, [write]);

        let mut bare = FakePlatform::new(1).answering(|_| Err(crate::Error::InvalidParameters));
        assert_eq!(
            monitor.serve(&mut bare, SET_AMBA_IF_MODE, 0x20),
            Err(Error::Fail)
        );
    }

    #[test]
    fn each_cpu_keeps_its_own_registers() {
        let monitor = OmapMonitor::new(AMBA_IF_MODE);
        let mut platform = FakePlatform::new(2);
        assert_eq!(monitor.serve(&mut platform, SET_CNTFRQ, 6_144_000), Ok(()));
        platform.cpu = 1;
        assert_eq!(monitor.serve(&mut platform, SET_ACR, 0x40), Ok(()));
        let (first, second) = (monitor.cpu(0), monitor.cpu(1));
        assert_eq!(first.and_then(|cpu| cpu.cntfrq), Some(6_144_000));
        assert_eq!(first.and_then(|cpu| cpu.acr), None);
        assert_eq!(second.and_then(|cpu| cpu.acr), Some(0x40));
        assert_eq!(second.and_then(|cpu| cpu.cntfrq), None);
        let event = |code, cpu, value| Asked::LogEvent(code, [cpu, value, 0]);
        assert_eq!(
            platform.asked,
            [event(0x109, 0, 6_144_000), event(0x107, 1, 0x40)]
        );

        platform.cpu = 2;
        assert_eq!(
            monitor.serve(&mut platform, SET_ACR, 0x40),
            Err(Error::Fail),
            "no such CPU"
        );
        assert_eq!(monitor.cpu(2), None);
    }

    #[test]
    fn other_functions_are_unknown() {
        let monitor = OmapMonitor::new(AMBA_IF_MODE);
        for function in [0, 0x100, 0x102, 0x106, 0x10a, 0x113, u32::MAX] {
            let mut platform = FakePlatform::new(1);
            assert_eq!(
                monitor.serve(&mut platform, function, 1),
                Err(Error::Unknown)
            );
            assert_eq!(platform.asked, []);
        }
    }
}
