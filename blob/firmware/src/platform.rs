// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The machine below the firmware, as services see it: something to ask, which a test can play.

use crate::error::Error;
use crate::function_id::FunctionId;

/// Whether a CPU, or any of a group of CPUs, has power (PSCI AFFINITY_INFO).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum PowerState {
    /// It is on.
    On = 0,
    /// It is off.
    Off = 1,
    /// It has been asked to run and has not started yet.
    OnPending = 2,
}

impl PowerState {
    /// Returns the state of PSCI's number; [`None`] for a number that PSCI does not know.
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(PowerState::On),
            1 => Some(PowerState::Off),
            2 => Some(PowerState::OnPending),
            _ => None,
        }
    }
}

/// What secure firmware needs of the machine that it runs on.
///
/// The first methods are what every machine has. The others are refused as
/// [`NotSupported`](Error::NotSupported) unless a platform has something better to say, so that a
/// small one is easily written. A method that does not return on success returns why it was refused.
///
/// ```
/// use fakemon_firmware::{Error, Platform, PowerState};
///
/// /// A machine of one CPU that nothing but its switch puts off.
/// struct One;
///
/// impl Platform for One {
///     fn cpu(&self) -> u32 {
///         0
///     }
///     fn cpus(&self) -> u32 {
///         1
///     }
///     fn cpu_on(&mut self, _mpidr: u64, _entry: u64, _context: u64) -> Result<(), Error> {
///         Err(Error::NotPresent)
///     }
///     fn cpu_off(&mut self) -> Error {
///         Error::Denied
///     }
///     fn cpu_affinity(&mut self, mpidr: u64, _level: u64) -> Result<PowerState, Error> {
///         (mpidr == 0).then_some(PowerState::On).ok_or(Error::InvalidParameters)
///     }
///     fn wait_for_interrupt(&mut self) -> Result<(), Error> {
///         Ok(())
///     }
///     fn cpu_resume(&mut self, _entry: u64, _context: u64) -> Error {
///         Error::NotSupported
///     }
///     fn system_off(&mut self) -> Error {
///         Error::NotSupported
///     }
///     fn system_reset(&mut self, _kind: u64, _cookie: u64) -> Error {
///         Error::NotSupported
///     }
/// }
///
/// assert_eq!(One.time(), Err(Error::NotSupported), "unless it has something better to say");
/// ```
pub trait Platform {
    /// Returns the number of the calling CPU, counted from 0.
    fn cpu(&self) -> u32;

    /// Returns how many CPUs the machine has.
    fn cpus(&self) -> u32;

    /// Starts the CPU `mpidr` at physical address `entry` with `context` in its x0 or r0.
    ///
    /// # Errors
    /// [`Error::AlreadyOn`], [`Error::OnPending`], [`Error::InvalidParameters`] if there is no such
    /// CPU, [`Error::InvalidAddress`] if it cannot start there.
    fn cpu_on(&mut self, mpidr: u64, entry: u64, context: u64) -> Result<(), Error>;

    /// Stops the calling CPU.
    fn cpu_off(&mut self) -> Error;

    /// Returns the state of the CPUs at `mpidr` from affinity `level` up.
    ///
    /// # Errors
    /// [`Error::InvalidParameters`] if there is no such CPU.
    fn cpu_affinity(&mut self, mpidr: u64, level: u64) -> Result<PowerState, Error>;

    /// Waits until an interrupt is pending for the calling CPU.
    ///
    /// # Errors
    /// Whatever keeps the platform from waiting.
    fn wait_for_interrupt(&mut self) -> Result<(), Error>;

    /// Resumes the calling CPU in its reset state at `entry`.
    fn cpu_resume(&mut self, entry: u64, context: u64) -> Error;

    /// Powers the machine off.
    fn system_off(&mut self) -> Error;

    /// Resets the machine; `kind` and `cookie` are those of PSCI SYSTEM_RESET2, 0 for a plain reset.
    fn system_reset(&mut self, kind: u64, cookie: u64) -> Error;

    /// Suspends the machine until it is woken; the calling CPU then starts at `entry`.
    fn system_suspend(&mut self, entry: u64, context: u64) -> Error {
        let _ = (entry, context);
        Error::NotSupported
    }

    /// Enters the firmware on the CPU `mpidr` without a call, as soon as that CPU is in none.
    ///
    /// # Errors
    /// [`Error::InvalidParameters`] if there is no such CPU.
    fn interrupt(&mut self, mpidr: u64) -> Result<(), Error> {
        let _ = mpidr;
        Err(Error::NotSupported)
    }

    /// Enters the firmware on the calling CPU without a call when the clock of
    /// [`time`](Platform::time) has reached `deadline`; 0 takes that back.
    ///
    /// # Errors
    /// The platform has no such timer.
    fn timer(&mut self, deadline: u64) -> Result<(), Error> {
        let _ = deadline;
        Err(Error::NotSupported)
    }

    /// Returns the time in nanoseconds, of a clock that only goes forward and since 1970.
    ///
    /// # Errors
    /// The platform has no clock.
    fn time(&mut self) -> Result<(u64, u64), Error> {
        Err(Error::NotSupported)
    }

    /// Returns random bits in the first `words` words, 4 at most.
    ///
    /// # Errors
    /// The platform has no entropy to give at the moment.
    fn entropy(&mut self, words: u64) -> Result<[u64; 4], Error> {
        let _ = words;
        Err(Error::NotSupported)
    }

    /// Translates the caller's virtual address `va` for a read or, if `write`, for a write.
    ///
    /// # Errors
    /// [`Error::InvalidAddress`] if the caller itself could not make that access.
    fn translate(&mut self, va: u64, write: bool) -> Result<u64, Error> {
        let _ = (va, write);
        Err(Error::NotSupported)
    }

    /// Reads `size` bytes (1, 2, 4 or 8) from a device, as a secure access.
    ///
    /// # Errors
    /// [`Error::InvalidParameters`] for another size.
    fn mmio_read(&mut self, address: u64, size: u64) -> Result<u64, Error> {
        let _ = (address, size);
        Err(Error::NotSupported)
    }

    /// Writes the low `size` bytes (1, 2, 4 or 8) of `value` to a device, as a secure access.
    ///
    /// # Errors
    /// [`Error::InvalidParameters`] for another size.
    fn mmio_write(&mut self, address: u64, size: u64, value: u64) -> Result<(), Error> {
        let _ = (address, size, value);
        Err(Error::NotSupported)
    }

    /// Copies bytes of the caller's memory.
    ///
    /// # Errors
    /// [`Error::InvalidAddress`] if they do not all lie in one region of it; nothing has been copied
    /// then.
    fn read_memory(&mut self, address: u64, to: &mut [u8]) -> Result<(), Error> {
        let _ = (address, to);
        Err(Error::InvalidAddress)
    }

    /// Copies bytes into the caller's memory.
    ///
    /// # Errors
    /// [`Error::InvalidAddress`] if they do not all lie in one region of it that the firmware may
    /// write; nothing has been copied then.
    fn write_memory(&mut self, address: u64, from: &[u8]) -> Result<(), Error> {
        let _ = (address, from);
        Err(Error::InvalidAddress)
    }

    /// Has the machine reset unless this is called again within `ns` nanoseconds; 0 stops that.
    ///
    /// # Errors
    /// The platform has no such timer.
    fn watchdog(&mut self, ns: u64) -> Result<(), Error> {
        let _ = ns;
        Err(Error::NotSupported)
    }

    /// Returns the address of the calling CPU's stolen time structure (Arm DEN 0057, 3.2.2).
    ///
    /// # Errors
    /// The platform keeps none.
    fn stolen_time(&mut self) -> Result<u64, Error> {
        Err(Error::NotSupported)
    }

    /// Sets the caller's own ELR_EL1 and SPSR_EL1.
    ///
    /// # Errors
    /// [`Error::NotSupported`] for an AArch32 caller.
    fn set_exception(&mut self, elr: u64, spsr: u64) -> Result<(), Error> {
        let _ = (elr, spsr);
        Err(Error::NotSupported)
    }

    /// Returns the caller's own VBAR_EL1, where its exception vectors begin.
    ///
    /// # Errors
    /// [`Error::NotSupported`] for an AArch32 caller.
    fn vector_base(&mut self) -> Result<u64, Error> {
        Err(Error::NotSupported)
    }

    /// Returns what SMCCC_ARCH_FEATURES is to say of a workaround that the platform itself carries
    /// out (Arm DEN 0028, 7).
    ///
    /// # Errors
    /// [`Error::NotSupported`] for any other function, and where there is nothing that the platform
    /// could do.
    fn workaround(&mut self, function: FunctionId) -> Result<i32, Error> {
        let _ = function;
        Err(Error::NotSupported)
    }

    /// Leaves an event in the machine's trace. Nothing depends on whether it is kept.
    fn log_event(&mut self, code: u64, args: [u64; 3]) {
        let _ = (code, args);
    }

    /// Writes `text` to the machine's log. Nothing depends on its arrival.
    fn console(&mut self, text: &str) {
        let _ = text;
    }
}

/// Words in the caller's memory, little-endian.
///
/// # Errors
/// All of these fail with [`Error::InvalidAddress`] where a part of the word is not in memory.
impl dyn Platform + '_ {
    /// Reads 32 bits.
    #[allow(clippy::missing_errors_doc)]
    pub fn read_u32(&mut self, address: u64) -> Result<u32, Error> {
        let mut bytes = [0; 4];
        self.read_memory(address, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Reads 64 bits.
    #[allow(clippy::missing_errors_doc)]
    pub fn read_u64(&mut self, address: u64) -> Result<u64, Error> {
        let mut bytes = [0; 8];
        self.read_memory(address, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Writes 32 bits.
    #[allow(clippy::missing_errors_doc)]
    pub fn write_u32(&mut self, address: u64, value: u32) -> Result<(), Error> {
        self.write_memory(address, &value.to_le_bytes())
    }

    /// Writes 64 bits.
    #[allow(clippy::missing_errors_doc)]
    pub fn write_u64(&mut self, address: u64, value: u64) -> Result<(), Error> {
        self.write_memory(address, &value.to_le_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePlatform;

    /// A platform with nothing but CPUs.
    struct Small;

    impl Platform for Small {
        fn cpu(&self) -> u32 {
            0
        }
        fn cpus(&self) -> u32 {
            1
        }
        fn cpu_on(&mut self, _: u64, _: u64, _: u64) -> Result<(), Error> {
            Err(Error::AlreadyOn)
        }
        fn cpu_off(&mut self) -> Error {
            Error::Denied
        }
        fn cpu_affinity(&mut self, _: u64, _: u64) -> Result<PowerState, Error> {
            Ok(PowerState::On)
        }
        fn wait_for_interrupt(&mut self) -> Result<(), Error> {
            Ok(())
        }
        fn cpu_resume(&mut self, _: u64, _: u64) -> Error {
            Error::InternalFailure
        }
        fn system_off(&mut self) -> Error {
            Error::InternalFailure
        }
        fn system_reset(&mut self, _: u64, _: u64) -> Error {
            Error::InternalFailure
        }
    }

    #[test]
    fn a_small_platform_refuses_the_rest() {
        let platform: &mut dyn Platform = &mut Small;
        assert_eq!(platform.system_suspend(0, 0), Error::NotSupported);
        assert_eq!(platform.time(), Err(Error::NotSupported));
        assert_eq!(platform.interrupt(1), Err(Error::NotSupported));
        assert_eq!(platform.read_u32(0), Err(Error::InvalidAddress));
        assert_eq!(platform.write_u64(0, 1), Err(Error::InvalidAddress));
        platform.log_event(1, [2, 3, 4]);
        platform.console("text");
    }

    #[test]
    fn words_are_little_endian_and_errors_leave_memory_alone() {
        let mut fake = FakePlatform::new(1).with_memory(0x8000, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let platform: &mut dyn Platform = &mut fake;
        assert_eq!(platform.read_u32(0x8001), Ok(0x0504_0302));
        assert_eq!(platform.read_u64(0x8000), Ok(0x0807_0605_0403_0201));
        assert_eq!(platform.read_u64(0x8002), Err(Error::InvalidAddress));
        assert_eq!(platform.write_u32(0x8006, 0), Err(Error::InvalidAddress));
        assert_eq!(platform.write_u32(0x8000, 0xaabb_ccdd), Ok(()));
        assert_eq!(
            fake.memory(0x8000, 9),
            [0xdd, 0xcc, 0xbb, 0xaa, 5, 6, 7, 8, 9]
        );
        assert_eq!(fake.written, [(0x8000, 4)]);
    }
}
