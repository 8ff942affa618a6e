// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The host as services see it: something to ask, which a test can play.

use fakemon_abi::hostcall;
use fakemon_abi::status::INTERNAL_FAILURE;

use crate::function_id::FunctionId;
use crate::memory::Stretch;

/// The other end of host calls.
pub trait Host {
    /// Makes host call `nr`, a constant of [`hostcall`].
    ///
    /// # Errors
    /// The host's [status](fakemon_abi::status) code, which is never SUCCESS.
    fn call(&mut self, nr: u64, args: [u64; 6]) -> Result<[u64; 4], i32>;

    /// Copies bytes of the guest's memory.
    ///
    /// # Errors
    /// INVALID_ADDRESS if they do not all lie in one stretch of it; nothing has been copied then.
    fn read_memory(&mut self, address: u64, to: &mut [u8]) -> Result<(), i32>;

    /// Copies bytes into the guest's memory.
    ///
    /// # Errors
    /// INVALID_ADDRESS if they do not all lie in one stretch of it that the blob may write; nothing
    /// has been copied then.
    fn write_memory(&mut self, address: u64, from: &[u8]) -> Result<(), i32>;

    /// Returns the number of the calling CPU, counted from 0.
    fn cpu(&self) -> u32;

    /// Returns how many CPUs the guest has.
    fn cpus(&self) -> u32;
}

/// Each host call with its own arguments. A call that does not return on success returns why it was
/// refused.
impl dyn Host + '_ {
    /// Writes `text`, 256 bytes of it at most, to the VMM's log. Nothing depends on its arrival.
    pub fn console(&mut self, text: &str) {
        let length = text.len().min(hostcall::CONSOLE_MAX) as u64;
        let address = text.as_ptr().expose_provenance() as u64;
        let _ = self.call(hostcall::CONSOLE_WRITE, [address, length, 0, 0, 0, 0]);
    }

    /// Starts the CPU `mpidr` at guest physical address `entry` with `context` in its x0 or r0.
    ///
    /// # Errors
    /// ALREADY_ON, ON_PENDING, INVALID_PARAMETERS, INVALID_ADDRESS or another code of the host.
    pub fn cpu_on(&mut self, mpidr: u64, entry: u64, context: u64) -> Result<(), i32> {
        self.call(hostcall::CPU_ON, [mpidr, entry, context, 0, 0, 0])
            .map(drop)
    }

    /// Stops the calling CPU.
    pub fn cpu_off(&mut self) -> i32 {
        self.leave(hostcall::CPU_OFF, [0; 6])
    }

    /// Returns the state of the CPUs at `mpidr` from affinity `level` up: 0 on, 1 off, 2 start
    /// pending.
    ///
    /// # Errors
    /// INVALID_PARAMETERS if there is no such CPU.
    pub fn cpu_affinity(&mut self, mpidr: u64, level: u64) -> Result<u64, i32> {
        self.call(hostcall::CPU_AFFINITY, [mpidr, level, 0, 0, 0, 0])
            .map(|[state, ..]| state)
    }

    /// Waits until an interrupt is pending for the calling CPU.
    ///
    /// # Errors
    /// Whatever keeps the host from waiting.
    pub fn wait_for_interrupt(&mut self) -> Result<(), i32> {
        self.call(hostcall::WAIT_FOR_INTERRUPT, [0; 6]).map(drop)
    }

    /// Resumes the calling CPU in its reset state at `entry`.
    pub fn cpu_resume(&mut self, entry: u64, context: u64) -> i32 {
        self.leave(hostcall::CPU_RESUME, [entry, context, 0, 0, 0, 0])
    }

    /// Powers the guest off.
    pub fn system_off(&mut self) -> i32 {
        self.leave(hostcall::SYSTEM_OFF, [0; 6])
    }

    /// Resets the guest; `kind` and `cookie` are those of PSCI SYSTEM_RESET2, 0 for a plain reset.
    pub fn system_reset(&mut self, kind: u64, cookie: u64) -> i32 {
        self.leave(hostcall::SYSTEM_RESET, [kind, cookie, 0, 0, 0, 0])
    }

    /// Suspends the guest until it is woken; the calling CPU then starts at `entry`.
    pub fn system_suspend(&mut self, entry: u64, context: u64) -> i32 {
        self.leave(hostcall::SYSTEM_SUSPEND, [entry, context, 0, 0, 0, 0])
    }

    /// Returns the time in nanoseconds since the VM was made, and since 1970.
    ///
    /// # Errors
    /// The host has no clock to show.
    pub fn time(&mut self) -> Result<(u64, u64), i32> {
        self.call(hostcall::TIME, [0; 6])
            .map(|[monotonic, realtime, ..]| (monotonic, realtime))
    }

    /// Returns random bits in the first `words` words, 4 at most.
    ///
    /// # Errors
    /// The host has no entropy to give at the moment.
    pub fn entropy(&mut self, words: u64) -> Result<[u64; 4], i32> {
        self.call(hostcall::ENTROPY, [words, 0, 0, 0, 0, 0])
    }

    /// Translates the caller's virtual address `va` for a read or, if `write`, for a write.
    ///
    /// # Errors
    /// INVALID_ADDRESS if the caller itself could not make that access.
    pub fn translate(&mut self, va: u64, write: bool) -> Result<u64, i32> {
        self.call(hostcall::TRANSLATE, [va, u64::from(write), 0, 0, 0, 0])
            .map(|[pa, ..]| pa)
    }

    /// Reads `size` bytes (1, 2, 4 or 8) from a device, as a secure access.
    ///
    /// # Errors
    /// INVALID_PARAMETERS for another size or where the host has no bus.
    pub fn mmio_read(&mut self, address: u64, size: u64) -> Result<u64, i32> {
        self.call(hostcall::MMIO, [address, size, 0, 0, 0, 0])
            .map(|[value, ..]| value)
    }

    /// Writes the low `size` bytes (1, 2, 4 or 8) of `value` to a device, as a secure access.
    ///
    /// # Errors
    /// INVALID_PARAMETERS for another size or where the host has no bus.
    pub fn mmio_write(&mut self, address: u64, size: u64, value: u64) -> Result<(), i32> {
        self.call(hostcall::MMIO, [address, size, value, 1, 0, 0])
            .map(drop)
    }

    /// Leaves an event in the VMM's trace. Nothing depends on whether the host keeps it.
    pub fn log_event(&mut self, code: u64, args: [u64; 3]) {
        let [a, b, c] = args;
        let _ = self.call(hostcall::LOG_EVENT, [code, a, b, c, 0, 0]);
    }

    /// Returns the guest's `n`-th stretch of memory as far as the blob may reach it.
    ///
    /// # Errors
    /// INVALID_PARAMETERS behind the last; NOT_SUPPORTED for a blob whose note has no guest memory.
    pub fn guest_memory(&mut self, n: u64) -> Result<Stretch, i32> {
        let [base, size, access, _] = self.call(hostcall::GUEST_MEMORY, [n, 0, 0, 0, 0, 0])?;
        let writable = access == 2;
        Ok(Stretch {
            base,
            size,
            writable,
        })
    }

    /// Has the guest reset unless this is called again within `ns` nanoseconds; 0 puts an end to
    /// that.
    ///
    /// # Errors
    /// The host has no such timer.
    pub fn watchdog(&mut self, ns: u64) -> Result<(), i32> {
        self.call(hostcall::WATCHDOG, [ns, 0, 0, 0, 0, 0]).map(drop)
    }

    /// Returns the address of the calling CPU's stolen time structure (DEN 0057, 3.2.2).
    ///
    /// # Errors
    /// NOT_SUPPORTED if the host keeps none.
    pub fn stolen_time(&mut self) -> Result<u64, i32> {
        self.call(hostcall::STOLEN_TIME, [0; 6])
            .map(|[address, ..]| address)
    }

    /// Sets the caller's own ELR_EL1 and SPSR_EL1.
    ///
    /// # Errors
    /// NOT_SUPPORTED for an AArch32 caller.
    pub fn set_exception(&mut self, elr: u64, spsr: u64) -> Result<(), i32> {
        self.call(hostcall::SET_EXCEPTION, [elr, spsr, 0, 0, 0, 0])
            .map(drop)
    }

    /// Returns what SMCCC_ARCH_FEATURES is to say of one of the
    /// [workarounds](hostcall::WORKAROUNDS) that the host's KVM carries out (DEN 0028, 7).
    ///
    /// # Errors
    /// NOT_SUPPORTED if there is nothing that the host could do, and for any other function.
    pub fn workaround(&mut self, function: FunctionId) -> Result<i32, i32> {
        let args = [u64::from(function.0), 0, 0, 0, 0, 0];
        self.call(hostcall::WORKAROUND, args)
            .map(|[answer, ..]| answer as i32)
    }

    /// A host call that does not return unless the host refuses it.
    fn leave(&mut self, nr: u64, args: [u64; 6]) -> i32 {
        self.call(nr, args).err().unwrap_or(INTERNAL_FAILURE)
    }
}

#[cfg(test)]
mod tests;
