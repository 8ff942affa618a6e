// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The machine below a blob's firmware: the host, asked by the numbers of the ABI.

use fakemon_abi::hostcall as nr;
use fakemon_firmware::{Error, FunctionId, Platform, PowerState};

/// How a host call is made, and what of the host is not reached by one.
pub(crate) trait Doorbell {
    /// Makes host call `nr` with these arguments and zeros. The number comes last: so those of a
    /// platform's method are in their registers already.
    fn ring(&mut self, a: u64, b: u64, c: u64, d: u64, nr: u64) -> Result<(), Error>;

    /// Returns result `n`, below 4, of the call that was just made.
    fn result(&self, n: usize) -> u64;

    /// Copies bytes of the guest's memory, as [`Platform::read_memory`] promises.
    fn read_memory(&mut self, address: u64, to: &mut [u8]) -> Result<(), Error>;

    /// Copies bytes into the guest's memory, as [`Platform::write_memory`] promises.
    fn write_memory(&mut self, address: u64, from: &[u8]) -> Result<(), Error>;

    /// Returns the number of the calling CPU and how many there are.
    fn cpus(&self) -> (u32, u32);
}

/// The host as a platform.
#[derive(Debug)]
pub(crate) struct Host<D>(pub(crate) D);

/// Each method of a platform is in every blob, called or not: one of these for all of them keeps a
/// method at a few instructions.
impl<D: Doorbell> Host<D> {
    /// A call with one result.
    #[inline(never)]
    fn get(&mut self, a: u64, b: u64, nr: u64) -> Result<u64, Error> {
        self.0.ring(a, b, 0, 0, nr)?;
        Ok(self.0.result(0))
    }

    /// A call that does not return unless the host refuses it.
    #[inline(never)]
    fn leave(&mut self, a: u64, b: u64, nr: u64) -> Error {
        let left = self.0.ring(a, b, 0, 0, nr);
        left.err().unwrap_or(Error::InternalFailure)
    }
}

impl<D: Doorbell> Platform for Host<D> {
    fn cpu(&self) -> u32 {
        self.0.cpus().0
    }

    fn cpus(&self) -> u32 {
        self.0.cpus().1
    }

    fn cpu_on(&mut self, mpidr: u64, entry: u64, context: u64) -> Result<(), Error> {
        self.0.ring(mpidr, entry, context, 0, nr::CPU_ON)
    }

    fn cpu_off(&mut self) -> Error {
        self.leave(0, 0, nr::CPU_OFF)
    }

    fn cpu_affinity(&mut self, mpidr: u64, level: u64) -> Result<PowerState, Error> {
        let state = self.get(mpidr, level, nr::CPU_AFFINITY)?;
        PowerState::from_number(state).ok_or(Error::InternalFailure)
    }

    fn wait_for_interrupt(&mut self) -> Result<(), Error> {
        self.0.ring(0, 0, 0, 0, nr::WAIT_FOR_INTERRUPT)
    }

    fn cpu_resume(&mut self, entry: u64, context: u64) -> Error {
        self.leave(entry, context, nr::CPU_RESUME)
    }

    fn system_off(&mut self) -> Error {
        self.leave(0, 0, nr::SYSTEM_OFF)
    }

    fn system_reset(&mut self, kind: u64, cookie: u64) -> Error {
        self.leave(kind, cookie, nr::SYSTEM_RESET)
    }

    fn system_suspend(&mut self, entry: u64, context: u64) -> Error {
        self.leave(entry, context, nr::SYSTEM_SUSPEND)
    }

    fn interrupt(&mut self, mpidr: u64) -> Result<(), Error> {
        self.0.ring(mpidr, 0, 0, 0, nr::INTERRUPT)
    }

    fn timer(&mut self, deadline: u64) -> Result<(), Error> {
        self.0.ring(deadline, 0, 0, 0, nr::TIMER)
    }

    fn time(&mut self) -> Result<(u64, u64), Error> {
        self.0.ring(0, 0, 0, 0, nr::TIME)?;
        Ok((self.0.result(0), self.0.result(1)))
    }

    fn entropy(&mut self, words: u64) -> Result<[u64; 4], Error> {
        self.0.ring(words, 0, 0, 0, nr::ENTROPY)?;
        Ok([0, 1, 2, 3].map(|n| self.0.result(n)))
    }

    fn translate(&mut self, va: u64, write: bool) -> Result<u64, Error> {
        self.get(va, u64::from(write), nr::TRANSLATE)
    }

    fn mmio_read(&mut self, address: u64, size: u64) -> Result<u64, Error> {
        self.get(address, size, nr::MMIO)
    }

    fn mmio_write(&mut self, address: u64, size: u64, value: u64) -> Result<(), Error> {
        self.0.ring(address, size, value, 1, nr::MMIO)
    }

    fn read_memory(&mut self, address: u64, to: &mut [u8]) -> Result<(), Error> {
        self.0.read_memory(address, to)
    }

    fn write_memory(&mut self, address: u64, from: &[u8]) -> Result<(), Error> {
        self.0.write_memory(address, from)
    }

    fn watchdog(&mut self, ns: u64) -> Result<(), Error> {
        self.0.ring(ns, 0, 0, 0, nr::WATCHDOG)
    }

    fn stolen_time(&mut self) -> Result<u64, Error> {
        self.get(0, 0, nr::STOLEN_TIME)
    }

    fn set_exception(&mut self, elr: u64, spsr: u64) -> Result<(), Error> {
        self.0.ring(elr, spsr, 0, 0, nr::SET_EXCEPTION)
    }

    fn vector_base(&mut self) -> Result<u64, Error> {
        self.get(0, 0, nr::VECTOR_BASE)
    }

    fn workaround(&mut self, function: FunctionId) -> Result<i32, Error> {
        self.get(u64::from(function.0), 0, nr::WORKAROUND)
            .map(|answer| answer as i32)
    }

    fn log_event(&mut self, code: u64, [a, b, c]: [u64; 3]) {
        let _ = self.0.ring(code, a, b, c, nr::LOG_EVENT);
    }

    fn console(&mut self, text: &str) {
        let length = text.len().min(nr::CONSOLE_MAX) as u64;
        let address = text.as_ptr().expose_provenance() as u64;
        let _ = self.0.ring(address, length, 0, 0, nr::CONSOLE_WRITE);
    }
}

#[cfg(test)]
mod tests;
